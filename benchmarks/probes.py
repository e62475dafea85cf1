"""What the benchmarks read off a simulation; they stand in a module of their own so that workers can import them."""

from __future__ import annotations

import os
from pathlib import Path

from cosim.simulator import Waveforms


def current_at_rest(waveforms: Waveforms) -> dict[str, float]:
    """The last value of the only vector."""
    return {"value": float(waveforms[waveforms.names[0]][-1])}


def resident_mb(waveforms: Waveforms) -> dict[str, float]:
    """Memory that the worker holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {"resident_mb": pages * os.sysconf("SC_PAGE_SIZE") / 2**20}
