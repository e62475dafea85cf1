"""What the two networks of a design are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.design import Design
from cosim.design.sections import Network, Training
from cosim.errors import InputError
from cosim.networks import beside, process, training
from cosim.networks.training import in_double, load_networks, recipe_of, spike_data, train_networks
from training.hardware import HardwareModel, HardwareModelError
from training.hardware.columns import resized
from training.recipe import Recipe
from training.trainer import train


def test_every_key_of_the_training_section_reaches_the_recipe() -> None:
    section = Training(epochs=7, learning_rate=0.5, spike_time_noise=0.25, seed=3, conventional_reversal=50.0)
    recipe = recipe_of(section)
    assert (recipe.epochs, recipe.learning_rate, recipe.spike_time_noise, recipe.seed) == (7, 0.5, 0.25, 3)
    assert set(Training.model_fields) - set(Recipe.model_fields) == {"conventional_reversal", "mismatch"}
    assert recipe_of(Training()) == Recipe()


def test_an_impossible_split_names_its_key() -> None:
    with pytest.raises(InputError, match=r"network\.test_samples: 1 must lie in 3"):
        spike_data(Network(test_samples=1))


def test_spikes_in_double_are_the_same_spikes() -> None:
    data = spike_data(Network())
    double = in_double(data)
    assert double.test_t.dtype == torch.float64 and data.test_t.dtype == torch.float32
    assert torch.equal(double.test_t.float(), data.test_t)
    assert double.test_t.shape == (50, 5)


def test_a_network_with_a_convolution_comes_back_as_it_was_trained(tmp_path: Path) -> None:
    design = Design.model_validate({
        "name": "x",
        "network": {
            "dataset": "digits", "pool": 4, "bias": False, "layers": [10], "test_samples": 1700,
            "convolutions": [{"channels": 5, "kernel": 1}],
        },
        "training": {"epochs": 1}, "mapping": {"conventional": False},
    })  # fmt: skip
    one = HardwareModel.reference()
    column = one.all_columns[0]
    larger, smaller = (resized(column, n, column.neuron.capacitance_f * (1 + n / 100), 0.0) for n in (20, 1))
    hardware = one.model_copy(update={"columns": (larger, smaller)})
    hardware.save(tmp_path / "hardware.json")
    trained = train_networks(design, hardware, tmp_path)
    assert trained.metrics["training.synapses"] == 4 * 5 + 20 * 10, "one a window of every position, not one a channel"
    found = load_networks(tmp_path)["ode"]
    assert found.sizes == (4, 20, 10) and [tuple(layer.weight.shape) for layer in found] == [(5, 1, 1, 1), (10, 20)]
    for layer, other in zip(found, trained.networks["ode"], strict=True):
        assert torch.equal(layer.weight.float(), other.weight)


def _trained(run: Path, epochs: int, jobs: int) -> tuple[bytes, list[str]]:
    """The weights of both networks of the reference design, and whose epochs were told."""
    run.mkdir()
    hardware, told = HardwareModel.reference(), list[str]()
    design = Design.model_validate({"name": "x", "training": {"epochs": epochs}})
    trained = train_networks(design, hardware, run, lambda name, _: told.append(name), jobs=jobs)
    assert len(trained.history) == 2 * epochs
    return (run / "network.safetensors").read_bytes(), told


def test_two_networks_at_a_time_are_the_two_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "WORTH_EPOCHS", 4)
    begun: list[tuple[str, bool]] = []

    def spy(network: Any, data: Any, recipe: Any, progress: Any, file: Path, **how: Any) -> Any:
        begun.append((file.stem, file.exists()))
        return train(network, data, recipe, progress, file, **how)

    monkeypatch.setattr(training, "train", spy)
    one, told = _trained(tmp_path / "one", 4, jobs=1)
    assert begun == [("ode", False), ("conventional", False)]
    begun.clear()
    both, told_of_both = _trained(tmp_path / "both", 4, jobs=2)
    assert begun == [("ode", False), ("conventional", True)], "trained by the other process"
    assert one == both and sorted(told) == sorted(told_of_both) == ["conventional"] * 4 + ["ode"] * 4


def test_a_process_that_dies_beside_costs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "WORTH_EPOCHS", 2)
    monkeypatch.setattr(beside, "start", lambda module: process.start("a_module_that_is_not_there"))
    _, told = _trained(tmp_path / "run", 2, jobs=2)
    assert told == ["ode", "ode", "conventional", "conventional"], "trained here, after the other one"


def test_an_absent_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HardwareModelError, match=r"hardware\.json: cannot be read"):
        load_networks(tmp_path)
