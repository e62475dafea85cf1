"""Boxes, contacts and labels in a cell, by the names of their layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import klayout.db as kdb

from layouts.technology import LABELS, LAYERS, PINS


class Cut(NamedTuple):
    """A cut between two wires: its side and spacing, and how far either wire reaches beyond it, along the wire and across."""

    lower: str
    upper: str
    side: int
    space: int
    lower_reach: tuple[int, int]
    upper_reach: tuple[int, int]


CUTS = {
    "mcon": Cut("li1", "met1", 170, 190, (80, 0), (60, 30)),
    "via": Cut("met1", "met2", 150, 170, (85, 55), (85, 55)),
    "via2": Cut("met2", "met3", 200, 200, (85, 40), (65, 65)),
    "via3": Cut("met3", "met4", 200, 200, (90, 60), (65, 65)),
    "via4": Cut("met4", "met5", 800, 800, (190, 190), (310, 310)),
}
"""Enclosures of the rules ct, via, m2 to m5."""


class Canvas:
    """A cell that is drawn into."""

    def __init__(self, layout: kdb.Layout, name: str) -> None:
        self.layout = layout
        self.cell = layout.create_cell(name)

    def box(self, layer: str, left: int, bottom: int, right: int, top: int) -> None:
        """A rectangle."""
        self.cell.shapes(self.layout.layer(*LAYERS[layer])).insert(kdb.Box(left, bottom, right, top))

    def polygon(self, layer: str, polygon: kdb.Polygon) -> None:
        """Any other shape."""
        self.cell.shapes(self.layout.layer(*LAYERS[layer])).insert(polygon)

    def around(self, layer: str, x: int, y: int, width: int, height: int) -> None:
        """A rectangle around a point."""
        self.box(layer, x - width // 2, y - height // 2, x - width // 2 + width, y - height // 2 + height)

    def label(self, layer: str, x: int, y: int, net: str) -> None:
        """A text that names the net of the wire under it."""
        self.cell.shapes(self.layout.layer(*LABELS[layer])).insert(kdb.Text(net, x, y))

    def pin(self, layer: str, left: int, bottom: int, right: int, top: int, net: str) -> None:
        """A place where a net is to be connected, with its name."""
        self.cell.shapes(self.layout.layer(*PINS[layer])).insert(kdb.Box(left, bottom, right, top))
        self.label(layer, (left + right) // 2, (bottom + top) // 2, net)

    def cuts(self, name: str, x: int, y: int, columns: int = 1, rows: int = 1) -> kdb.Box:
        """An array of cuts around a point, without its wires; returns the box around them."""
        side, pitch = CUTS[name].side, CUTS[name].side + CUTS[name].space
        left, bottom = x - ((columns - 1) * pitch + side) // 2, y - ((rows - 1) * pitch + side) // 2
        for column in range(columns):
            for row in range(rows):
                self.box(
                    name, left + column * pitch, bottom + row * pitch, left + column * pitch + side, bottom + row * pitch + side
                )
        return kdb.Box(left, bottom, left + (columns - 1) * pitch + side, bottom + (rows - 1) * pitch + side)

    def via(self, name: str, x: int, y: int, lower: str = "y", upper: str = "x", columns: int = 1, rows: int = 1) -> None:
        """Cuts with a pad on either wire, which runs along `x` or `y`."""
        cut, box = CUTS[name], self.cuts(name, x, y, columns, rows)
        for layer, direction, (along, across) in ((cut.lower, lower, cut.lower_reach), (cut.upper, upper, cut.upper_reach)):
            dx, dy = (along, across) if direction == "x" else (across, along)
            self.box(layer, box.left - dx, box.bottom - dy, box.right + dx, box.top + dy)

    def place(self, cell: kdb.Cell, x: int, y: int) -> kdb.Instance:
        """An instance of a cell."""
        return self.cell.insert(kdb.CellInstArray(cell.cell_index(), kdb.Trans(x, y)))

    def array(self, cell: kdb.Cell, x: int, y: int, pitch: tuple[int, int], count: tuple[int, int]) -> Any:
        """Instances of a cell at a pitch."""
        steps = kdb.Vector(pitch[0], 0), kdb.Vector(0, pitch[1])
        return self.cell.insert(kdb.CellInstArray(cell.cell_index(), kdb.Trans(x, y), *steps, *count))
