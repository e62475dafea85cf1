"""Data, loss, trainer and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from realistic import model

from training.data import SpikeData, iris
from training.errors import TrainingError
from training.evaluation import evaluate
from training.hardware import HardwareModel, NormalisedModel, WeightRange, normalise
from training.hardware_aware.variation import WeightNoise
from training.layer import LayerOutput
from training.loss import loss
from training.network import RCSpikeNetwork
from training.recipe import Augmentation, Recipe
from training.storage import load_description, load_weights, save_networks
from training.tensors import NetworkFileError, write_tensors
from training.trainer import Epoch, train

SHORT = Recipe(epochs=4)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data() -> SpikeData:
    return iris()


def test_iris_split_is_stratified_and_scaled_on_the_training_set(data: SpikeData) -> None:
    assert data.train_t.shape == (100, 5)
    assert data.test_t.shape == (50, 5)
    assert sorted(data.train_rows + data.test_rows) == list(range(150))
    assert set(torch.bincount(data.test_labels).tolist()) <= {16, 17}
    assert data.train_t[:, :4].amin(0).tolist() == [0.0] * 4
    assert data.train_t[:, :4].amax(0).tolist() == [1.0] * 4
    assert float(data.test_t.min()) >= 0.0 and float(data.test_t.max()) <= 1.0
    assert float(data.test_t[:, 4].max()) == 0.0
    assert iris(split_seed=1).test_rows != data.test_rows


def test_iris_refuses_a_split_without_a_class() -> None:
    with pytest.raises(ValueError, match="test_samples: 149"):
        iris(test_samples=149)


def test_loss_is_the_published_sum() -> None:
    t_hidden, t_out = torch.tensor([[0.06, 0.5]]), torch.tensor([[0.3, 0.5, 0.8, 1.0]])
    outputs = [LayerOutput(t, t, t) for t in (t_hidden, t_out)]
    weights = [torch.tensor([[2.0]]), torch.tensor([[1.0]])]
    recipe = Recipe(temporal_target=0.9)
    scores = np.exp(-np.array([0.3, 0.5, 0.8]) / 0.07)
    expected = (
        -np.log(scores[1] / scores.sum()) + 0.1 * (0.6**2 + 0.4**2 + 0.1**2 + 0.1**2) + 0.2 * (1 - 0.06 / 0.12) + 1e-2 * 5.0
    )
    assert float(loss(outputs, weights, torch.tensor([1]), 3, recipe)) == pytest.approx(expected, rel=1e-5)


def test_evaluation_counts_what_the_circuit_would_show(data: SpikeData) -> None:
    network = RCSpikeNetwork((5, 3), NormalisedModel.constant(2.8, -1.5))
    silent = evaluate(network, data.test_t, data.test_labels)
    assert silent.accuracy == 0.0  # a tie is no answer
    assert silent.firing_share == 0.0
    assert float(silent.margins.abs().max()) == 0.0
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[0.0, 0, 0, 0, 0.5], [0, 0, 0, 0, 0.3], [0, 0, 0, 0, 2.0]]))
    result = evaluate(network, data.test_t, data.test_labels)
    assert result.accuracy == float((data.test_labels == 2).double().mean())
    assert result.early_share == pytest.approx(1 / 3)
    assert result.drive == pytest.approx([2.0 / 2.8])
    v = 2.8 * (1 - np.exp(-np.array([0.5, 0.3]) / 2.8))
    np.testing.assert_allclose(result.spike_times[0, :2], 1 - v, atol=1e-6)


def trained(data: SpikeData, recipe: Recipe, **options: object) -> tuple[RCSpikeNetwork, list[object]]:
    network = RCSpikeNetwork((5, 5, 5), model())
    return network, list(train(network, data, recipe, **options))  # type: ignore[arg-type]


def test_same_seed_gives_the_same_bits_and_another_seed_another_network(data: SpikeData) -> None:
    first, history = trained(data, SHORT)
    second, again = trained(data, SHORT)
    other, _ = trained(data, SHORT.but(seed=1))
    assert history == again
    assert torch.equal(first.layers[1].weight, second.layers[1].weight)
    assert not torch.equal(first.layers[1].weight, other.layers[1].weight)
    assert history[-1].loss < history[0].loss  # type: ignore[attr-defined]


class Interrupted(Exception):
    pass


def test_what_does_not_fit_together_is_one_line_before_the_first_epoch(data: SpikeData) -> None:
    network = RCSpikeNetwork((5, 2), model())
    for options, expected in (
        ({}, "network: has 2 outputs for 3 classes"),
        ({"recipe": SHORT.but(augmentation=Augmentation(flip=True))}, r"augmentation: needs pictures, .*as_images\(\)"),
        ({"device": "gpu"}, "device: 'gpu' is not there; take 'cpu'"),
        ({"device": "cuda:99"}, "device: 'cuda:99' is not there; take 'cpu'"),
    ):
        with pytest.raises(ValueError, match=expected):
            train(network if not options else RCSpikeNetwork((5, 5), model()), data, **{"recipe": SHORT, **options})  # type: ignore[arg-type]
    assert "weight=[2, 5], solver='exact'" in repr(RCSpikeNetwork((5, 2), model()).layers[0])


def test_an_interrupted_training_ends_in_the_same_bits(data: SpikeData, tmp_path: Path) -> None:
    recipe, checkpoint = SHORT.but(epochs=7), tmp_path / "checkpoint.safetensors"

    def interrupt(row: object) -> None:
        if row.epoch == 5:  # type: ignore[attr-defined]
            raise Interrupted

    with pytest.raises(Interrupted):
        trained(data, recipe, progress=interrupt, checkpoint=checkpoint, checkpoint_every=2)
    epochs: list[int] = []
    resumed, history = trained(data, recipe, progress=lambda row: epochs.append(row.epoch), checkpoint=checkpoint)  # type: ignore[attr-defined]
    straight, expected = trained(data, recipe)
    assert epochs == [5, 6, 7]
    assert history == expected
    for a, b in zip(resumed.parameters(), straight.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_training_that_cannot_be_one_ends_in_a_line(data: SpikeData) -> None:
    """Spikes that are no numbers are named before the first epoch, a loss that is none with its epoch."""
    spoilt = data.test_t.clone()
    spoilt[7, 2] = torch.nan
    with pytest.raises(TrainingError, match=r"^data: test_t: sample 7 \(1 of 50\) holds a spike time that is no number$"):
        train(RCSpikeNetwork((5, 5, 5), model()), replace(data, test_t=spoilt), SHORT)
    network = RCSpikeNetwork((5, 5, 5), model())
    heard: list[int] = []

    def ruin(epoch: Epoch) -> None:
        heard.append(epoch.epoch)
        if epoch.epoch == 2:
            with torch.no_grad():
                network.layers[0].weight.fill_(torch.nan)

    with pytest.raises(TrainingError, match=r"^epoch 3: the loss is nan; lower learning_rate \(0\.\d+\)"):
        train(network, data, SHORT, ruin)
    assert heard == [1, 2]


@pytest.mark.parametrize("option", ["evaluate_every", "checkpoint_every"])
@pytest.mark.parametrize("epochs", [0, -1, 1.5])
def test_every_so_many_epochs_is_a_whole_number(data: SpikeData, option: str, epochs: float) -> None:
    with pytest.raises(TrainingError, match=rf"^{option}: must be a whole number of epochs, 1 or more, not {epochs}$"):
        train(RCSpikeNetwork((5, 5, 5), model()), data, SHORT, **{option: epochs})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"steps": 0}, "steps: 0 must be a whole number"),
        ({"steps": 1.5, "solver": "dstd"}, "steps: 1.5 must be a whole number"),
        ({"spike_time_noise": -0.01}, "spike_time_noise: -0.01 must be 0 or more"),
        ({"membrane_leak": float("nan")}, "membrane_leak: nan must be 0 or more"),
    ],
)
def test_what_a_layer_cannot_be_is_refused_where_it_is_given(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"^{complaint}"):
        RCSpikeNetwork((5, 5), model(), **options)
    with pytest.raises(ValueError, match="share: -1 must be 0 or more"):
        WeightNoise(-1)
    with pytest.raises(ValueError, match=r"batch\n.*valid integer"):
        Recipe(batch=1.5)  # type: ignore[arg-type]


def strong_cell(times: float) -> NormalisedModel:
    """The reference's cell with all of its weights so many times larger, the smallest too."""
    reference = normalise(HardwareModel.reference())
    plus, minus = (replace(one, magnitude=one.magnitude * times) for one in (reference.plus, reference.minus))
    return replace(reference, plus=plus, minus=minus)


def test_first_weights_reach_the_cell_and_are_the_usual_ones_where_they_do() -> None:
    usual = RCSpikeNetwork((5, 5, 5), normalise(HardwareModel.reference()))
    usual.reset_parameters(torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    for layer in usual:
        assert torch.equal(layer.weight, torch.empty(5, 5).uniform_(-0.4, 0.8, generator=generator))
    strong = RCSpikeNetwork((40, 100), strong_cell(60.0))
    strong.reset_parameters(torch.Generator().manual_seed(3))
    (layer,) = strong
    on = (layer.effective_weight() != 0).double().mean()
    assert layer.weight_range.plus[0] > 1.0 and float(on) == pytest.approx(0.5, abs=0.02)
    assert float(layer.weight.detach().mean()) == pytest.approx(1 / 40, abs=0.03)


def test_a_network_of_strong_cells_learns(data: SpikeData) -> None:
    """With the usual first weights hardly a synapse is on, at the end none, and no sample is right."""
    network = RCSpikeNetwork((5, 5, 5), strong_cell(40.0))
    train(network, data, Recipe(epochs=150, learning_rate=2e-2, schedule="one_cycle"))
    assert evaluate(network, data.test_t, data.test_labels).accuracy > 0.5


def test_a_network_survives_the_round_trip_under_another_hardware(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    network = RCSpikeNetwork((5, 5, 3), model())
    network.reset_parameters(torch.Generator().manual_seed(3))
    save_networks(path, {"ode": network}, {"note": "x"})
    other = RCSpikeNetwork((5, 5, 3), NormalisedModel.constant(100, -100))
    load_weights(path, "ode", other)
    assert torch.equal(other.layers[1].weight, network.layers[1].weight)
    assert load_description(path)["sizes"] == {"ode": [5, 5, 3]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["network.json", "network.safetensors"]


def test_network_files_that_do_not_fit_give_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    network = RCSpikeNetwork((5, 5, 5), model())
    with pytest.raises(NetworkFileError, match="cannot be read"):
        load_weights(path, "ode", network)
    save_networks(path, {"ode": network}, {})
    with pytest.raises(NetworkFileError, match=r"ode\.layers\.1\.weight: has shape \[5, 5\], the network needs \[3, 5\]"):
        load_weights(path, "ode", RCSpikeNetwork((5, 5, 3), model()))
    with pytest.raises(NetworkFileError, match=r"conventional\.layers\.0\.weight: missing"):
        load_weights(path, "conventional", network)
    write_tensors(path, {"ode.layers.0.weight": torch.full((5, 5), torch.nan)})
    with pytest.raises(NetworkFileError, match="not finite"):
        load_weights(path, "ode", network)
    with pytest.raises(NetworkFileError, match="does not belong to"):
        load_description(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(NetworkFileError, match="cannot be read as safetensors"):
        load_weights(path, "ode", network)
    path.with_suffix(".json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(NetworkFileError, match="99 is newer"):
        load_description(path)


@pytest.mark.slow
@pytest.mark.parametrize("aware", [True, False])
def test_iris_is_learnt_within_the_circuits_limits(data: SpikeData, aware: bool) -> None:
    hardware, span = model(), WeightRange.of(model())
    network = RCSpikeNetwork((5, 5, 5), hardware if aware else NormalisedModel.constant(100, -100), weight_range=span)
    history = train(network, data, Recipe())
    result = evaluate(network, data.test_t, data.test_labels)
    assert result.accuracy * 50 >= 47
    assert history[-1].test_accuracy == result.accuracy
    assert result.firing_share >= 0.6
    assert result.early_share <= 0.02
    assert result.drive[0] > 0.3 if aware else result.drive[0] < 0.1
    for weight in network.effective_weights():
        assert -span.minus[1] <= float(weight.min()) < 0 < float(weight.max()) <= span.plus[1]
