"""A cell as other programs are given it: flat, with the labels of the cell itself and of no cell in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import klayout.db as kdb

from layouts.gds import flattened
from layouts.technology import LABELS

Place: TypeAlias = tuple[str, float, float]
"""Layer, x and y in um."""


def flat_gds(cell: kdb.Cell, folder: Path, labels: Mapping[str, Place]) -> None:
    """Write `flat.gds` with the cell, without cells in it and under its plain name.

    Extracted hierarchically, magic puts capacitances to the substrate in the wrong place.

    Args:
        labels: more names for nets, to where a label is put: layer, x and y in um.
    """
    flat, copy = flattened(cell, plain_name(cell))
    for name, (layer, x, y) in labels.items():
        copy.shapes(flat.layer(*LABELS[layer])).insert(kdb.DText(name, kdb.DTrans(x, y)))
    flat.write(str(folder / "flat.gds"))


def plain_name(cell: kdb.Cell) -> str:
    """The name of a cell without what Tcl would read."""
    return re.sub(r"\W", "_", cell.name)
