"""What a network is made of, read off the SPICE text that is simulated: which cell stands where, on which nets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from netlists.spice_text import words_and_values

_NEURON = re.compile(r"layer_(\d+)_neuron_(\d+)")
_SYNAPSE = re.compile(r"layer_(\d+)_synapse_(\d+)_(\d+)")
_INPUT = re.compile(r"input_(\d+)_driver")

NOTHING = ""
"""The cell of a crossing that has no synapse."""
SPIKES = ("spike", "spike_bar")
"""The pins of a synapse that the lines of its spike are joined to, true and complement."""

Nets = Mapping[str, str]
"""What the pins of a cell are joined to."""


@dataclass(frozen=True)
class Place:
    """A cell: its sub-circuit and what its pins are joined to."""

    cell: str
    nets: Nets


@dataclass(frozen=True)
class LayerPlan:
    """A layer: a neuron and a line of synapses for each output."""

    neurons: tuple[Place, ...]
    synapses: tuple[tuple[Place, ...], ...]


@dataclass(frozen=True)
class NetworkPlan:
    """A network: the drivers of its inputs, and its layers."""

    inputs: tuple[Place, ...]
    layers: tuple[LayerPlan, ...]

    @property
    def synapse_cells(self) -> tuple[str, ...]:
        """Each once."""
        cells = (place.cell for layer in self.layers for row in layer.synapses for place in row)
        return tuple(cell for cell in dict.fromkeys(cells) if cell != NOTHING)

    def with_cells(self, names: Mapping[str, str]) -> NetworkPlan:
        """The same with other cells in the place of some, by name."""

        def row(places: tuple[Place, ...]) -> tuple[Place, ...]:
            return tuple(replace(place, cell=names.get(place.cell, place.cell)) for place in places)

        return replace(self, layers=tuple(replace(one, synapses=tuple(map(row, one.synapses))) for one in self.layers))


def network_plan(spice: str) -> NetworkPlan:
    """Read a netlist of `netlists.network`. A crossing without a synapse, of weight 0, holds `NOTHING`."""
    pins, places = _read(spice)
    inputs, neurons, synapses = dict[int, Place](), dict[tuple[int, int], Place](), dict[tuple[int, int, int], Place]()
    for name, (cell, nodes) in places.items():
        place = Place(cell, dict(zip(pins[cell], nodes, strict=True)))
        if found := _INPUT.fullmatch(name):
            inputs[int(found[1])] = place
        elif found := _NEURON.fullmatch(name):
            neurons[int(found[1]), int(found[2])] = place
        elif found := _SYNAPSE.fullmatch(name):
            synapses[int(found[1]), int(found[2]), int(found[3])] = place
    senders = tuple(inputs[k] for k in sorted(inputs))
    layers = list[LayerPlan]()
    for layer in sorted({layer for layer, _ in neurons}):
        rows = sorted(row for one, row in neurons if one == layer)
        before = layers[-1].neurons if layers else senders
        crossings = tuple(
            tuple(synapses.get((layer, row, k)) or _nothing(neurons[layer, row], sender) for k, sender in enumerate(before))
            for row in rows
        )
        layers.append(LayerPlan(tuple(neurons[layer, row] for row in rows), crossings))
    return NetworkPlan(senders, tuple(layers))


def _nothing(neuron: Place, sender: Place) -> Place:
    lines = {pin: sender.nets[pin] for pin in SPIKES}
    return Place(NOTHING, {"membrane": neuron.nets["membrane"], "supply": neuron.nets["supply"], **lines})


def _read(spice: str) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, list[str]]]]:
    """The pins of every sub-circuit, and every call of one at the top: cell and nodes."""
    pins, places, inside = dict[str, tuple[str, ...]](), dict[str, tuple[str, list[str]]](), False
    for line in spice.splitlines():
        words = line.split()
        if not words:
            continue
        keyword = words[0].lower()
        if keyword == ".subckt":
            pins[words[1]], inside = tuple(words[2:]), True
        elif keyword == ".ends":
            inside = False
        elif keyword.startswith("x") and not inside:
            (name, *nodes, cell), _ = words_and_values(line)
            places[name[1:]] = cell, nodes
    return pins, places
