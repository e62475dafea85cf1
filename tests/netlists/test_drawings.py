"""The drawings show every device of the sub-circuits that are simulated."""

import re
import xml.etree.ElementTree as ET

import pytest
from PySpice.Spice.Netlist import SubCircuit

from netlists.dimensions import CurrentSourceDimensions, NeuronDimensions, ResistiveDimensions
from netlists.drawings import drawings
from netlists.neuron import neuron_subcircuit, spike_driver_subcircuit
from netlists.synapse import CurrentSourceSynapse, ResistiveSynapse, SynapseSetting


def _words(svg: str) -> str:
    return " ".join(text for element in ET.fromstring(svg).iter() for text in element.itertext())


def _devices(cell: SubCircuit) -> dict[str, str]:
    """Device name -> model, from the cards of a sub-circuit."""
    found = {}
    for line in str(cell).splitlines():
        if line.startswith("X"):
            words = [word for word in line.split() if "=" not in word]
            found[words[0][1:]] = words[-1].removeprefix("sky130_fd_pr__")
    return found


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
        assert device in words, device
        assert model in words, model


@pytest.mark.parametrize("sign", [1, -1])
def test_the_resistive_cell_is_drawn_for_both_signs(sign: int) -> None:
    words = _words(drawings("resistive")["synapse_resistive"])
    cell = ResistiveSynapse(ResistiveDimensions()).subcircuit("s", SynapseSetting(sign, 100.0))  # type: ignore[arg-type]
    for device in _devices(cell):
        assert device in words


def test_the_kind_of_synapse_decides_what_is_drawn() -> None:
    assert "synapse_resistive" not in drawings("current_source")
    with pytest.raises(ValueError, match="no drawing of a synapse of kind 'ideal'"):
        drawings("ideal")


def test_every_picture_has_a_finite_size_and_shows_the_phases() -> None:
    for svg in drawings("current_source").values():
        box = re.search(r'viewBox="([^"]*)"', svg)
        assert box is not None
        _, _, width, height = (float(value) for value in box[1].split())
        assert 100 < width < 5000
        assert 50 < height < 5000
    assert all(phase in _words(drawings("current_source")["network"]) for phase in ("reset", "accumulation", "firing"))
