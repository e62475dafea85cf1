"""Our capacitances beside magic's, net by net and pair by pair."""

from __future__ import annotations

import klayout.db as kdb
import numpy as np
import pandas as pd

from layouts.extraction import Capacitances, Conductors, Corner, conductors, extract_conductors
from layouts.extraction.model import KINDS
from layouts.gold.flat import Place
from layouts.gold.magic import capacitances
from layouts.gold.tools import GoldTools
from layouts.technology import WIRES

LEAST_TOTAL_F, LEAST_PAIR_F = 1e-15, 1e-16
"""Below these a capacitance is no matter."""

_PLATES = ("capm", "cap2m")


def side_by_side(tools: GoldTools, cell: kdb.Cell) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nets and pairs that either of the two finds: `net` (or `net` and `other`), `ours_f`, `magic_f`, `relative`.

    Every net that has a wire is named in what magic is given. magic counts the plates of a MIM capacitor as wires, on top of the
    device; so do we here, for the sake of the comparison alone.
    """
    drawn = conductors(cell)
    renamed, labels = _named(drawn)
    ours = extract_conductors(_plates_as_wires(renamed), Corner.NOMINAL)
    magic = capacitances(tools, cell, labels)
    return _nets(ours, magic), _pairs(ours, magic)


def _plates_as_wires(drawn: Conductors) -> Conductors:
    kept = ~np.isin(drawn.kind, [KINDS.index(kind) for kind in _PLATES])
    return Conductors(drawn.names, drawn.rectangles[kept], drawn.kind[kept], drawn.net[kept])


def _named(drawn: Conductors) -> tuple[Conductors, dict[str, Place]]:
    """The nets with names that magic can be given, and a label for each that has none yet, on the middle of one of its wires."""
    names = tuple(name.replace("$", "unnamed_") for name in drawn.names)
    labels: dict[str, Place] = {}
    for rectangle, kind, net in zip(drawn.rectangles, drawn.kind, drawn.net, strict=True):
        if names[net] != drawn.names[net] and KINDS[kind] in WIRES:
            x1, y1, x2, y2 = rectangle / 1000
            labels[names[net]] = KINDS[kind], (x1 + x2) / 2, (y1 + y2) / 2
    return Conductors(names, drawn.rectangles, drawn.kind, drawn.net), labels


def _nets(ours: Capacitances, magic: Capacitances) -> pd.DataFrame:
    there, here = magic.total(), ours.total()
    rows = [(name, here.get(name, 0.0), there.get(name, 0.0)) for name in here.keys() | there.keys() if name != ours.field]
    frame = pd.DataFrame([row for row in rows if max(row[1:]) >= LEAST_TOTAL_F], columns=["net", "ours_f", "magic_f"])
    return _compared(frame)


def _pairs(ours: Capacitances, magic: Capacitances) -> pd.DataFrame:
    there, here = _with_field(magic, ours.field), _with_field(ours, ours.field)
    rows = [(*pair, here.get(pair, 0.0), there.get(pair, 0.0)) for pair in here.keys() | there.keys()]
    frame = pd.DataFrame([row for row in rows if max(row[2:]) >= LEAST_PAIR_F], columns=["net", "other", "ours_f", "magic_f"])
    return _compared(frame)


def _with_field(found: Capacitances, field: str) -> dict[tuple[str, str], float]:
    """Pairs with the field under one name."""
    names = {found.field: field}
    renamed = {tuple(sorted(names.get(name, name) for name in pair)): value for pair, value in found.pairs().items()}
    return {(one, other): value for (one, other), value in renamed.items()}


def _compared(frame: pd.DataFrame) -> pd.DataFrame:
    relative = (frame.ours_f - frame.magic_f) / frame[["ours_f", "magic_f"]].max(axis=1)
    return frame.assign(relative=relative).sort_values("magic_f", ascending=False, ignore_index=True)
