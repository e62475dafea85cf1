"""Lines that feed the rows of a network, and those of its spikes, as the resistance between their source and each row.

A line has a place in each row where its devices hang on it; within a row it is taken to be one node. Contacts belong to the
devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layouts.devices import GROUND
from layouts.drawing.network import Drawn
from layouts.drawing.plan import SPIKES
from layouts.drawing.row import GROUND_STRAP, SUPPLY_STRAP
from layouts.extraction.conductors import FlatCell
from layouts.extraction.resistance import Place, port_conductances
from layouts.gds import DBU_UM

LEAST_S = 1e-6
"""A conductance below this, a megaohm between places that some ohms join, is left out."""


@dataclass(frozen=True)
class Row:
    """Where a row of a layer lies: `bottom` to `top` in um."""

    name: str
    bottom: float
    top: float


@dataclass(frozen=True)
class Rail:
    """A line with the resistances between its places: node by node in ohm. The first node is its source, the net itself."""

    net: str
    rows: tuple[Row, ...]
    resistances: tuple[tuple[str, str, float], ...]

    def node_at(self, y_um: float) -> str:
        """Where a device at this height hangs on it; the source itself beyond all rows."""
        return next((node_of(self.net, row) for row in self.rows if row.bottom <= y_um < row.top), self.net)

    def cards(self) -> Iterator[str]:
        """In SPICE."""
        for number, (one, other, ohm) in enumerate(self.resistances, 1):
            yield f"Rrail_{_word(self.net)}_{number} {one} {other} {ohm:.6g}"

    def delay_s(self, farads: float) -> float:
        """Elmore delay at its last row, of a capacitance that is spread evenly over its rows."""
        share = farads / len(self.rows)
        return max(self.drop_v(dict.fromkeys(self._nodes, share)).values())

    def drop_ohm(self) -> dict[str, float]:
        """From the source to each row, all others open."""
        return dict(zip(self._nodes, np.diag(self._resistance).tolist(), strict=True))

    def drop_v(self, currents_a: Mapping[str, float]) -> dict[str, float]:
        """By row, of the currents that rows draw (A)."""
        drawn = np.array([currents_a.get(node, 0.0) for node in self._nodes])
        return dict(zip(self._nodes, (self._resistance @ drawn).tolist(), strict=True))

    def resistance(self, rows: str = "") -> NDArray[np.float64]:
        """Voltage of each row by the current of each (ohm), [rows, rows], of the rows whose names begin so."""
        kept = [k for k, row in enumerate(self.rows) if row.name.startswith(rows)]
        return np.asarray(self._resistance[np.ix_(kept, kept)])

    @property
    def _nodes(self) -> list[str]:
        return [node_of(self.net, row) for row in self.rows]

    @property
    def _resistance(self) -> NDArray[np.float64]:
        """Voltage of each row by the current of each (ohm), [rows, rows]."""
        place = {node: k for k, node in enumerate([self.net, *self._nodes])}
        conductance = np.zeros((len(place), len(place)))
        for one, other, ohm in self.resistances:
            a, b = place[one], place[other]
            conductance[[a, b], [a, b]] += 1 / ohm
            conductance[[a, b], [b, a]] -= 1 / ohm
        return np.asarray(np.linalg.inv(conductance[1:, 1:]))


def node_of(net: str, row: Row) -> str:
    """What a rail is called in a row."""
    return f"{_word(net)}_in_{row.name}"


def _word(net: str) -> str:
    return "ground" if net == GROUND else net


def rails(drawn: Drawn, flat: FlatCell) -> tuple[Rail, ...]:
    """Supply, ground and rest of a drawn network. Each is fed at the lower end of its verticals, where its pins are."""
    rows = list(_rows(drawn))
    return tuple(_rail(flat, net, rows, pins, places) for net, pins, places in _lines(drawn, rows))


def spike_lines(drawn: Drawn, flat: FlatCell, layer: int, inputs: Sequence[int]) -> Iterator[Rail]:
    """Lines of some inputs of a layer, counted from 1, true and complement by turns. Each is fed where its driver's wire ends."""
    own, bottom, columns = drawn.layers[layer - 1], drawn.bottoms[layer - 1], drawn.parts.spike_columns
    rows = [row for row in _rows(drawn) if row.name.startswith(f"layer_{layer}_")]
    for number in inputs:
        for pin, at in zip(SPIKES, columns, strict=True):
            x = number * drawn.parts.column + at
            places: list[Place] = [("met4", x * DBU_UM, own.row_y(bottom, row) * DBU_UM) for row in range(len(own.plan.neurons))]
            net = own.plan.synapses[0][number].nets[pin]
            yield _rail(flat, net, rows, [_sender(drawn, layer, number, pin, x)], places)


def _sender(drawn: Drawn, layer: int, number: int, pin: str, x: int) -> Place:
    """Where the wire of what drives a line ends: an input's driver, under the line, or a neuron of the layer before."""
    if layer == 1:
        return "met2", x * DBU_UM, (drawn.drivers[number][1] + drawn.parts.driver.wires[pin].y) * DBU_UM
    before, wires = drawn.layers[layer - 2], drawn.parts.neuron.row.wires
    y = before.row_y(drawn.bottoms[layer - 2], number) + wires[pin].y
    return "met2", (before.neuron_x + wires[pin].right - 100) * DBU_UM, y * DBU_UM


def _rows(drawn: Drawn) -> Iterator[Row]:
    for number, (layer, bottom) in enumerate(zip(drawn.layers, drawn.bottoms, strict=True), 1):
        for row in range(len(layer.plan.neurons)):
            low = layer.row_y(bottom, row) - layer.below
            yield Row(f"layer_{number}_{row}", low * DBU_UM, (low + layer.pitch) * DBU_UM)


def _lines(drawn: Drawn, rows: Sequence[Row]) -> Iterator[tuple[str, list[Place], list[Place]]]:
    """Each line with the places of its pins, and its place in each row."""
    frame, of_rows = drawn.frame, [layer for layer in drawn.layers for _ in layer.plan.neurons]
    heights = [(layer, row.bottom + layer.below * DBU_UM) for row, layer in zip(rows, of_rows, strict=True)]
    for net, left, right, strap in (
        ("supply", frame.supply, frame.right_supply, SUPPLY_STRAP),
        (GROUND, frame.ground, frame.right_ground, GROUND_STRAP),
    ):
        middle = sum(strap) / 2 * DBU_UM
        pins = [("met4", x * DBU_UM, 0.5) for x in (left, right)]
        yield net, pins, [("met3", layer.neuron_x / 2 * DBU_UM, y + middle) for layer, y in heights]
    if "rest" in frame.bus:
        at = drawn.parts.neuron.lines["rest"]
        places: list[Place] = [("met4", (layer.neuron_x + at) * DBU_UM, y) for layer, y in heights]
        yield "rest", [("met4", frame.bus["rest"] * DBU_UM, 0.25)], places


def _rail(flat: FlatCell, net: str, rows: Sequence[Row], pins: Sequence[Place], places: Sequence[Place]) -> Rail:
    conductance = port_conductances(flat, net, [*pins, *places])
    source = len(pins)  # all pins are one node, which a source holds
    kept = np.vstack([conductance[:source].sum(0), conductance[source:]])
    kept = np.hstack([kept[:, :source].sum(1, keepdims=True), kept[:, source:]])
    nodes = [net, *(node_of(net, row) for row in rows)]
    found = [
        (nodes[i], nodes[j], -1 / kept[i, j])
        for i in range(len(nodes))
        for j in range(i + 1, len(nodes))
        if -kept[i, j] > LEAST_S
    ]
    return Rail(net, tuple(rows), tuple(found))
