"""Where the lines run that all layers of a network share, and what every part of it is drawn with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layouts.drawing.canvas import Canvas
from layouts.drawing.neuron import LINE, Neuron, stack
from layouts.drawing.row import Row

POWER = 1600
"""Width of a vertical of supply or ground."""
CHANNEL_PITCH = 720
"""Of met3 lines that end in via3."""
BIAS_PITCH = 360
"""Of met2 lines with a via2 here and there."""


@dataclass(frozen=True)
class Parts:
    """The cells of a network, and where the spike lines run in a column, true and complement."""

    synapses: Mapping[str, Row]
    neuron: Neuron
    driver: Row
    spike_columns: tuple[int, int]

    @property
    def column(self) -> int:
        """Distance of two columns of synapses."""
        return max(row.width for row in self.synapses.values())


@dataclass(frozen=True)
class Frame:
    """What lies left and right of the crossbars: x of the middle of each vertical."""

    left: int
    ground: int
    supply: int
    bus: Mapping[str, int]
    right_supply: int
    right_ground: int
    first_output: int
    right: int


def line(canvas: Canvas, x: int, bottom: int, top: int, net: str) -> None:
    """A vertical of met4 with its name."""
    canvas.box("met4", x - LINE // 2, bottom, x + LINE // 2, top)
    canvas.label("met4", x, (bottom + top) // 2 // 5 * 5, net)


def wire(canvas: Canvas, layer: str, left: int, right: int, y: int, width: int) -> None:
    """A horizontal."""
    canvas.box(layer, min(left, right), y - width // 2, max(left, right), y + width // 2)


def turn(canvas: Canvas, x: int, y: int) -> None:
    """From a horizontal of met3 to a vertical of met4."""
    canvas.box("met3", x - 190, y - 190, x + 190, y + 190)
    canvas.cuts("via3", x, y)
    canvas.around("met4", x, y, LINE, 380)


__all__ = ["BIAS_PITCH", "CHANNEL_PITCH", "POWER", "Frame", "Parts", "line", "stack", "turn", "wire"]
