"""Rows per hour of a study, one network trained at a time against two: `cosim study` as a user gives it.

The start of the processes and the pictures at the end take some ten seconds, which a study of hours does not feel and this one
does: `speedup_of_two` counts them, `speedup_while_training` does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.figure import Figure
from benchmarks.probes import children_cpu_s

PACKAGES = ("torch", "numba")
TURNS = 3

# Handwritten digits, which come with the package.
_STUDY = """
name = "jobs"
dataset = "digits"
hidden = [100, 100]
methods = ["ode"]
reversal = [1.0, 4.0]
seeds = {seeds}

[recipe]
epochs = {epochs}
learning_rate = 1e-2
schedule = "one_cycle"
temporal_penalty = 0.0
weight_penalty = 0.0
early_spike_penalty = 0.0
"""
_COMMAND = "from cosim.cli.main import main; main()"


@dataclass(frozen=True)
class _Cost:
    """Of one study: seconds on the wall and of the processor, starts included, those of a training, its table without times."""

    wall_s: float
    cpu_s: float
    training_s: float
    rows: list[str]

    @property
    def rows_per_hour(self) -> float:
        return 3600 * len(self.rows) / self.wall_s


def figures(quick: bool) -> Iterator[Figure]:
    """Both in turns, so that a busy machine slows both; with `quick` once, for an epoch."""
    seeds, epochs, turns = (1, 1, 1) if quick else (4, 60, TURNS)
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.toml"
        study.write_text(_STUDY.format(seeds=list(range(seeds)), epochs=epochs), encoding="utf-8")
        load = os.getloadavg()[1]
        costs = [[_trained(study, Path(folder) / f"{turn}.{jobs}", jobs) for jobs in (1, 2)] for turn in range(turns)]
    one, two = (list(of_jobs) for of_jobs in zip(*costs, strict=True))
    detail = (
        f"{len(one[0].rows)} networks 64-100-100-10 on digits, {epochs} epochs each, median of {turns} in turns; load average "
        f"{load:.1f} before and {os.getloadavg()[1]:.1f} at the end, {os.cpu_count()} cores"
    )
    for name, of_jobs in (("one_at_a_time", one), ("two_at_a_time", two)):
        yield Figure(f"rows_per_hour.{name}", median(cost.rows_per_hour for cost in of_jobs), "1/h", "", detail)
        yield Figure(f"cpu_per_row.{name}", median(cost.cpu_s / len(cost.rows) for cost in of_jobs), "s", "", detail)
    gains = [both.rows_per_hour / alone.rows_per_hour for alone, both in zip(one, two, strict=True)]
    yield Figure("speedup_of_two", median(gains), "x", "", f"{min(gains):.2f} .. {max(gains):.2f}")
    gains = [2 * alone.training_s / both.training_s for alone, both in zip(one, two, strict=True)]
    yield Figure("speedup_while_training", median(gains), "x", "at least 1.8", f"{min(gains):.2f} .. {max(gains):.2f}")
    same = sum(cost.rows == one[0].rows for cost in (*one, *two))
    yield Figure("same_tables", same / (2 * turns), "", "1", "accuracies and all else but times, of every run")


def _trained(study: Path, folder: Path, jobs: int) -> _Cost:
    """A study from nothing, in a process of its own."""
    before, started = children_cpu_s(), time.monotonic()
    words = ["study", str(study), "--out", str(folder), "--jobs", str(jobs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", _COMMAND, *words], check=True, stdout=subprocess.DEVNULL, env=environment)
    wall_s = time.monotonic() - started
    table = pd.read_csv(folder / "study.csv")
    rows = table.drop(columns=["train_seconds", "row_digest"]).to_csv(index=False, header=False)
    return _Cost(wall_s, children_cpu_s() - before, float(table.train_seconds.mean()), sorted(rows.splitlines()))
