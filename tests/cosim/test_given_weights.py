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
from cosim.errors import InputError, InputRemark
from cosim.networks.given_weights import check_range, keep_weights, read_weights
from cosim.networks.training import load_networks, train_networks
from cosim.runs.given import GIVEN_WEIGHTS
from training.hardware import HardwareModel

ROOT = Path(__file__).parents[2]
GOOD = {"layers.0.weight": torch.full((5, 5), 0.5), "layers.1.weight": torch.full((5, 5), -0.25)}


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
    read = read_weights(stored(tmp_path, {"fc1": weights.to(dtype), "fc2": weights.to(dtype).clone()}), Network())
    assert all(torch.equal(part, weights) for part in read)


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ({"a": torch.zeros(5, 5)}, r"holds 1 matrices \(a\), the network of the design has 2 layers"),
        ({"fc1": torch.zeros(5, 5), "fc2": torch.zeros(3, 5)}, r"fc2: has shape \[3, 5\], the design needs \[5, 5\]"),
        (
            {**GOOD, "layers.2.weight": torch.zeros(5, 5)},
            r"holds 3 matrices \(layers\.0\.weight, layers\.1\.weight, layers\.2\.weight\), .* has 2",
        ),
        (
            {"encoder.weight": torch.zeros(5, 5), "decoder.weight": torch.zeros(5, 5)},
            r"decoder\.weight, encoder\.weight: neither these names nor their shapes say which layer comes first; call them",
        ),
        (
            {"Dense_0.kernel": torch.zeros(5, 5), "Dense_1.weight": torch.zeros(5, 5)},
            r"Dense_0\.kernel is kept \[in, out\], Dense_1\.weight is not said to be",
        ),
        ({**GOOD, "bias": torch.zeros(5)}, r"bias: has shape \[5\], .* bias spike"),
        ({**GOOD, "layers.0.weight": torch.full((5, 5), torch.nan)}, r"layers\.0\.weight: holds values that are not finite"),
        ({**GOOD, "layers.0.weight": torch.full((5, 5), 0.5j)}, r"layers\.0\.weight: holds complex numbers"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, tensors: dict[str, Tensor], expected: str) -> None:
    path = stored(tmp_path, tensors)
    with pytest.raises(InputError, match=expected) as error:
        read_weights(path, Network())
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_shapes_that_leave_one_order_tell_it(tmp_path: Path) -> None:
    network, first, second = Network(layers=(4, 3)), torch.rand(4, 5), torch.rand(3, 4)
    read = read_weights(stored(tmp_path, {"readout": second, "senses": first}), network)
    assert torch.equal(read[0], first) and torch.equal(read[1], second)
    turned = {"fc1": first.T.contiguous(), "fc2": second.T.contiguous()}
    with pytest.raises(
        InputError, match=r"fc1: has shape \[5, 4\], the design needs \[4, 5\] \[out, in\]; it is \[in, out\]: transpose"
    ):
        read_weights(stored(tmp_path, turned), network)


def test_kernels_are_transposed_by_their_name_and_told(tmp_path: Path) -> None:
    first, second = torch.rand(5, 5), torch.rand(5, 5)
    kernels = {"params.Dense_0.kernel": first.T.contiguous(), "params.Dense_1.kernel": second.T.contiguous()}
    with pytest.warns(InputRemark, match=r"Dense_0\.kernel, .* are \[in, out\], and were transposed"):
        read = read_weights(stored(tmp_path, kernels), Network())
    assert torch.equal(read[0], first) and torch.equal(read[1], second)


def test_a_network_of_cosim_gives_its_hardware_aware_half(tmp_path: Path) -> None:
    hardware = HardwareModel.reference()
    hardware.save(tmp_path / "hardware.json")
    save_file(GOOD, tmp_path / GIVEN_WEIGHTS)
    train_networks(Design(name="x"), hardware, tmp_path)
    with pytest.warns(InputRemark, match="network 'ode' of the two there is taken"):
        read = read_weights(tmp_path / "network.safetensors", Network())
    assert torch.equal(read[0], GOOD["layers.0.weight"]) and torch.equal(read[1], GOOD["layers.1.weight"])


def test_a_pickle_is_named_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(b"\x80\x02.")
    with pytest.raises(InputError, match=r"model\.pth: is no safetensors file; a pickle .*save_file"):
        read_weights(tmp_path / "model.pth", Network())


def test_a_run_keeps_them_in_its_own_order_with_the_name_of_the_file(tmp_path: Path) -> None:
    largest = HardwareModel.reference().weight_range(1)[1]
    path = stored(tmp_path, {"w10": torch.full((5, 5), 2 * largest), "w9": torch.zeros(5, 5)})
    keep_weights(path, Network(), tmp_path)
    kept = read_weights(tmp_path / GIVEN_WEIGHTS, Network())
    assert float(kept[0].max()) == 0.0 and float(kept[1].max()) == pytest.approx(2 * largest)
    with pytest.raises(InputError, match=r"^mine\.safetensors: matrix 2: holds the weight"):
        check_range(tmp_path, kept, [HardwareModel.reference()] * 2)


def test_a_weight_beyond_the_cell_is_refused(tmp_path: Path) -> None:
    save_file(GOOD, tmp_path / GIVEN_WEIGHTS)
    hardware = HardwareModel.reference()
    largest = hardware.weight_range(-1)[1]
    check_range(tmp_path, [torch.tensor([[-largest, 0.1]])], [hardware])
    with pytest.raises(InputError, match=rf"matrix 2: holds the weight -{1.1 * largest:.4g}, the cell reaches -{largest:.4g}"):
        check_range(tmp_path, [torch.zeros(1, 1), torch.tensor([[-1.1 * largest, 0.1]])], [hardware] * 2)


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
