"""Cells drawn by hand, rectangle by rectangle."""

from __future__ import annotations

import klayout.db as kdb

from layouts.gds import new_layout
from layouts.technology import LABELS, LAYERS


class Drawn:
    """A cell that grows by rectangles in um; `cell` is what the layout room works on."""

    def __init__(self, name: str = "drawn") -> None:
        self.layout = new_layout()
        self.cell = self.layout.create_cell(name)

    def box(self, layer: str, x1: float, y1: float, x2: float, y2: float, label: str = "") -> Drawn:
        self.cell.shapes(self.layout.layer(*LAYERS[layer])).insert(kdb.DBox(x1, y1, x2, y2))
        if label:
            self.label(LABELS[layer], label, (x1 + x2) / 2, (y1 + y2) / 2)
        return self

    def label(self, layer: tuple[int, int], text: str, x: float, y: float) -> None:
        self.cell.shapes(self.layout.layer(*layer)).insert(kdb.DText(text, kdb.DTrans(x, y)))
