"""Data sets as spike times: `load(name, folder)` for all of them, `iris` and `digits` need no file."""

from __future__ import annotations

from training.data.catalogue import SETS, load
from training.data.embedded import digits, iris
from training.data.files import DataFileError
from training.data.spikes import SpikeData

__all__ = ["SETS", "DataFileError", "SpikeData", "digits", "iris", "load"]
