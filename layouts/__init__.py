"""What the silicon is: the cells drawn from the dimensions that their netlists have, checked, compared with those netlists, and
their wires extracted.

`technology` holds the numbers of the process: layers, rules, capacitances, resistances. Lengths are in um, of whole steps of its
grid. Everything here needs the package `klayout` (extra `layout`); nothing here runs a simulator. What docs/layout.md uses is
offered here, and imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layouts.extraction import Corner, extract
    from layouts.extraction.netlist import extracted_netlist
    from layouts.extraction.resistance import resistance_ohm
    from layouts.gds import read_gds

_HOME = {
    "Corner": "layouts.extraction",
    "extract": "layouts.extraction",
    "extracted_netlist": "layouts.extraction.netlist",
    "read_gds": "layouts.gds",
    "resistance_ohm": "layouts.extraction.resistance",
}

__all__ = ["Corner", "extract", "extracted_netlist", "read_gds", "resistance_ohm"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'layouts' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
