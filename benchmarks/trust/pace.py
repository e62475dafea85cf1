"""How many points a second a long batch makes at its start and at its end: what slows down with what has been done shows here."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.engine import cell, dies
from benchmarks.figure import Figure
from benchmarks.probes import process_cpu_s
from cosim.simulator import Store, WorkerPool, stream
from sky130_models.corners import ModelSet

POINTS, QUICK = 20_000, 2_000
PROCESSES = 2
CHUNKS, AT_AN_END = 40, 8
"""The batch is timed in so many pieces; start and end are the medians of so many, which a busy machine moves less than one."""


class Pace(NamedTuple):
    """Of a piece of the batch: points a second by the clock on the wall, and CPU time a point of all processes."""

    per_s: float
    cpu_s: float


def figures(quick: bool) -> Iterator[Figure]:
    """20 000 dies of a synapse at rest in two processes, from and to a store with digests; a tenth of them if `quick`."""
    count = QUICK if quick else POINTS
    with tempfile.TemporaryDirectory() as folder:
        paces = pieces(count, Path(folder) / "points.sqlite")
    for name, part in {"start": paces[:AT_AN_END], "end": paces[-AT_AN_END:]}.items():
        cpu_s = median(pace.cpu_s for pace in part)
        yield Figure(
            f"trust.points_per_s_{name}", median(pace.per_s for pace in part), "1/s", "at least 550",
            f"wall, {PROCESSES} processes, {count} dies of a synapse at rest, store and digests; median of {AT_AN_END} pieces of "
            f"{count // CHUNKS}; {PROCESSES / cpu_s:.0f} if both had a processor to themselves",
        )  # fmt: skip
        yield Figure(f"trust.points_cpu_ms_{name}", 1e3 * cpu_s, "ms", "", "CPU time a point of all processes")


def pieces(count: int, store_file: Path) -> list[Pace]:
    """The pace of each of `CHUNKS` pieces; the start of the processes is in none of them."""
    paces, done = list[Pace](), 0
    with Store(store_file) as store, WorkerPool(jobs=PROCESSES) as pool:
        pool.start()
        wall, cpu = time.monotonic(), _cpu_s(pool)
        for outcome in stream(dies(cell(ModelSet.CONTINUOUS, mismatch=True), count), store, pool):
            if outcome.error:
                raise outcome.error
            done += 1
            if done % (count // CHUNKS) == 0:
                now, used = time.monotonic(), _cpu_s(pool)
                size = count // CHUNKS
                paces.append(Pace(size / (now - wall), (used - cpu) / size))
                wall, cpu = now, used
    return paces


def _cpu_s(pool: WorkerPool) -> float:
    """Of this process and of all workers, those that have ended too."""
    return process_cpu_s() + sum(_used_s(pid) for pid in pool.pids)


def _used_s(pid: int) -> float:
    """CPU time of a process that lives."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
