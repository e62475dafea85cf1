"""`cosim sweep`: measurements of a design over many conditions, into one table each."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design import Design
from cosim.design.cells import sizes_by_key
from cosim.design.condition import Condition, PointCondition, Value, grouped, text, written
from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from cosim.runs.failures import failure_row, sweep_command
from cosim.runs.provenance import git_revision, versions
from cosim.simulator import Outcome, Point, Pool, Store, stream
from cosim.simulator.errors import HopelessBatchError
from netlists.models.pruning import without_process

if TYPE_CHECKING:
    import pandas as pd

    from cosim.runs.progress import Monitor

FAILURES, SUMMARY, ACCURACY = "sweep/failures.parquet", "sweep/sweep.json", "sweep/accuracy.parquet"
_SHOWN = 20
TIGHTER = 10.0
"""An accuracy check repeats points at this much less relative tolerance."""


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is run.

    `plain`: every deck is loaded as it is, without the engine's short cuts. `check_accuracy`: so many points of each measurement
    are repeated at a tenth of the tolerance. `only`: names and values that a point's own condition must have (sign, code, ...).
    `process`: whether dies differ in the parameters that all their devices share, or in mismatch alone. `datasheet`: of
    each measurement only the points that a datasheet reads.
    """

    plain: bool = False
    check_accuracy: int = 0
    only: tuple[tuple[str, Value], ...] = ()
    command: str = ""
    process: bool = True
    datasheet: bool = False


Rows = list[dict[str, Any]]


@dataclass
class SweepResult:
    """What was measured, by measurement (in the order asked for), rows of failures and of the accuracy check.

    `fallbacks` are points in which ngspice found no operating point at first; they were solved again, or failed. `not_flat`
    counts those simulated now whose decks only ngspice itself could read, by what it was.
    """

    folder: Path
    measured: dict[str, list[Measured]]
    failures: Rows = field(default_factory=list)
    accuracy: Rows = field(default_factory=list)
    points: int = 0
    cached: int = 0
    fallbacks: int = 0
    not_flat: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    files: list[str] = field(default_factory=list)
    remarks: tuple[str, ...] = ()

    def count(self, outcome: Outcome) -> None:
        """What a point that has ended adds to the sums."""
        self.points += 1
        self.cached += outcome.cached
        self.fallbacks += outcome.fallbacks > 0
        self.not_flat.update([outcome.not_flat] if outcome.not_flat else [])
        self.cpu_s += 0.0 if outcome.cached else outcome.cpu_s

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """What was measured, by measurement: one row a point (its condition, the numbers, how it was integrated)."""
        import pandas as pd

        return {name: pd.DataFrame(map(table_row, measured)) for name, measured in self.measured.items()}

    def summary(self) -> dict[str, Any]:
        """Counts, times and files, by flat names."""
        return {
            "points": self.points, "cached": self.cached, "failed": len(self.failures),
            "operating_point_fallbacks": self.fallbacks, "not_flat": self.not_flat.total(), "wall_s": round(self.wall_s, 3),
            "simulator_cpu_s": round(self.cpu_s, 3), "files": self.files, "remarks": list(self.remarks),
            "accuracy": {f"{row['measurement']}.{row['column']}": row["worst_relative_difference"] for row in self.accuracy},
        }  # fmt: skip

    def lines(self) -> list[str]:
        """What there is to say on a terminal."""
        said = [
            *self.remarks,
            f"{self.points} points, {self.cached} of them known, {len(self.failures)} failed, in {self.wall_s:.1f} s",
        ]
        if self.not_flat:
            what, _ = self.not_flat.most_common(1)[0]
            said.append(f"{self.not_flat.total()} points read by ngspice itself, without the engine's short cuts: {what}")
        said += [f"failed ({row['reason']}), {row['message']}; again: {row['rerun']}" for row in self.failures[:_SHOWN]]
        said += [
            f"accuracy: {row['measurement']}.{row['column']} moves by at most {row['worst_relative_difference']:.2g} "
            f"at a tenth of the reltol ({row['points']} points)"
            for row in self.accuracy
        ]
        return [*said, *(f"  {self.folder / file}" for file in self.files)]


def run_sweep(
    design: Design,
    design_file: Path,
    measurements: Sequence[str],
    conditions: Sequence[Condition],
    directory: RunDirectory,
    pool: Pool,
    monitor: Monitor,
    options: SweepOptions,
) -> SweepResult:
    """Simulate what the run directory's store does not know, and write sweep/*.parquet.

    Raises `InputError` for a measurement or condition that does not exist.
    """
    monitor.begin("sweep")
    result = measure(design, design_file, measurements, conditions, directory, pool, monitor, options)
    monitor.end()
    result.remarks = tuple(monitor.remarks)
    _write(result, directory, options, len(conditions), design, pool.version)
    return result


def measure(
    design: Design,
    design_file: Path,
    measurements: Sequence[str],
    conditions: Sequence[Condition],
    directory: RunDirectory,
    pool: Pool,
    monitor: Monitor,
    options: SweepOptions,
) -> SweepResult:
    """Simulate what the run directory's store does not know; writes nothing else. Raises as `run_sweep` does."""
    _check(design, measurements, conditions)
    started, done = time.monotonic(), list[Outcome]()
    result = SweepResult(directory.path, {name: [] for name in measurements})
    with Store(directory / "points.sqlite", monitor.remark) as store:
        try:
            for outcome in stream(_points(design, measurements, conditions, options, monitor), store, pool):
                monitor.outcome(outcome)
                result.count(outcome)
                if outcome.error:
                    result.failures.append(_failure(outcome, design_file, directory, options))
                    monitor.failure(result.failures[-1])
                else:
                    done.append(outcome)
        except HopelessBatchError as error:
            monitor.remark(str(error))
        done.sort(key=lambda outcome: outcome.index)
        result.accuracy = _accuracy(_spread(done, options.check_accuracy), store, pool, monitor)
    for outcome in done:
        result.measured[_measurement(outcome)].append(Measured.of(outcome))
    result.wall_s = time.monotonic() - started
    return result


def _check(design: Design, measurements: Sequence[str], conditions: Sequence[Condition]) -> None:
    """Everything that was asked for exists, known before the first simulation."""
    for name in measurements:
        if name not in MEASUREMENTS:
            raise InputError(f"sweep.measurements: {MEASUREMENTS.refusal(name)}")
    for nominal, _ in grouped(conditions):
        nominal.applied(design)


def _points(
    design: Design, measurements: Sequence[str], conditions: Sequence[Condition], options: SweepOptions, monitor: Monitor
) -> Iterator[Point]:
    """Every point of every measurement; the circuit of a condition is built once for all its seeds."""
    pdk, usual = design.process.pdk(), dict[str, int]()
    for nominal, seeds in grouped(conditions):
        bench = Bench.at(nominal, design, pdk, None, statistics=seeds != [None])
        for name in measurements:
            made = MEASUREMENTS[name]
            asked = (made.datasheet_points if options.datasheet else made.points)(bench)
            with sizes_by_key(bench.design):
                points = [point for point in asked if _wanted(point, options.only)]
            if name not in usual:
                # The time left is told for the whole sweep, from its first condition on.
                usual[name] = len(points)
                monitor.expect(len(points) * len(conditions))
            monitor.expect((len(points) - usual[name]) * len(seeds))
            for point in points:
                for seed in seeds:
                    condition = PointCondition(name, dataclasses.replace(nominal, seed=seed), point.condition)
                    library = point.deck.library if options.process else without_process(point.deck.library, pdk.names)
                    deck = dataclasses.replace(point.deck, seed=seed, plain=options.plain, library=library)
                    yield Point(condition, deck, point.extract)


def _wanted(point: Point, only: Sequence[tuple[str, Value]]) -> bool:
    return all(point.condition.get(name) == value for name, value in only)


def _measurement(outcome: Outcome) -> str:
    return str(outcome.point.condition["measurement"])


def table_row(one: Measured) -> dict[str, Any]:
    """A point as a row of its measurement's table: its condition, what was measured, how it was integrated."""
    deck = one.point.deck
    numerics = {"reltol": deck.options.reltol, "max_step_s": getattr(deck.analysis, "max_step_s", None)}
    condition = {name: written(value) for name, value in one.point.condition.items() if name != "measurement"}
    return {**condition, **one.row, **numerics, "cpu_s": one.cpu_s}


def _failure(outcome: Outcome, design_file: Path, directory: RunDirectory, options: SweepOptions) -> dict[str, Any]:
    """A row that says what failed, why, and the command that runs just this point again."""
    measurement = _measurement(outcome)
    rerun = sweep_command(design_file, measurement, text(outcome.point.condition), directory.path)
    return {"measurement": measurement, **failure_row(outcome, rerun + " --plain" * options.plain)}


def _spread(done: Sequence[Outcome], count: int) -> list[Outcome]:
    """So many outcomes of each measurement, evenly over the sweep."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in done:
        groups.setdefault(_measurement(outcome), []).append(outcome)
    chosen = {name: np.unique(np.linspace(0, len(group) - 1, count).round().astype(int)) for name, group in groups.items()}
    return [groups[name][index] for name, indices in chosen.items() for index in indices]


def _accuracy(before: Sequence[Outcome], store: Store, pool: Pool, monitor: Monitor) -> Rows:
    """These points again at a tenth of the relative tolerance: how much each number moves."""
    monitor.expect(len(before))
    changes: dict[tuple[str, str], list[float]] = {}
    for outcome in stream([_tightened(one.point) for one in before], store, pool):
        monitor.outcome(outcome)
        tight = outcome.row or {}
        for column, value in (before[outcome.index].row or {}).items():
            if isinstance(value, float) and np.isfinite(value) and np.isfinite(tight.get(column, np.nan)):
                change = abs(value - tight[column]) / max(abs(tight[column]), 1e-300)
                changes.setdefault((_measurement(outcome), column), []).append(change)
    return [
        {"measurement": name, "column": column, "points": len(found), "worst_relative_difference": max(found)}
        for (name, column), found in changes.items()
    ]


def _tightened(point: Point) -> Point:
    options = dataclasses.replace(point.deck.options, reltol=point.deck.options.reltol / TIGHTER)
    return dataclasses.replace(point, deck=dataclasses.replace(point.deck, options=options))


def _write(
    result: SweepResult, directory: RunDirectory, options: SweepOptions, conditions: int, design: Design, ngspice: str
) -> None:
    # Late: its import takes as long as the first simulations.
    import pandas as pd

    directory.remove([FAILURES, ACCURACY])
    tables = {f"sweep/{name}.parquet": list(map(table_row, measured)) for name, measured in result.measured.items()}
    for file, rows in {**tables, FAILURES: result.failures, ACCURACY: result.accuracy}.items():
        if rows or file in tables:
            directory.write_table(file, pd.DataFrame(rows))
            result.files.append(file)
    pdk = design.process.pdk()
    models = f"{pdk.model_set} from {pdk.source}"
    provenance = {
        **result.summary(), "conditions": conditions, "command": options.command, "plain": options.plain, "models": models,
        "design": json.loads(design.model_dump_json()), "versions": {**versions(), "ngspice": ngspice},
        "git_revision": git_revision(),
    }  # fmt: skip
    directory.write_json(SUMMARY, provenance)
