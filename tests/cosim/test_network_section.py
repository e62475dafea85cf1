"""What a design computes: layers, data with a name, a table of one's own, and what of it is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cosim.bench.bench import ColumnSize
from cosim.design import load_design
from cosim.design.sections import Network
from cosim.errors import InputError
from cosim.networks.training import spike_data, untrained_network
from training.hardware import HardwareModel, HardwareModelError
from training.shapes import NetworkShape

CSV = "a,kind,b\n" + "".join(f"{k},{'xyz'[k % 3]},{k * k}\n" for k in range(12))
DESIGN = """
name = "mine"
[network]
dataset = "table"
layers = [4, 3]
test_samples = 3
[network.table]
file = "data/flowers.csv"
label = "kind"
"""


def written(folder: Path, design: str = DESIGN, table: str = CSV) -> Path:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "flowers.csv").write_text(table)
    (folder / "mine.toml").write_text(design)
    return folder / "mine.toml"


def test_inputs_follow_from_the_data() -> None:
    assert Network().sizes == (5, 5, 5)
    wine = Network(dataset="wine", layers=(8, 3))
    assert wine.sizes == (14, 8, 3) and wine.shape.crossbars == ((14, 8, 8), (8, 3, 3))
    assert Network(dataset="digits", bias=False, layers=(32, 10)).sizes == (64, 32, 10)
    assert Network(layers=(3,)).shape.crossbars == ((5, 3, 3),)


@pytest.mark.parametrize(
    ("dataset", "bias"), [("iris", True), ("wine", True), ("wine", False), ("digits", True), ("digits", False)]
)
def test_data_have_the_inputs_that_the_network_says(dataset: str, bias: bool) -> None:
    network = Network.model_validate({"dataset": dataset, "bias": bias, "layers": [10], "test_samples": 20})
    data = spike_data(network)
    assert data.inputs == network.inputs and len(data.test_labels) == 20
    assert bool((data.train_t[:, -1] == 0).all()) is bias


def test_a_table_is_found_beside_the_design_and_held_to_its_content(tmp_path: Path) -> None:
    design = load_design(written(tmp_path))
    table = design.network.table
    assert table is not None and table.features == ("a", "b") and Path(table.file) == tmp_path / "data" / "flowers.csv"
    assert design.network.sizes == (3, 4, 3)
    data = spike_data(design.network)
    assert data.inputs == 3 and data.class_names == ("x", "y", "z") and len(data.test_labels) == 3
    again = load_design(written(tmp_path, table=CSV.replace("11,z,121", "11,z,120")))
    assert again.network.table is not None and again.network.table.sha256 != table.sha256
    pinned = DESIGN + f'sha256 = "{table.sha256}"\n'
    assert load_design(written(tmp_path, pinned)).network == design.network
    with pytest.raises(InputError, match=r"network\.table\.sha256: .*flowers\.csv has .* another file than"):
        load_design(written(tmp_path, pinned, CSV + "12,x,144\n"))


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (DESIGN.replace('"kind"', '"sort"'), r"network\.table\.label: .*flowers\.csv has no column 'sort'; it has a, kind, b"),
        (DESIGN + 'features = ["a", "c"]\n', r"network\.table\.features: .* has no column 'c'"),
        (DESIGN.replace("flowers.csv", "roses.csv"), r"network\.table\.file: .*roses\.csv: is not there"),
        (DESIGN.replace('dataset = "table"\n', ""), r'network: dataset = "table" and a section \[network\.table\] go together'),
        (DESIGN.replace("layers = [4, 3]", "hidden = 4"), r"network: hidden is no key any more: layers = \[5, 5\]"),
        (DESIGN.replace("[4, 3]", "[]"), r"network\.layers: "),
        (DESIGN.replace("[4, 3]", "[0, 3]"), r"network\.layers\.0: .* not 0"),
    ],
)
def test_a_network_that_cannot_be_is_one_line(tmp_path: Path, design: str, message: str) -> None:
    path = written(tmp_path, design)
    with pytest.raises(InputError, match=message) as caught:
        load_design(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_every_class_needs_an_output(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"network\.layers: 2 outputs for 3 classes of the data"):
        spike_data(load_design(written(tmp_path, DESIGN.replace("[4, 3]", "[4, 2]"))).network)
    with pytest.raises(InputError, match=r"network\.test_samples: 500 must lie in 3 \.\. 147"):
        spike_data(Network(test_samples=500))


def test_every_size_in_use_is_characterised_once_with_the_most_that_it_drives() -> None:
    assert ColumnSize.in_use(Network().shape) == [ColumnSize(5, 5, 5, sent=True)]
    wine = ColumnSize.in_use(Network(dataset="wine", layers=(8, 3)).shape)
    assert wine == [ColumnSize(14, 3, 8), ColumnSize(8, 3, 3, sent=True)], "inputs send the lines of the first layer"
    assert ColumnSize.in_use(Network(layers=(6, 6, 6, 3)).shape) == [
        ColumnSize(5, 6, 6),
        ColumnSize(6, 6, 6, sent=True),
        ColumnSize(6, 3, 3, sent=True),
    ]
    assert [size.name for size in ColumnSize.in_use(Network(layers=(12, 3)).shape)] == ["5x12", "12x3"]


def test_layers_of_another_size_are_not_trained_on_a_column_that_says_nothing_of_them() -> None:
    with pytest.raises(HardwareModelError, match="holds for columns of 5 synapses, not of 12"):
        untrained_network("ode", NetworkShape.of(5, 12, 3), HardwareModel.reference(), 100.0)


def test_three_layers_are_three_layers() -> None:
    network = untrained_network("conventional", NetworkShape.of(5, 5, 5, 5), HardwareModel.reference(), 100.0)
    assert [list(layer.weight.shape) for layer in network] == [[5, 5]] * 3
    outputs = network(torch.rand(2, 5, generator=torch.Generator().manual_seed(0)))
    assert len(outputs) == 3


def test_pixels_are_pooled_before_they_are_inputs() -> None:
    pooled = Network(dataset="digits", pool=2, bias=True, layers=(10,), test_samples=20)
    whole = Network(dataset="digits", bias=False, layers=(10,), test_samples=20)
    assert pooled.sizes == (17, 10)
    found, pixels = spike_data(pooled).test_t[:, :16], spike_data(whole).test_t.view(-1, 4, 2, 4, 2)
    torch.testing.assert_close(found, pixels.mean((2, 4)).flatten(1))


def test_grey_levels_are_so_many_spike_times_and_black_stays_silent() -> None:
    network = Network(dataset="digits", levels=5, bias=False, layers=(10,), test_samples=20)
    found, all_levels = spike_data(network).test_t, spike_data(network.model_copy(update={"levels": 0})).test_t
    assert sorted(set(found.unique().tolist())) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert float((found - all_levels).abs().max()) <= 0.125 + 1e-6
    assert bool((found[all_levels == 1.0] == 1.0).all())


def test_a_convolution_is_a_crossbar_of_its_windows() -> None:
    network = Network.model_validate({
        "dataset": "digits", "bias": False, "layers": [10], "convolutions": [{"channels": 8, "kernel": 4, "stride": 2}]
    })  # fmt: skip
    assert network.sizes == (64, 72, 10)
    assert network.shape.crossbars == ((16, 18, 72), (72, 10, 10))
    assert ColumnSize.in_use(network.shape) == [ColumnSize(16, 10, 18), ColumnSize(72, 10, 10, sent=True)]


PICTURES = """
name = "mine"
[network]
dataset = "digits"
bias = false
layers = [10]
[[network.convolutions]]
channels = 4
kernel = 3
"""


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (PICTURES + "padding = 1\n", r"network\.convolutions\.0: padding 1: neurons at the border would have fewer synapses"),
        (PICTURES + "stride = 4\n", r"network\.convolutions\.0: stride 4 skips pixels between windows of 3"),
        (PICTURES.replace("kernel = 3", "kernel = 9"), r"network: a window of 9 x 9 is larger than the image, 8 x 8"),
        (
            PICTURES.replace("bias = false", "bias = true"),
            r"network: a convolution has no line for a bias spike; set",
        ),
        (PICTURES.replace('"digits"', '"iris"'), r"network: iris has no pictures; those that have are digits"),
        (PICTURES.replace("bias = false", "bias = false\npool = 3"), r"network: pool 3 does not divide the pictures, 8 x 8"),
        (
            PICTURES.replace("bias = false", "bias = false\nlevels = 1"),
            r"network: levels: 1 grey levels of digits; give 2",
        ),
        (PICTURES + "dilation = 2\n", r"network\.convolutions\.0\.dilation: "),
    ],
)
def test_a_convolution_that_no_circuit_has_is_one_line(tmp_path: Path, design: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(design)
    with pytest.raises(InputError, match=message) as caught:
        load_design(tmp_path / "mine.toml")
    assert "\n" not in str(caught.value)
