"""A cell as other programs are given it: flat, with the labels of the cell itself and of no cell in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import klayout.db as kdb

from layouts.gds import new_layout
from layouts.technology import LABELS

Place: TypeAlias = tuple[str, float, float]
"""Layer, x and y in um."""


def flat_gds(cell: kdb.Cell, folder: Path, labels: Mapping[str, Place]) -> None:
    """Write `flat.gds` with the cell, without cells in it and under its plain name.

    A label deep inside names a net there, of which there may be many. Extracted hierarchically, magic puts capacitances to the
    substrate in the wrong place.

    Args:
        labels: more names for nets, to where a label is put: layer, x and y in um.
    """
    flat = new_layout()
    copy = flat.create_cell(plain_name(cell))
    source = cell.layout()
    for index in source.layer_indexes():
        target = flat.layer(source.get_info(index))
        copy.shapes(target).insert(kdb.Region(cell.begin_shapes_rec(index)))
        for text in cell.shapes(index).each(kdb.Shapes.STexts):
            copy.shapes(target).insert(text.text)
    for name, (layer, x, y) in labels.items():
        copy.shapes(flat.layer(*LABELS[layer])).insert(kdb.DText(name, kdb.DTrans(x, y)))
    flat.write(str(folder / "flat.gds"))


def plain_name(cell: kdb.Cell) -> str:
    """The name of a cell without what Tcl would read."""
    return re.sub(r"\W", "_", cell.name)
