"""Data sets as spike times: `load(name, folder)` for those with a name, `load_table(table)` for a user's own."""

from __future__ import annotations

from training.data.catalogue import FEATURES, SETS, SetName, load, load_split
from training.data.embedded import digits, iris, wine
from training.data.files import DataFileError
from training.data.spikes import SpikeData
from training.data.table import Table, columns_of, load_table

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
