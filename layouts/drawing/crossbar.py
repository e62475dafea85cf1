"""A layer: rows of synapses with a neuron at the end of each, spike lines down its columns, bias lines along its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layouts.devices import GROUND
from layouts.drawing.canvas import Canvas
from layouts.drawing.frame import BIAS_PITCH, POWER, Frame, Parts, line, stack, wire
from layouts.drawing.neuron import FIRST_LINE, LINE
from layouts.drawing.plan import NOTHING, SPIKES, LayerPlan, Place
from layouts.drawing.row import GROUND_STRAP, SUPPLY_STRAP, TRACK_WIDTH, Row

GUARD = FIRST_LINE - LINE - 300
"""Of a guard line in a neuron, left of the lines there."""
LINES = ("membrane", "spike", "spike_bar", "supply")
"""Pins of a synapse that lie on the lines of the crossbar; the others are its own biases."""


class Layer:
    """Draws one layer into the cell of the network."""

    def __init__(self, canvas: Canvas, parts: Parts, plan: LayerPlan, frame: Frame) -> None:
        self.canvas, self.parts, self.plan, self.frame = canvas, parts, plan, frame
        rows = (*parts.synapses.values(), parts.neuron.row)
        self.below = -min(row.bottom for row in rows)
        field = max(row.top for row in parts.synapses.values()) + TRACK_WIDTH // 2 + 140
        self.field = field
        tracks = max(len(own_nets(row)) for row in plan.synapses)
        top = max(parts.neuron.top, *(row.top for row in rows), field + tracks * BIAS_PITCH)
        self.pitch = -(-max(top + self.below + 200, parts.neuron.least_pitch) // 10) * 10

    @property
    def bias_height(self) -> int:
        """How much of a row's height the lines of its biases take."""
        return max(len(own_nets(row)) for row in self.plan.synapses) * BIAS_PITCH

    @property
    def height(self) -> int:
        return self.pitch * len(self.plan.neurons)

    @property
    def neuron_x(self) -> int:
        return self.parts.column * len(self.plan.synapses[0])

    def row_y(self, bottom: int, row: int) -> int:
        """Height of the diffusions' upper edges of a row; the first row is the uppermost."""
        return bottom + self.pitch * (len(self.plan.neurons) - 1 - row) + self.below

    def draw(self, bottom: int) -> None:
        """Draw cells, rails, guard lines and biases; spike lines and the lines of the neurons are drawn by the network."""
        for row, (neuron, synapses) in enumerate(zip(self.plan.neurons, self.plan.synapses, strict=True)):
            y = self.row_y(bottom, row)
            self._cells(y, synapses)
            self._rails(y)
            self._biases(y, synapses)
            x = self.neuron_x + self.parts.neuron.row.width // 2 // 5 * 5
            self.canvas.label("met2", x, y + self.parts.neuron.row.wires["membrane"].y, neuron.nets["membrane"])
        guards = self._guards()
        for x in guards:
            line(self.canvas, x, bottom, bottom + self.height, GROUND)
            for row in range(len(self.plan.neurons)):
                strap = self.row_y(bottom, row) + (GROUND_STRAP[0] + GROUND_STRAP[1]) // 2 // 5 * 5
                self.canvas.via("via3", x, strap, lower="y", upper="y", rows=2)

    def _guards(self) -> tuple[int, int]:
        """Where grounded lines stand in for the neighbours that the first and the last column lack."""
        true, bar = self.parts.spike_columns
        return bar - self.parts.column, self.neuron_x + min(true, GUARD)

    def _cells(self, y: int, synapses: Sequence[Place]) -> None:
        for column, place in enumerate(synapses):
            x = column * self.parts.column
            if place.cell == NOTHING:
                self._through(x, y)
                continue
            row = self.parts.synapses[place.cell]
            self.canvas.place(row.cell, x, y)
            self._through(x, y, row.width)
            for net, line_x in zip(SPIKES, self.parts.spike_columns, strict=True):
                if net in row.wires:
                    stack(self.canvas, x + line_x, y + row.wires[net].y)
        self.canvas.place(self.parts.neuron.row.cell, self.neuron_x, y)

    def _through(self, x: int, y: int, width: int = 0) -> None:
        """What runs through a cell of this width, on to the next column, where it is narrower than that."""
        left, right = x + width, x + self.parts.column
        if left == right:
            return
        wires = self.parts.neuron.row.wires  # on the tracks of the synapses
        for net in (GROUND, "membrane", "supply"):
            wire(self.canvas, "met2", left, right, y + wires[net].y, TRACK_WIDTH)
        for low, high in (GROUND_STRAP, SUPPLY_STRAP):
            self.canvas.box("met3", left, y + low, right, y + high)

    def _rails(self, y: int) -> None:
        """Straps of both rails from the cells to the verticals at either side."""
        right = self.neuron_x + self.parts.neuron.row.width
        for (low, high), left_x, right_x in (
            (GROUND_STRAP, self.frame.ground, self.frame.right_ground),
            (SUPPLY_STRAP, self.frame.supply, self.frame.right_supply),
        ):
            self.canvas.box("met3", left_x - POWER // 2, y + low, 0, y + high)
            self.canvas.box("met3", right, y + low, right_x + POWER // 2, y + high)
            for x in (left_x, right_x):
                power_via(self.canvas, x, y + low, y + high)

    def _biases(self, y: int, synapses: Sequence[Place]) -> None:
        """A line of met2 for every bias of a row, and a strap of met3 down to the cell: a long line that met2 alone joined to a
        gate would be an antenna."""
        tracks = {net: y + self.field + k * BIAS_PITCH for k, net in enumerate(own_nets(synapses))}
        ends = dict.fromkeys(tracks, 0)
        for column, place in enumerate(synapses):
            if place.cell == NOTHING:
                continue
            row = self.parts.synapses[place.cell]
            for pin in own_pins(row):
                net, x = place.nets[pin], column * self.parts.column + row.columns[pin][0]
                foot = y + row.wires[pin].y
                for height in (foot, tracks[net]):
                    self.canvas.via("via2", x, height, lower="x")
                self.canvas.box("met3", x - 165, foot - 165, x + 165, tracks[net] + 165)
                ends[net] = max(ends[net], x)
        for net, height in tracks.items():
            self._bias_line(net, height, ends[net] + 185)

    def _bias_line(self, net: str, y: int, right: int) -> None:
        joined = {**self.frame.bus, GROUND: self.frame.ground, "supply": self.frame.supply}.get(net)
        left = self.frame.left if joined is None else joined - 185
        wire(self.canvas, "met2", left, right, y, TRACK_WIDTH)
        if joined is None:
            self.canvas.pin("met2", left, y - TRACK_WIDTH // 2, left + 500, y + TRACK_WIDTH // 2, net)
        else:
            stack(self.canvas, joined, y)


def power_via(canvas: Canvas, x: int, low: int, high: int) -> None:
    """From a strap of met3 to a vertical of met4."""
    rows = 2 if high - low >= 780 else 1
    canvas.via("via3", x, (low + high) // 2 // 5 * 5, lower="x", upper="x", columns=3, rows=rows)


def own_pins(row: Row) -> list[str]:
    """Pins of a synapse that are biases."""
    return [pin for pin in row.pins if pin not in LINES]


def own_nets(synapses: Iterable[Place]) -> list[str]:
    """Nets of the biases along a row, each once, in the order of the columns."""
    return list(dict.fromkeys(net for place in synapses for pin, net in place.nets.items() if pin not in LINES))
