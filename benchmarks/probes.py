"""What the benchmarks read off simulations and processes; in a module of its own so that workers can import it."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from cosim.simulator import Waveforms


def current_at_rest(waveforms: Waveforms) -> dict[str, float]:
    """The last value of the only vector."""
    return {"value": float(waveforms[waveforms.names[0]][-1])}


def resident_mb(waveforms: Waveforms) -> dict[str, float]:
    """Memory that the worker holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {"resident_mb": pages * os.sysconf("SC_PAGE_SIZE") / 2**20}


def process_cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def children_cpu_s() -> float:
    """CPU time of the processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fingerprint(waveforms: Waveforms) -> dict[str, float]:
    """The number of points, and the sum and the last value of each vector: two results that differ in a bit differ in these."""
    sums = {f"sum {name}": float(waveforms[name].sum()) for name in waveforms.names}
    return {"points": float(len(waveforms.axis)), **sums, **waveforms.last()}
