"""Weights with a structure on their way into the circuit: what is not linked is no device, and a new task is new biases."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from cosim.bench.bench import Bench, ColumnSize
from cosim.cli.main import app
from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from cosim.errors import InputError
from cosim.mapping.network import MappedNetwork, map_network
from netlists.crossbar import Cells
from netlists.network import network_bench
from training.data import digits
from training.data.spikes import SpikeData
from training.evaluation import accuracy
from training.hardware import ColumnHardware, HardwareModel, NormalisedModel, normalise
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.structures.code import load_code
from training.structures.network import decode, put_structure, settle
from training.structures.plan import NAMED, MasksPlan
from training.structures.wiring import save_wiring
from training.trainer import train
from training.unrolling import unrolled

HARDWARE = HardwareModel.reference()
SIZES = (8, 6, 4)


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def cells() -> Cells:
    return cells_of(Design.model_validate({"name": "x"}), 0.5)


def _model() -> NormalisedModel:
    return normalise(HARDWARE)


def wired_network(task: int) -> RCSpikeNetwork:
    """The same wiring, programmed by weights that another task would have given."""
    network = RCSpikeNetwork(SIZES, _model())
    put_structure(network, MasksPlan(coats=4))
    network.reset_parameters(torch.Generator().manual_seed(task), 0.7)
    settle(network)
    return network.double()


def mapped_for(task: int) -> MappedNetwork:
    network = unrolled(wired_network(task))
    return map_network("ode", network.effective_weights(), [HARDWARE, HARDWARE], [layer.lines for layer in network])


def wires(netlist: str) -> list[str]:
    """The cards of a netlist without the levels of its bias sources."""
    return [re.sub(r"^(\S*_bias \S+ \S+) .*", r"\1", line) for line in netlist.splitlines()]


def test_one_netlist_for_two_tasks_only_biases_differ(cells: Cells) -> None:
    times = np.linspace(0.0, 0.9, SIZES[0]).tolist()
    networks = [mapped_for(task) for task in (0, 1)]
    one, other = (network_bench([cells, cells], own.settings, times, own.lines).netlist for own in networks)
    assert one != other and wires(one) == wires(other)
    assert len(re.findall(r"^Xlayer_\d_synapse_", one, flags=re.M | re.I)) == 6 * 4 + 4 * 3


def turned(data: SpikeData) -> SpikeData:
    """The same digits, a quarter of a turn further."""
    train_t, test_t = (t.view(-1, 4, 4).rot90(1, (1, 2)).flatten(1) for t in (data.train_t, data.test_t))
    return replace(data, train_t=train_t, test_t=test_t)


def test_one_netlist_is_trained_for_digits_and_for_digits_that_are_turned(cells: Cells) -> None:
    torch.set_num_threads(1)
    upright = digits().pooled(2)
    tasks = upright, turned(upright)
    networks, netlists = list[RCSpikeNetwork](), list[str]()
    for data in tasks:
        network = RCSpikeNetwork((16, 20, 10), _model())
        put_structure(network, MasksPlan(coats=4))
        recipe = Recipe(epochs=8, batch=100, learning_rate=2e-2, schedule="one_cycle", softmax_temperature=0.12)
        train(network, data, recipe, lambda epoch: None, evaluate_every=8)
        settle(network)
        circuit = unrolled(network.double())
        mapped = map_network(
            "ode", circuit.effective_weights(), [HARDWARE, HARDWARE], [layer.lines for layer in circuit]
        )  # fmt: skip
        times = data.test_t[0].double().tolist()
        networks.append(network)
        netlists.append(network_bench([cells, cells], mapped.settings, times, mapped.lines).netlist)
    right = [[accuracy(network, own.test_t.double(), own.test_labels, 10) for own in tasks] for network in networks]
    assert min(right[0][0], right[1][1]) > 0.7 and max(right[0][1], right[1][0]) < 0.4
    one, other = (re.sub(r"^(\S*input\S* \S+ \S+) .*", r"\1", netlist, flags=re.M) for netlist in netlists)
    assert one != other and wires(one) == wires(other)


def test_the_network_of_the_circuit_has_the_links_alone_and_does_the_same() -> None:
    """Kicks, leakage and delays of what is there: neuron by neuron as the layer that was trained."""
    network = wired_network(0)
    circuit = unrolled(network)
    assert [list(layer.weight.shape) for layer in circuit] == [[6, 4], [4, 3]]
    for layer, own in zip(network, circuit, strict=True):
        dense = np.zeros(layer.weight.shape)
        np.put_along_axis(dense, own.lines, own.weight.detach().numpy(), axis=1)
        assert np.array_equal(dense, layer.weight.detach().numpy()) and bool((own.weight != 0).all())
    t = torch.rand(5, SIZES[0], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for one, other in zip(network.eval()(t), circuit.eval()(t), strict=True):
        assert torch.allclose(one.spike_times, other.spike_times, atol=1e-12)
        assert torch.allclose(one.membrane, other.membrane, atol=1e-12)
    with pytest.raises(ValueError, match="neurons have 4 to 5 links"):
        links = next(iter(network)).links
        assert links is not None
        links[0] = torch.tensor([True] * 5 + [False] * 3)
        unrolled(network)


def test_columns_are_characterised_as_they_are_wired() -> None:
    digits = {"dataset": "digits", "bias": False, "layers": (32, 10)}
    design = Design.model_validate({"name": "x", "network": digits, "structure": NAMED["reusable_topology"].model_dump()})
    assert design.shape.crossbars == ((32, 16, 32), (16, 5, 10))
    assert design.network.shape.crossbars == ((64, 32, 32), (32, 10, 10))
    assert ColumnSize.in_use(design.shape) == [ColumnSize(32, 5, 16), ColumnSize(16, 5, 5, sent=True)]
    searched = Design.model_validate({"name": "x", "network": digits, "structure": NAMED["ticket"].model_dump()})
    assert searched.shape == design.network.shape


def test_cells_of_a_layer_are_those_of_the_columns_that_its_structure_leaves() -> None:
    """Every size has a discharger bias of its own; half of the links have that of half the synapses."""
    hardware = HardwareModel.reference()

    def column(synapses: int, rows: int) -> ColumnHardware:
        neuron = hardware.neuron
        bias = neuron.discharger_bias.model_copy(update={"value": 0.5 + synapses / 1000})
        update = {"synapses": synapses, "loaded_inputs": rows, "discharger_bias": bias}
        return hardware.all_columns[0].model_copy(update={"neuron": neuron.model_copy(update=update)})

    sizes = ((64, 32), (32, 16), (32, 10), (16, 5))
    sized = hardware.model_copy(update={"columns": tuple(column(*size) for size in sizes)})
    dense = {"name": "x", "network": {"dataset": "digits", "bias": False, "layers": (32, 10)}}
    for content, biases in ((dense, [0.564, 0.532]), (dense | {"structure": {"kind": "masks", "links": 0.5}}, [0.532, 0.516])):
        bench = Bench(Design.model_validate(content), None, None)  # type: ignore[arg-type]
        assert [cells.discharger_bias_v for cells in bench.cells_of_layers(sized)] == pytest.approx(biases)


def test_a_wiring_loads_lines_and_columns_of_the_model_as_those_of_the_circuit() -> None:
    network = RCSpikeNetwork((64, 32, 10), _model())
    put_structure(network, MasksPlan(coats=4))
    assert [layer.fan_out for layer in network] == [5, 0]
    assert network.devices() == 32 * 32 + 10 * 16


# The design


@pytest.fixture
def short(tmp_path: Path) -> Path:
    HARDWARE.save(tmp_path / "hardware.json")
    path = tmp_path / "design.toml"
    path.write_text('name = "short"\n[training]\nepochs = 3\n')
    return path


def test_train_with_a_structure_writes_its_code(short: Path, tmp_path: Path) -> None:
    words = ("--hardware", tmp_path / "hardware.json", "--out", tmp_path / "run", "--json")
    result = invoke("train", short, "--structure", "supermask", *words)
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)
    assert metrics["training.bits_per_weight"] == pytest.approx(4 + 2 * 256 / 50)
    assert metrics["training.devices"] == 50 and "training.conventional_test_accuracy" not in metrics
    from cosim.networks.training import load_networks

    weights = [layer.weight for layer in load_networks(tmp_path / "run")["ode"]]
    for weight, decoded in zip(weights, decode(load_code(tmp_path / "run" / "network.code.safetensors")), strict=True):
        assert np.array_equal(weight.detach().numpy(), decoded.astype(float))
    before = (tmp_path / "run" / "network.safetensors").stat().st_mtime_ns
    assert invoke("train", short, "--structure", "supermask", *words).exit_code == 0
    assert (tmp_path / "run" / "network.safetensors").stat().st_mtime_ns == before
    dense = invoke("train", short, "--structure", "dense", *words)
    assert dense.exit_code == 0 and "training.bits_per_weight" not in json.loads(dense.stdout)
    assert not (tmp_path / "run" / "network.code.safetensors").exists()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('kind = "ternary"\nblock = 4\nnonzeros = 5', "structure: nonzeros: 5 of a block of 4; at least 1 and at most 4"),
        ('kind = "ternary"\nblock = 0', "structure.block: Input should be greater than or equal to 1"),
        ('kind = "magic"', "structure"),
        ('kind = "masks"\nwiring = "n_of_m"\ngroup = 2', "structure.group: 2 does not divide the 5 inputs of a layer"),
        ('kind = "ternary"\nlayers = "inner"', 'structure.layers: "inner" leaves none of two layers; take "all"'),
        ('kind = "masks"\nwiring = "file"\nfile = "none.safetensors"', "structure.file: .*none.safetensors: cannot be read"),
    ],
)
def test_a_structure_that_cannot_be_is_one_line_and_nothing_is_written(section: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "design.toml"
    path.write_text(f'name = "x"\n[structure]\n{section}\n')
    with pytest.raises(InputError, match=said) as caught:
        load_design(path)
    assert "\n" not in str(caught.value)
    result = invoke("train", path, "--out", tmp_path / "run")
    assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1 and not (tmp_path / "run").exists()


def test_a_name_that_there_is_not_is_one_line(short: Path, tmp_path: Path) -> None:
    result = invoke("train", short, "--structure", "magic", "--out", tmp_path / "run")
    assert result.exit_code == 2 and "--structure: 'magic' is none of dense, ternary_8_2, " in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_wiring_of_a_file_must_load_every_neuron_alike(tmp_path: Path) -> None:
    links = np.zeros((5, 5), bool)
    links[:, :2] = True
    path = tmp_path / "design.toml"
    path.write_text('name = "x"\n[structure]\nkind = "masks"\nwiring = "file"\nfile = "links.safetensors"\nlinks = 0.4\n')
    save_wiring(tmp_path / "links.safetensors", [links, links])
    design = load_design(path)
    assert isinstance(design.structure, MasksPlan) and len(design.structure.sha256) == 64
    assert design.shape.crossbars == ((2, 2, 5), (2, 2, 5))
    links[3, 4] = True
    save_wiring(tmp_path / "links.safetensors", [links, links])
    with pytest.raises(InputError, match=r"layers\.0\.links: a neuron has 3 links, structure\.links = 0\.4 of 5 inputs are 2"):
        load_design(path)
