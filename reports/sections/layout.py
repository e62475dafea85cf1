"""The silicon as `cosim layout` drew it: pictures, areas, and what rule check and comparison said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.blocks import Block, Cell, Drawing, Table
from reports.formatting import MISSING, number, percent
from reports.run import Run

AREAS = (
    ("synapse", "a synapse in its row, with its bias lines"),
    ("neuron", "a neuron with its driver"),
    ("network", "the network"),
)


def layout(run: Run) -> list[Block]:
    """Every cell with its verdicts and its picture; nothing for a run that has no layout."""
    cells = [cell for cell in _listed(run.layout.get("cells")) if isinstance(cell, Mapping)]
    if not cells:
        return []
    header = ("cell", "width (um)", "height (um)", "devices", "rules broken", "netlist")
    caption = "As drawn by cosim layout, held to the rules of its process and against the netlist that is simulated."
    pictures = [
        Drawing(run.pictures[name], f"{name.replace('_', ' ')} as drawn")
        for name in (str(cell.get("cell")) for cell in cells)
        if name in run.pictures
    ]
    return [Table(header, [_row(cell) for cell in cells], caption, words=("cell", "netlist")), *_areas(run), *pictures]


def _row(cell: Mapping[str, Any]) -> list[str | Cell]:
    broken, matches = len(_listed(cell.get("drc_violations"))), cell.get("lvs_match") is True
    return [
        str(cell.get("cell")).replace("_", " "),
        *(_said(cell.get(key)) for key in ("width_um", "height_um", "devices")),
        Cell(str(broken), "fail" if broken else "pass"),
        Cell("match" if matches else "mismatch", "pass" if matches else "fail"),
    ]


def _areas(run: Run) -> list[Block]:
    areas, share = run.layout.get("areas_um2"), run.layout.get("bias_share_of_crossbars")
    rows = [[what, _said(areas.get(name))] for name, what in AREAS] if isinstance(areas, Mapping) else []
    if isinstance(share, int | float):
        rows.append(["of the crossbars, bias lines", percent(share)])
    return [Table(("area", "um²"), rows, words=("area",), narrow=True)] if rows else []


def _said(value: Any) -> str:
    return number(float(value)) if isinstance(value, int | float) else MISSING


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
