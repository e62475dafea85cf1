"""Weights from elsewhere in the place of a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from cosim.cli.main import app
from cosim.design import Design
from cosim.design.sections import Network
from cosim.errors import InputError
from cosim.networks.given_weights import check_range, read_weights
from cosim.networks.training import load_networks, train_networks
from cosim.runs.given import GIVEN_WEIGHTS
from training.hardware import HardwareModel

ROOT = Path(__file__).parents[2]
GOOD = {"hidden": torch.full((5, 5), 0.5), "output": torch.full((5, 5), -0.25)}


def stored(folder: Path, tensors: dict[str, Tensor]) -> Path:
    path = folder / "mine.safetensors"
    save_file(tensors, path)
    return path


def test_matrices_are_found_by_name_or_in_the_order_of_names(tmp_path: Path) -> None:
    network = Network(layers=(4, 5))
    first, second = torch.rand(4, 5), torch.rand(5, 4)
    for names in (("layers.0.weight", "layers.1.weight"), ("fc2.weight", "fc10.weight")):
        read = read_weights(stored(tmp_path, dict(zip(names, (first, second), strict=True))), network)
        assert torch.equal(read[0], first) and torch.equal(read[1], second)
    three = Network(layers=(4, 5, 3))
    third = {"layers.0.weight": first, "layers.1.weight": second, "layers.2.weight": torch.rand(3, 5)}
    assert [list(weight.shape) for weight in read_weights(stored(tmp_path, third), three)] == [[4, 5], [5, 4], [3, 5]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e4m3fn, torch.int8])
def test_weights_of_any_real_type_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = torch.tensor([[1.0, -2.0, 0.0, 4.0, 1.0]] * 5)
    read = read_weights(stored(tmp_path, {"a": weights.to(dtype), "b": weights.to(dtype).clone()}), Network())
    assert all(torch.equal(part, weights) for part in read)


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ({"a": torch.zeros(5, 5)}, r"holds 1 matrices \(a\), network\.layers of the design has 2"),
        ({"a": torch.zeros(5, 5), "b": torch.zeros(3, 5)}, r"b: has shape \[3, 5\], the design needs \[5, 5\]"),
        (
            {**GOOD, "third": torch.zeros(5, 5)},
            r"holds 3 matrices \(hidden, output, third\), .* has 2",
        ),
        ({**GOOD, "bias": torch.zeros(5)}, r"bias: has shape \[5\], .* bias spike"),
        ({**GOOD, "hidden": torch.full((5, 5), torch.nan)}, r"hidden: holds values that are not finite"),
        ({**GOOD, "hidden": torch.full((5, 5), 0.5j)}, r"hidden: holds complex numbers"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, tensors: dict[str, Tensor], expected: str) -> None:
    path = stored(tmp_path, tensors)
    with pytest.raises(InputError, match=expected) as error:
        read_weights(path, Network())
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_weight_beyond_the_cell_is_refused() -> None:
    hardware = HardwareModel.reference()
    largest = hardware.weight_range(-1)[1]
    check_range([torch.tensor([[-largest, 0.1]])], [hardware])
    with pytest.raises(InputError, match=rf"matrix 2: holds the weight -{1.1 * largest:.4g}, the cell reaches -{largest:.4g}"):
        check_range([torch.zeros(1, 1), torch.tensor([[-1.1 * largest, 0.1]])], [hardware] * 2)


def test_both_networks_of_a_run_get_them_and_nothing_is_trained(tmp_path: Path) -> None:
    hardware, heard = HardwareModel.reference(), []
    hardware.save(tmp_path / "hardware.json")
    save_file(GOOD, tmp_path / GIVEN_WEIGHTS)
    trained = train_networks(Design(name="x"), hardware, tmp_path, lambda name, epoch: heard.append(name))
    assert heard == [] and len(trained.history) == 0
    for network in load_networks(tmp_path).values():
        assert network.layers[0].weight.detach().unique().tolist() == [0.5]
        assert network.layers[1].weight.detach().unique().tolist() == [-0.25]
    assert json.loads((tmp_path / "network.json").read_text())["last_epoch"] == {}


def test_given_weights_need_no_dies_as_nothing_is_trained(tmp_path: Path) -> None:
    save_file(GOOD, tmp_path / GIVEN_WEIGHTS)
    design = Design.model_validate({"name": "given", "training": {"mismatch": True}})
    train_networks(design, HardwareModel.reference(), tmp_path)
    assert json.loads((tmp_path / "network.json").read_text())["mismatch"] is None


def test_the_command_refuses_before_it_touches_anything(tmp_path: Path) -> None:
    design = ROOT / "designs" / "iris_5_5_5.toml"
    bad = stored(tmp_path, {"a": torch.zeros(5, 5)})
    for weights, expected in ((bad, "holds 1 matrices"), (tmp_path / "none.safetensors", "cannot be read as safetensors")):
        words = ["map", str(design), "--weights", str(weights), "--out", str(tmp_path / "run")]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2 and expected in result.stderr and len(result.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "run" / "design.toml").exists()
