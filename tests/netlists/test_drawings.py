"""The drawings show every device of the sub-circuits that are simulated."""

import re
import xml.etree.ElementTree as ET

import pytest
from PySpice.Spice.Netlist import SubCircuit

from netlists.dimensions import NeuronDimensions
from netlists.drawings import drawings
from netlists.neuron import neuron_subcircuit, spike_driver_subcircuit
from netlists.synapse import (
    BinaryWeightedSynapse,
    CascodeSynapse,
    CurrentSourceSynapse,
    ResistiveSynapse,
    SynapseSetting,
    TransmissionGateSynapse,
)
from netlists.synapse_dimensions import (
    BinaryWeightedDimensions,
    CascodeDimensions,
    CurrentSourceDimensions,
    ResistiveDimensions,
    TransmissionGateDimensions,
)
from netlists.synapse_drawings import SYNAPSES


def _words(svg: str) -> str:
    return " ".join(" ".join(ET.fromstring(svg).itertext()).split())


def _devices(cell: SubCircuit) -> dict[str, str]:
    """Device name -> model, from the cards of a sub-circuit."""
    found = {}
    for line in str(cell).splitlines():
        if line.startswith("X"):
            words = [word for word in line.split() if "=" not in word]
            found[words[0][1:]] = words[-1].removeprefix("sky130_fd_pr__")
    return found


def _extent(path: str) -> tuple[float, float]:
    points = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    return max(points[::2]) - min(points[::2]), max(points[1::2]) - min(points[1::2])


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("neuron", neuron_subcircuit(NeuronDimensions())),
        ("spike_driver", spike_driver_subcircuit(NeuronDimensions())),
        ("synapse_current_source", CurrentSourceSynapse(CurrentSourceDimensions(), 1.8).subcircuit()),
    ],
)
def test_every_device_of_a_cell_is_drawn_with_its_model(name: str, cell: SubCircuit) -> None:
    words = _words(drawings("current_source")[name])
    devices = _devices(cell)
    assert len(devices) >= 4
    for device, model in devices.items():
        assert f"{device} {model}" in words


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("cascode", CascodeSynapse(CascodeDimensions(), 1.8).subcircuit()),
        ("transmission_gate", TransmissionGateSynapse(TransmissionGateDimensions()).subcircuit("s", SynapseSetting(1, 99.0))),
        ("binary_weighted", BinaryWeightedSynapse(BinaryWeightedDimensions()).subcircuit()),
    ],
)
def test_every_device_of_a_synapse_is_drawn(kind: str, cell: SubCircuit) -> None:
    words = _words(drawings(kind)[f"synapse_{kind}"])
    # of a binary weight the first bit is drawn, and any other as bit b
    devices = {re.sub(r"_[1-9]$", "_b", device): model.removesuffix("_0p35") for device, model in _devices(cell).items()}
    assert len(devices) >= 3
    for device, model in devices.items():
        assert f"{device} {model}" in words


def test_a_gate_stands_beside_the_line_that_drives_it() -> None:
    words = _words(drawings("current_source")["synapse_current_source"])
    for line in str(CurrentSourceSynapse(CurrentSourceDimensions(), 1.8).subcircuit()).splitlines():
        if line.startswith("X"):
            name, _, gate, *_, model = (word for word in line.split() if "=" not in word)
            assert f"{name[1:]} {model.removeprefix('sky130_fd_pr__')} {gate}" in words


@pytest.mark.parametrize("sign", [1, -1])
def test_the_resistive_cell_is_drawn_for_both_signs(sign: int) -> None:
    words = _words(drawings("resistive")["synapse_resistive"])
    cell = ResistiveSynapse(ResistiveDimensions()).subcircuit("s", SynapseSetting(sign, 100.0))  # type: ignore[arg-type]
    devices = _devices(cell)
    assert len(devices) == 2
    for device, model in devices.items():
        # the resistor's model name ends in its drawn width, which is the design's to choose
        assert f"{device} {model.removesuffix('_0p35')}" in words


def test_the_kind_of_synapse_decides_what_is_drawn() -> None:
    for kind, other in (("current_source", "resistive"), ("resistive", "current_source")):
        svgs = drawings(kind)
        assert set(svgs) == {f"synapse_{kind}", "neuron", "spike_driver", "network"}
        assert f"synapse_{kind}" in _words(svgs["network"])
        assert f"synapse_{other}" not in _words(svgs["network"])
    with pytest.raises(ValueError, match="no drawing of a synapse of kind 'ideal'"):
        drawings("ideal")


@pytest.mark.parametrize("kind", SYNAPSES)
def test_text_is_legible_on_a_page_650_px_wide(kind: str) -> None:
    for name, svg in drawings(kind).items():
        _, _, width, height = (float(value) for value in ET.fromstring(svg).attrib["viewBox"].split())
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
        assert len(sizes) >= 8, name
        assert min(sizes) * min(1.0, 650 / width) > 10.5, name
        assert 0.2 < height / width < 1.0, name


def test_a_network_has_fifty_synapses_and_ten_neurons_and_its_layers_run_one_phase_apart() -> None:
    svg = drawings("current_source")["network"]
    words = _words(svg)
    assert words.count("neuron ") == 10
    assert "hidden reset accumulation firing reset output reset reset accumulation firing" in words
    boxes = [(width, height) for width, height in map(_extent, re.findall(r' d="([^"]*)"', svg)) if width and height]
    squares = [width for width, height in boxes if width == pytest.approx(height)]
    assert len(squares) == 50 + 1  # the synapses and the one in the legend
    assert len(boxes) - len(squares) >= 10 + 1 + 9  # neurons, drivers, the input window and eight phases
