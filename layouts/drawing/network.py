"""The whole network: drivers of the inputs on top, layers below each other, biases to the left, outputs to the right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import klayout.db as kdb

from layouts.devices import GROUND, Devices, with_nets
from layouts.drawing.canvas import Canvas
from layouts.drawing.crossbar import Layer, own_nets, power_via
from layouts.drawing.frame import BIAS_PITCH, CHANNEL_PITCH, POWER, Frame, Parts, line, stack, turn, wire
from layouts.drawing.neuron import LINE, LINE_PITCH, draw_neuron
from layouts.drawing.plan import SPIKES, NetworkPlan
from layouts.drawing.row import (
    GROUND_STRAP,
    GROUND_TRACK,
    SUPPLY_STRAP,
    SUPPLY_TRACK,
    TRACK_WIDTH,
    Row,
    draw_row,
)
from layouts.gds import new_layout

BIAS_COLUMNS = 660
"""Distance of two gate contacts in a synapse: each has a strap of met3 above it."""


@dataclass(frozen=True)
class Drawn:
    """A drawn network, the cells that it is made of, and where its drivers, its layers and the lines beside them lie."""

    cell: kdb.Cell
    parts: Parts
    layers: tuple[Layer, ...]
    bottoms: tuple[int, ...]
    frame: Frame
    drivers: tuple[tuple[int, int], ...]


def draw_synapse(layout: kdb.Layout, name: str, devices: Devices, reach: Mapping[str, Sequence[int]] | None = None) -> Row:
    """Draw a synapse by itself; `reach`: how far its spikes' wires go to meet their lines."""
    return draw_row(layout, name, devices, gate_pitch=BIAS_COLUMNS, reach=reach)


def _spike_columns(synapses: Mapping[str, Devices]) -> tuple[int, int]:
    """Where the lines of a spike run in a column: above the gates of the cell that has them farthest to the right, with room for
    the line of a driver's input between them."""
    rows = [draw_synapse(new_layout(), cell, devices) for cell, devices in synapses.items()]
    true, bar = (max((row.columns[net][0] for row in rows if net in row.columns), default=0) for net in SPIKES)
    return true, max(bar, true + 2 * LINE_PITCH)


def draw_driver(layout: kdb.Layout, name: str, devices: Devices, reach: Mapping[str, tuple[int, ...]] | None = None) -> Row:
    """Draw a spike driver by itself."""
    return draw_row(layout, name, devices, through={GROUND: GROUND_TRACK, "supply": SUPPLY_TRACK}, reach=reach)


def draw_network(layout: kdb.Layout, name: str, plan: NetworkPlan, cells: Mapping[str, Devices]) -> Drawn:
    """Draw a network of the cells by their names: synapses, `neuron` and `spike_driver`."""
    used = plan.synapse_cells
    true, bar = columns = _spike_columns({cell: cells[cell] for cell in used})
    reach = {"spike": (true,), "spike_bar": (bar,)}
    synapses = {cell: draw_synapse(layout, cell, cells[cell], reach) for cell in used}
    biases = max(len(own_nets(row)) for layer in plan.layers for row in layer.synapses)
    own = cells["neuron"]
    tallest = max(one.width for cell in cells.values() for one in cell.transistors)
    rows = [*(plate.length + 2000 for plate in own.capacitors), *(row.top - row.bottom for row in synapses.values())]
    highest = max(biases * BIAS_PITCH + 8000, *rows) + tallest
    neuron = draw_neuron(layout, "neuron", own, highest)
    reach["trigger"] = ((true + bar) // 2 // 5 * 5,)
    # An input's driver is always enabled.
    driver = draw_driver(layout, "input_driver", with_nets(cells["spike_driver"], {"enable": "supply"}), reach)
    drawer = _Drawer(Canvas(layout, name), Parts(synapses, neuron, driver, columns), plan)
    drawer.draw()
    places = tuple(drawer.drivers)
    return Drawn(drawer.canvas.cell, drawer.parts, tuple(drawer.layers), tuple(drawer.bottoms), drawer.frame, places)


class _Drawer:
    """Draws one network."""

    def __init__(self, canvas: Canvas, parts: Parts, plan: NetworkPlan) -> None:
        self.canvas, self.parts, self.plan = canvas, parts, plan
        self.frame = self._frame()
        self.layers = [Layer(canvas, parts, layer, self.frame) for layer in plan.layers]
        self.controls = list(parts.neuron.lines)
        self.bottoms = self._bottoms()
        self.drivers = list[tuple[int, int]]()

    def _frame(self) -> Frame:
        """Verticals left and right; nets that several rows or layers share have one."""
        plan, parts = self.plan, self.parts
        of_rows = Counter(net for layer in plan.layers for row in layer.synapses for net in set(own_nets(row)))
        of_layers = Counter(net for layer in plan.layers for net in {layer.neurons[0].nets[pin] for pin in parts.neuron.lines})
        shared = [net for found in (of_layers, of_rows) for net, count in found.items() if count > 1]
        shared = [net for net in dict.fromkeys(shared) if net not in (GROUND, "supply")]
        _, bar = parts.spike_columns
        ground = bar - parts.column - LINE // 2 - 400 - POWER // 2
        supply = ground - POWER - 400
        bus = {net: supply - POWER // 2 - 400 - LINE // 2 - k * LINE_PITCH for k, net in enumerate(shared)}
        right = max(len(layer.synapses[0]) for layer in plan.layers) * parts.column + max(
            parts.neuron.width, parts.neuron.row.width
        )
        last = min([supply - POWER // 2, *bus.values()]) - 1000
        outputs = max(len(layer.neurons) for layer in plan.layers)
        first = right + 2 * POWER + 1600
        return Frame(
            left=last,
            ground=ground,
            supply=supply,
            bus=bus,
            right_supply=right + 400 + POWER // 2,
            right_ground=right + 800 + POWER + POWER // 2,
            first_output=first,
            right=first + 2 * outputs * LINE_PITCH,
        )

    def _bottoms(self) -> list[int]:
        """Lower edge of each layer, the last one's at 0; above each a channel."""
        found, y = [], 0
        for k in reversed(range(len(self.layers))):
            found.append(y)
            y += self.layers[k].height + self._channel(k)
        return found[::-1]

    def _channel(self, layer: int) -> int:
        """Height of the channel above a layer: a track for each line of its neurons, and for each spike line that arrives."""
        arriving = 0 if layer == 0 else 2 * len(self.plan.layers[layer - 1].neurons)
        return (len(self.controls) + arriving + 2) * CHANNEL_PITCH

    def _track(self, layer: int, track: int) -> int:
        return self.bottoms[layer] + self.layers[layer].height + (track + 1) * CHANNEL_PITCH

    def draw(self) -> None:
        """Everything, from the cells to the pins."""
        for layer, bottom in zip(self.layers, self.bottoms, strict=True):
            layer.draw(bottom)
        for k in range(len(self.layers)):
            self._controls(k)
            self._outputs(k)
        top = self._drivers()
        self._power(top)

    def _controls(self, k: int) -> None:
        """The lines that the neurons of a layer share, up to the channel and to the left."""
        layer, frame, nets = self.layers[k], self.frame, self.plan.layers[k].neurons[0].nets
        for track, (pin, x) in enumerate(self.parts.neuron.lines.items()):
            y, at, net = self._track(k, track), layer.neuron_x + x, nets[pin]
            line(self.canvas, at, self.bottoms[k], y + 190, net)
            turn(self.canvas, at, y)
            end = frame.bus.get(net, frame.left)
            wire(self.canvas, "met3", end, at, y, 330)
            if net in frame.bus:
                turn(self.canvas, end, y)
            else:
                self.canvas.pin("met3", end, y - 165, end + 500, y + 165, net)

    def _outputs(self, k: int) -> None:
        """The spike lines of a layer's neurons, to the right edge or down to the columns of the next layer."""
        layer, wires, last = self.layers[k], self.parts.neuron.row.wires, k == len(self.layers) - 1
        for row, neuron in enumerate(self.plan.layers[k].neurons):
            for half, pin in enumerate(self.parts.neuron.outputs):
                net, y = neuron.nets[pin], layer.row_y(self.bottoms[k], row) + wires[pin].y
                x = self.frame.right if last else self.frame.first_output + (2 * row + half) * LINE_PITCH
                wire(self.canvas, "met2", layer.neuron_x + wires[pin].right - 185, x + (0 if last else 185), y, TRACK_WIDTH)
                if last:
                    self.canvas.pin("met2", x - 500, y - TRACK_WIDTH // 2, x, y + TRACK_WIDTH // 2, net)
                else:
                    stack(self.canvas, x, y)
                    self._down(k + 1, 2 * row + half, x, y, net)

    def _down(self, k: int, place: int, x: int, top: int, net: str) -> None:
        """A spike line from its neuron's height to its column of layer k."""
        y = self._track(k, len(self.controls) + place)
        line(self.canvas, x, y - 190, top + 190, net)
        turn(self.canvas, x, y)
        column = (place // 2) * self.parts.column + self.parts.spike_columns[place % 2]
        wire(self.canvas, "met3", column, x, y, 330)
        turn(self.canvas, column, y)
        line(self.canvas, column, self.bottoms[k], y + 190, net)

    def _drivers(self) -> int:
        """The drivers of the inputs in as many rows as they are wider than columns; returns their upper edge."""
        driver, column = self.parts.driver, self.parts.column
        rows = -(-driver.width // column)
        pitch = driver.top - driver.bottom + 800
        base = self.bottoms[0] + self.layers[0].height + self._channel(0) - driver.bottom + 400
        top = base + rows * pitch
        for k, place in enumerate(self.plan.inputs):
            x, y = k * column, base + (k % rows) * pitch
            self.canvas.place(driver.cell, x, y)
            self.drivers.append((x, y))
            for pin, at in zip(("spike", "spike_bar"), self.parts.spike_columns, strict=True):
                stack(self.canvas, x + at, y + driver.wires[pin].y)
                line(self.canvas, x + at, self.bottoms[0], y + driver.wires[pin].y + 190, place.nets[pin])
            at = x + sum(self.parts.spike_columns) // 2 // 5 * 5
            stack(self.canvas, at, y + driver.wires["trigger"].y)
            line(self.canvas, at, y + driver.wires["trigger"].y - 190, top, place.nets["trigger"])
            self.canvas.pin("met4", at - LINE // 2, top - 500, at + LINE // 2, top, place.nets["trigger"])
        for row in range(rows):
            self._driver_rails(base + row * pitch, [k * column for k in range(len(self.plan.inputs)) if k % rows == row])
        return top

    def _driver_rails(self, y: int, places: list[int]) -> None:
        """Straps between the drivers of a row and to the verticals."""
        starts = [*places, *places[-1:]]
        for (low, high), x in ((GROUND_STRAP, self.frame.ground), (SUPPLY_STRAP, self.frame.supply)):
            left = x - POWER // 2
            for start in starts:
                self.canvas.box("met3", left, y + low, start, y + high) if start > left else None
                left = start + self.parts.driver.width
            power_via(self.canvas, x, y + low, y + high)

    def _power(self, top: int) -> None:
        """Verticals of supply, ground, the drivers' supply and of what layers share."""
        frame, canvas = self.frame, self.canvas
        layers_top = self.bottoms[0] + self.layers[0].height + self._channel(0)
        spike_supply = self.plan.inputs[0].nets["supply"] if self.plan.inputs else "spike_supply"
        for x, low, high, net in (
            (frame.ground, 0, top, GROUND),
            (frame.supply, 0, layers_top - 1000, "supply"),
            (frame.supply, layers_top - 400, top, spike_supply),
            (frame.right_ground, 0, layers_top, GROUND),
            (frame.right_supply, 0, layers_top, "supply"),
        ):
            canvas.box("met4", x - POWER // 2, low, x + POWER // 2, high)
            canvas.pin("met4", x - POWER // 2, low, x + POWER // 2, low + 1000, net)
        for net, x in frame.bus.items():
            line(canvas, x, 0, layers_top, net)
            canvas.pin("met4", x - LINE // 2, 0, x + LINE // 2, 500, net)
