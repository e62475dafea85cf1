"""Drawings of a design as SVG: its cells as they are built, and its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from netlists.crossbar import Cells
from netlists.sheet import Point, Sheet

MOST_LINES = 6
"""Of inputs or neurons, up to this many are drawn; of more the first ones and the last."""

_FIRST = 3
_PITCH = 0.9  # between the lines of a crossbar
_NEURON = (1.9, 0.3)  # width and half the height of the box of a neuron


def drawings(
    cells: Cells, inputs: int, layers: Mapping[str, int], synapses: Mapping[str, int] = MappingProxyType({})
) -> dict[str, str]:
    """SVG text by name: synapse_<kind>, neuron, spike_driver, network.

    Args:
        inputs: of the network.
        layers: neurons in each layer, by its name.
        synapses: of a neuron, in layers whose neurons are not on every line; which of the crossings they are is not drawn.
    """
    found = {f"synapse_{cells.synapse.dimensions.kind}": cells.synapse.draw, **cells.neuron.drawings()}
    svgs = {}
    for name, draw in found.items():
        sheet = Sheet(cells.synapse.process)
        draw(sheet)
        svgs[name] = sheet.svg()
    return {**svgs, "network": _network(cells, inputs, layers, synapses)}


def _shown(count: int) -> list[int | None]:
    """Which of `count` lines are drawn; None stands for those left out."""
    return list(range(count)) if count <= MOST_LINES else [*range(_FIRST), None, count - 1]


def _network(cells: Cells, inputs: int, layers: Mapping[str, int], synapses: Mapping[str, int]) -> str:
    sheet, left = Sheet(cells.synapse.process), 1.3
    lines = [(left + _PITCH * j, 0.8) for j in range(len(_shown(inputs)))]
    right = lines[-1][0]
    sheet.text(((left + right) / 2, 3.0), f"inputs 0 … {inputs - 1}", "center")
    sheet.box((left - 0.4, 0.8), (max(right, left + 2.9) + 0.4, 1.6), f"{inputs} × spike_driver")
    for (x, _), j in zip(lines, _shown(inputs), strict=True):
        if j is None:
            sheet.text((x, 2.1), "…", "center")
        else:
            sheet.arrow((x, 2.6), (x, 1.6))
    top, elided = 0.0, _shown(inputs)
    for k, (name, size) in enumerate(layers.items()):
        outputs = _layer(sheet, name, lines, elided, size, top, synapses.get(name))
        elided = _shown(size)
        if k < len(layers) - 1:
            lines = _turned_down(sheet, outputs, elided)
            top = outputs[-1][1] - 1.4
    for (x, y), number in zip(outputs, elided, strict=True):
        if number is not None:
            sheet.arrow((x, y), (x + 0.7, y))
            sheet.text((x + 0.9, y), f"spike {number}", "left")
    _legend(sheet, cells, (max(right, left + 2.9) + 3.2, 1.9))
    _phases(sheet, list(layers), outputs[-1][1] - 2.2)
    return sheet.svg()


def _turned_down(sheet: Sheet, outputs: Sequence[Point], elided: Sequence[int | None]) -> list[Point]:
    """The output lines of a layer, turned into spike lines of the next; returns their upper ends in the order of the neurons.

    The first neuron's line turns down last: so no two of them cross.
    """
    first = outputs[0][0] + 0.6
    corners = [(first + _PITCH * (len(outputs) - 1 - k), y) for k, (_, y) in enumerate(outputs)]
    for start, corner, number in zip(outputs, corners, elided, strict=True):
        if number is not None:
            sheet.wire(start, corner)
    return corners


def _layer(
    sheet: Sheet, name: str, spike_lines: Sequence[Point], elided: Sequence[int | None], size: int, top: float,
    synapses: int | None = None,
) -> list[Point]:  # fmt: skip
    """Vertical spike lines, horizontal membranes, a synapse at each crossing, a neuron at the end of each membrane.

    `spike_lines` holds their upper ends and `elided` which they are, `top` is the height of the first membrane; returns the
    neurons' output terminals.
    """
    shown = _shown(size)
    columns = sorted(x for x, _ in spike_lines)
    rows = [top - _PITCH * k for k in range(len(shown))]
    drawn = [x for (x, _), number in zip(spike_lines, elided, strict=True) if number is not None]
    for (x, start), number in zip(spike_lines, elided, strict=True):
        if number is None:
            sheet.text((x, top + 0.45), "…", "center")
        else:
            sheet.wire((x, start), (x, rows[-1] - 0.4))
    told = "" if synapses is None else f", each with synapses on {synapses} of the lines"
    (width, half_height), neuron, half = _NEURON, columns[-1] + 0.9, 0.15
    for y, number in zip(rows, shown, strict=True):
        if number is None:
            sheet.text((neuron + width / 2, y), "⋮", "center")
            continue
        sheet.wire((columns[0] - 0.5, y), (neuron, y))
        for x in drawn if synapses is None else ():
            sheet.box((x - half, y - half), (x + half, y + half))
        sheet.box((neuron, y - half_height), (neuron + width, y + half_height), f"neuron {number}")
    sheet.text(((columns[0] + columns[-1]) / 2, rows[-1] - 0.8), f"{name}: {size} neurons{told}", "center")
    return [(neuron + width, y) for y in rows]


def _legend(sheet: Sheet, cells: Cells, corner: Point) -> None:
    x, y = corner
    sheet.box((x, y - 0.15), (x + 0.3, y + 0.15))
    sheet.text((x + 0.6, y), f"synapse_{cells.synapse.dimensions.kind}", "left")
    sheet.text((x, y - 0.7), "vertical: spike lines (spike, spike_bar)", "left")
    sheet.text((x, y - 1.3), "horizontal: membranes", "left")


def _phases(sheet: Sheet, layers: Sequence[str], top: float) -> None:
    """When each layer is reset, accumulates and fires: a layer one phase after the layer before."""
    count = len(layers) + 2
    edges = [1.2, *(2.4 + 2.4 * k for k in range(count))]
    for k, x in enumerate(edges[1:]):
        sheet.text((x, top + 0.35), "0" if k == 0 else "T" if k == 1 else f"{k}T", "center")
    rows = {"inputs": ["", "spikes"]}
    for k, layer in enumerate(layers):
        rows[layer] = [*["reset"] * (k + 1), "accumulation", "firing", *["reset"] * (count - k - 3)]
    for k, (layer, phases) in enumerate(rows.items()):
        y = top - 0.9 * (k + 1)
        sheet.text((edges[0] - 0.2, y + 0.35), layer, "right")
        for start, end, phase in zip(edges, edges[1:], phases, strict=False):
            if phase:
                sheet.box((start, y), (end, y + 0.7), phase)
