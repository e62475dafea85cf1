"""Data sets as spike times: `load(name, folder)` for those with a name, `load_table(table)` for a user's own."""

from __future__ import annotations

from training.data.catalogue import SETS, load
from training.data.embedded import digits, iris, wine
from training.data.files import DataFileError
from training.data.spikes import SpikeData
from training.data.table import Table, load_table

__all__ = ["SETS", "DataFileError", "SpikeData", "Table", "digits", "iris", "load", "load_table", "wine"]
