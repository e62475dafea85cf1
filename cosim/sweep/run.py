"""`cosim sweep`: measurements of a design over many conditions, into one table each."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from cosim.sweep.accuracy import Spread, accuracy
from netlists.models.pruning import without_process

if TYPE_CHECKING:
    import pandas as pd

    from cosim.runs.progress import Monitor

FAILURES, SUMMARY, ACCURACY = "sweep/failures.parquet", "sweep/sweep.json", "sweep/accuracy.parquet"
_SHOWN = 20


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
class Tally:
    """What came of points beside their rows: counts, times, and rows of failures.

    `fallbacks` are points in which ngspice found no operating point at first; they were solved again, or failed. `not_flat`
    counts those simulated now whose decks only ngspice itself could read, by what it was.
    """

    failures: Rows = field(default_factory=list)
    points: int = 0
    cached: int = 0
    fallbacks: int = 0
    not_flat: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def count(self, outcome: Outcome) -> None:
        """What a point that has ended adds to the sums."""
        self.points += 1
        self.cached += outcome.cached
        self.fallbacks += outcome.fallbacks > 0
        self.not_flat.update([outcome.not_flat] if outcome.not_flat else [])
        self.cpu_s += 0.0 if outcome.cached else outcome.cpu_s


@dataclass
class Swept(Tally):
    """Points that worked, by measurement."""

    measured: dict[str, list[Measured]] = field(default_factory=dict)


@dataclass
class SweepResult(Tally):
    """What a sweep has left in its folder: a file for each measurement (in the order asked for), failures, an accuracy check."""

    folder: Path = Path()
    measurements: tuple[str, ...] = ()
    accuracy: Rows = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    remarks: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """What was measured, by measurement: one row a point (its condition, the numbers, how it was integrated).

        Raises `InputError` where a file is not as the sweep wrote it.
        """
        import pandas as pd

        for name in self.measurements:
            RunDirectory(self.folder).check_sealed(_file(name))
        return {name: pd.read_parquet(self.folder / _file(name)) for name in self.measurements}

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
    _check(design, measurements, conditions)
    monitor.begin("sweep")
    # Late: its import takes as long as the first simulations.
    from cosim.sweep.rows import Spool

    result, spread = SweepResult(folder=directory.path, measurements=tuple(measurements)), Spread(options.check_accuracy)
    directory.remove([FAILURES, ACCURACY, *map(_file, measurements)])
    with Store(directory / "points.sqlite", monitor.remark) as store, Spool(directory / "sweep", measurements) as spool:
        points = _points(design, measurements, conditions, options, monitor)
        for outcome in _worked(points, store, pool, result, monitor, Rerun(design_file, directory, options.plain)):
            name = _measurement(outcome)
            spool.add(name, outcome.index, table_row(Measured.of(outcome)))
            spread.offer(name, outcome)
        result.accuracy = accuracy(spread.chosen(), store, pool, monitor)
        for name in measurements:
            directory.write_table_slices(_file(name), spool.slices(name))
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
) -> Swept:
    """Simulate what the run directory's store does not know; writes nothing else. Raises as `run_sweep` does."""
    _check(design, measurements, conditions)
    result = Swept(measured={name: [] for name in measurements})
    with Store(directory / "points.sqlite", monitor.remark) as store:
        points = _points(design, measurements, conditions, options, monitor)
        done = list(_worked(points, store, pool, result, monitor, Rerun(design_file, directory, options.plain)))
    for outcome in sorted(done, key=lambda outcome: outcome.index):
        result.measured[_measurement(outcome)].append(Measured.of(outcome))
    return result


class Rerun(NamedTuple):
    """What the command that runs a point again is made of."""

    design_file: Path
    directory: RunDirectory
    plain: bool

    def failure(self, outcome: Outcome) -> dict[str, Any]:
        """A row that says what failed, why, and the command that runs just this point again."""
        measurement = _measurement(outcome)
        rerun = sweep_command(self.design_file, measurement, text(outcome.point.condition), self.directory.path)
        return {"measurement": measurement, **failure_row(outcome, rerun + " --plain" * self.plain)}


def _worked(points: Iterator[Point], store: Store, pool: Pool, tally: Tally, monitor: Monitor, rerun: Rerun) -> Iterator[Outcome]:
    """The outcomes that have a row, as they come; of all of them the tally is kept. A hopeless batch ends here, and is told."""
    started, failed = time.monotonic(), dict[int, dict[str, Any]]()
    try:
        for outcome in stream(points, store, pool):
            monitor.outcome(outcome)
            tally.count(outcome)
            if outcome.error:
                failed[outcome.index] = rerun.failure(outcome)
                monitor.failure(failed[outcome.index])
            else:
                yield outcome
    except HopelessBatchError as error:
        monitor.remark(str(error))
    tally.failures += [row for _, row in sorted(failed.items())]
    tally.wall_s = time.monotonic() - started


def _file(measurement: str) -> str:
    return f"sweep/{measurement}.parquet"


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


def _write(
    result: SweepResult, directory: RunDirectory, options: SweepOptions, conditions: int, design: Design, ngspice: str
) -> None:
    from cosim.sweep.rows import table_of

    result.files += map(_file, result.measurements)
    for file, rows in {FAILURES: result.failures, ACCURACY: result.accuracy}.items():
        if rows:
            directory.write_table_slices(file, [table_of(rows)])
            result.files.append(file)
    directory.seal(*result.files)
    pdk = design.process.pdk()
    models = f"{pdk.model_set} from {pdk.source}"
    provenance = {
        **result.summary(), "conditions": conditions, "command": options.command, "plain": options.plain, "models": models,
        "design": json.loads(design.model_dump_json()), "versions": {**versions(), "ngspice": ngspice},
        "git_revision": git_revision(),
    }  # fmt: skip
    directory.write_json(SUMMARY, provenance)
