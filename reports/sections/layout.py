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
    checked = Table(header, [_row(cell) for cell in cells], caption, words=("cell", "netlist"))
    return [checked, *_gold(run), *_areas(run), *_wires(run), *pictures]


def _row(cell: Mapping[str, Any]) -> list[str | Cell]:
    name, *verdicts = _verdicts(cell)
    return [name, *(_said(cell.get(key)) for key in ("width_um", "height_um", "devices")), *verdicts]


def _verdicts(cell: Mapping[str, Any]) -> list[str | Cell]:
    """Its name, how many rules are broken, whether the netlist matches."""
    broken, matches = len(_listed(cell.get("drc_violations"))), cell.get("lvs_match") is True
    return [
        str(cell.get("cell")).replace("_", " "),
        Cell(str(broken), "fail" if broken else "pass"),
        Cell("match" if matches else "mismatch", "pass" if matches else "fail"),
    ]


def _gold(run: Run) -> list[Block]:
    """The same cells by magic and netgen, where these were asked."""
    gold = run.layout.get("gold")
    if not isinstance(gold, Mapping):
        return []
    cells = [cell for cell in _listed(gold.get("cells")) if isinstance(cell, Mapping)]
    if not cells:
        return []
    header = ("cell", "rules broken", "netlist", "nets above 1 fF", "farthest", "pairs above 0.1 fF", "median")
    rows = [
        [
            *_verdicts(cell),
            _said(cell.get("nets")),
            _share(cell.get("c_net_error")),
            _said(cell.get("pairs")),
            _share(cell.get("c_pair_error_median")),
        ]
        for cell in cells
    ]
    caption = f"The same by {gold.get('tools')}: rules, netlist, and how far capacitances extracted here are from magic's."
    return [Table(header, rows, caption, words=("cell", "netlist"))]


def _wires(run: Run) -> list[Block]:
    """What was extracted, beside what stands for it in the schematic."""
    wires = [wire for wire in _listed(run.layout.get("wires")) if isinstance(wire, Mapping)]
    if not wires:
        return []
    header = ("wires of each", "layer", "schematic (fF)", "extracted (fF)", "least (fF)", "most (fF)")
    farads = ("schematic_f", "mean_f", "least_f", "most_f")
    rows = [
        [str(wire.get("what")), _said(wire.get("layer")), *(_said(wire.get(name), 1e15) for name in farads)] for wire in wires
    ]
    return [
        Table(
            header, rows, "Capacitance of the wires as extracted, beside what the schematic has in their place.", words=header[:1]
        )
    ]


def _areas(run: Run) -> list[Block]:
    areas, share = run.layout.get("areas_um2"), run.layout.get("bias_share_of_crossbars")
    rows = [[what, _said(areas.get(name))] for name, what in AREAS] if isinstance(areas, Mapping) else []
    if isinstance(share, int | float):
        rows.append(["of the crossbars, bias lines", percent(share)])
    return [Table(("area", "um²"), rows, words=("area",), narrow=True)] if rows else []


def _said(value: Any, unit: float = 1.0) -> str:
    return number(float(value) * unit) if isinstance(value, int | float) else MISSING


def _share(value: Any) -> str:
    return percent(value) if isinstance(value, int | float) else MISSING


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
