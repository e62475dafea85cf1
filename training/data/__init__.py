"""Data sets as spike times: `load(name, folder)` for those with a name, `load_table(table)` for a user's own.

Each name is imported when it is first used: what sets there are, and what a table holds, can be read without torch. Modules of
these rooms import from the module itself, so that what decides a stage of a run can be read off their imports.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.data.catalogue import load, load_split, load_table
    from training.data.embedded import digits, iris, wine
    from training.data.files import DataFileError
    from training.data.names import FEATURES, SETS, SetName
    from training.data.spikes import SpikeData
    from training.data.table import Table, columns_of

_HOME = {
    "FEATURES": "names", "SETS": "names", "SetName": "names", "DataFileError": "files", "SpikeData": "spikes", "Table": "table",
    "columns_of": "table", "digits": "embedded", "iris": "embedded", "wine": "embedded", "load": "catalogue",
    "load_split": "catalogue", "load_table": "catalogue",
}  # fmt: skip

__all__ = [
    "FEATURES",
    "SETS",
    "DataFileError",
    "SetName",
    "SpikeData",
    "Table",
    "columns_of",
    "digits",
    "iris",
    "load",
    "load_split",
    "load_table",
    "wine",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'training.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"training.data.{_HOME[name]}"), name)
