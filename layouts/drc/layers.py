"""Layers that rules speak of, derived from those that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import klayout.db as kdb

from layouts.drc.kinds import Shapes
from layouts.gds import region
from layouts.technology import LAYERS

_DERIVED: Mapping[str, Callable[[Mapping[str, kdb.Region]], kdb.Region]] = {
    "gate": lambda s: s["poly"] & s["diff"],
    "n-diff": lambda s: (s["diff"] & s["nsdm"]) - s["nwell"],
    "p-diff": lambda s: (s["diff"] & s["psdm"]) & s["nwell"],
    "diff or tap": lambda s: s["diff"] | s["tap"],
    "n-tap": lambda s: s["tap"] & s["nsdm"] & s["nwell"],
    "p-tap": lambda s: (s["tap"] & s["psdm"]) - s["nwell"],
    "licon on n-tap": lambda s: s["licon1"] & s["n-tap"],
    "licon on p-tap": lambda s: s["licon1"] & s["p-tap"],
    "nfet": lambda s: s["gate"] & s["n-diff"],
    "pfet": lambda s: s["gate"] & s["p-diff"],
    "diff without implant": lambda s: s["diff or tap"] - s["nsdm"] - s["psdm"],
    "diff with both implants": lambda s: s["diff or tap"] & s["nsdm"] & s["psdm"],
    "n-implant over n-well diff": lambda s: s["diff"] & s["nsdm"] & s["nwell"],
    "p-implant outside nwell": lambda s: (s["diff"] & s["psdm"]) - s["nwell"],
    "licon on diff": lambda s: s["licon1"].inside(s["diff"]),
    "licon on tap": lambda s: s["licon1"].inside(s["tap"]),
    "licon on poly": lambda s: s["licon1"] & s["poly"],
    "licon on nothing": lambda s: s["licon1"].not_inside(s["diff"] | s["tap"] | s["poly"]),
    "licon on a gate": lambda s: s["licon1"] & s["gate"],
    "slot": lambda s: s["licon1"] & s["resistor and heads"],
    "square licon": lambda s: s["licon1"] - s["resistor and heads"],
    "licon on plain poly": lambda s: s["square licon"] & s["poly"],
    "wide channel pfet": lambda s: s["pfet"] - s["hvtp"],
    "hvt pfet": lambda s: s["pfet"] & s["hvtp"],
    "lvt nfet": lambda s: s["nfet"] & s["lvtn"],
    "usual nfet": lambda s: s["nfet"] - s["lvtn"],
    "via4 on cap2m": lambda s: s["via4"] & s["cap2m"],
    "via4 beside cap2m": lambda s: s["via4"] - s["cap2m"],
    "cap2m plate": lambda s: s["met4"].interacting(s["cap2m"]),
    "resistor": lambda s: s["poly"] & s["poly_res"],
    "resistor and heads": lambda s: s["poly"].interacting(s["resistor"]),
    "plain poly": lambda s: s["poly"] - s["resistor and heads"],
}  # fmt: skip


class CellShapes(Shapes):
    """The merged shapes of a cell and what lies below it, layer by layer, derived when they are asked for."""

    def __init__(self, cell: kdb.Cell) -> None:
        self.cell = cell
        self._known: dict[str, kdb.Region] = {}

    def __getitem__(self, name: str) -> kdb.Region:
        if name not in self._known:
            self._known[name] = (region(self.cell, name) if name in LAYERS else _DERIVED[name](self)).merged()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        yield from LAYERS
        yield from _DERIVED

    def __len__(self) -> int:
        return len(LAYERS) + len(_DERIVED)
