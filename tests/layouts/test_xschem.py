"""Cells as schematics of xschem, read back by the pins that its symbols have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.design import load_design
from layouts.devices import Devices, devices_of
from layouts.xschem import schematic
from netlists.neuron import neuron_cell
from netlists.synapse import SYNAPSES, synapse_cell

DESIGN = load_design(Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml")
SYMBOLS = {
    "nfet_01v8": {"D": (20, -30), "G": (-20, 0), "S": (20, 30), "B": (20, 0)},
    "pfet_01v8": {"D": (20, 30), "G": (-20, 0), "S": (20, -30), "B": (20, 0)},
    "cap_mim_m3_2": {"c0": (0, -30), "c1": (0, 30)},
    "res_xhigh_po_0p35": {"P": (0, -30), "M": (0, 30), "B": (-20, 0)},
}
"""The centres of the pins of xschem_sky130's symbols; nfet_01v8_lvt and pfet_01v8_hvt have those of the others."""
_INSTANCE = re.compile(r"^C \{(\S+)/(\S+)\.sym\} (-?\d+) (-?\d+) 0 [01] \{(.*)\}$")


def netlist_of(text: str) -> Iterator[tuple[str, tuple[str, ...], float, float]]:
    """Model, nets, W and L of each device, by what lies on its pins; as xschem would write it."""
    parts = [found.groups() for line in text.splitlines() if (found := _INSTANCE.match(line))]
    values = [(library, name, int(x), int(y), dict(re.findall(r"(\w+)=(\S+)", more))) for library, name, x, y, more in parts]
    labels = {(x, y): one["lab"] for library, name, x, y, one in values if name == "lab_pin"}
    for library, name, x, y, one in values:
        if library == "sky130_fd_pr":
            pins = SYMBOLS[name.removesuffix("_lvt").removesuffix("_hvt")]
            nets = tuple(labels[x + dx, y + dy] for dx, dy in pins.values())
            yield name, nets, float(one.get("W", 0.35)), float(one["L"])


def cells() -> Iterator[Devices]:
    process = DESIGN.technology
    for kind in ("current_source", "cascode", "binary_weighted"):
        section = process.fill(SYNAPSES[kind].section, "synapse")
        yield devices_of(synapse_cell(section, process, 1.8).subcircuit())
    neuron = neuron_cell(DESIGN.neuron, process)
    yield devices_of(neuron.driver_subcircuit())
    yield devices_of(neuron.subcircuit(), (neuron.driver_subcircuit(),))


@pytest.mark.parametrize("cell", list(cells()), ids=lambda cell: f"{len(cell.transistors)} transistors")
def test_what_is_read_back_are_the_devices_of_the_cell(cell: Devices) -> None:
    found = sorted(netlist_of(schematic(cell)))
    transistors = [
        (one.model.removeprefix("sky130_fd_pr__"), (one.drain, one.gate, one.source, one.bulk), one.width / 1e3, one.length / 1e3)
        for one in cell.transistors
    ]
    capacitors = [("cap_mim_m3_2", (one.top, one.bottom), one.width / 1e3, one.length / 1e3) for one in cell.capacitors]
    assert found == sorted(transistors + capacitors)


def test_pins_and_names_are_each_there_once() -> None:
    text = schematic(next(cells()))
    pins = re.findall(r"iopin\.sym.* lab=(\w+)\}", text)
    assert pins == ["membrane", "spike", "spike_bar", "n_bias", "p_bias", "supply"]
    names = re.findall(r"\{name=(\S+) ", text)
    assert len(names) == len(set(names))
