"""The datasheet of a design's cells: corners, dies, limits; tables, HTML and PDF.

What was simulated once is in the run directory's store, so a changed limit or figure costs no simulation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.bench.bench import Bench
from cosim.bench.monitored import MonitoredBench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.datasheet.circuits import Circuit, circuits_of
from cosim.datasheet.monte_carlo import shared, statistics_of, table, variation
from cosim.datasheet.parameters import all_parameters, measured_names, no_values
from cosim.datasheet.pvt import PvtResult, run_pvt
from cosim.datasheet.tables import (
    MONTE_CARLO,
    Judged,
    Rerun,
    extremes_table,
    judge,
    judged_row,
    long_table,
    outlier_table,
    relative,
    spread_table,
    spreads,
    unreached_table,
)
from cosim.design import Design
from cosim.design.condition import Condition, of_design
from cosim.design.sections import Datasheet
from cosim.errors import CosimError, InputError
from cosim.fits.ladder import HELD_OUT_SEED, TRAINING_SEED, ladder
from cosim.fits.patterns import random_patterns
from cosim.runs.directory import RunDirectory
from cosim.runs.effort import Effort
from cosim.runs.failures import failure_row
from cosim.runs.provenance import git_revision, versions
from cosim.simulator import Pool, Store
from cosim.sweep.run import SweepOptions, Swept, measure
from netlists.errors import DeviceModelError
from training.hardware import HardwareModel

if TYPE_CHECKING:
    import pandas as pd

    from cosim.runs.progress import Monitor

FOLDER = "datasheet"
MODES = ("fixed", "rebiased", MONTE_CARLO)


@dataclass(frozen=True)
class DatasheetResult:
    """What came of a datasheet: its limits as judged, and what its simulations cost."""

    judged: list[Judged]
    effort: Effort

    @property
    def simulated(self) -> int:
        """Points that were not known before."""
        return self.effort.points - self.effort.cached_points


def check_limits(design: Design) -> None:
    """Every limit names a mode and a parameter that exist. Raises `InputError`."""
    for name in asked_of(design).limits:
        mode, _, parameter = name.partition(".")
        if mode not in MODES or parameter not in all_parameters():
            raise InputError(
                f"datasheet.limits: {name!r} is not MODE.PARAMETER with MODE one of {', '.join(MODES)} and PARAMETER one of "
                f"{', '.join(all_parameters())}"
            )


def asked_of(design: Design) -> Datasheet:
    """What the design asks for; its own condition alone where it has no [datasheet]."""
    return design.datasheet or Datasheet()


def make_datasheet(
    design: Design,
    design_file: Path,
    directory: RunDirectory,
    pool: Pool,
    monitor: Monitor,
    *,
    pdf: bool = True,
    command: str = "",
) -> DatasheetResult:
    """Measure what the design's [datasheet] asks for, into datasheet/*.parquet, datasheet.html and datasheet.pdf.

    The run directory must hold hardware.json: the bias of the discharger comes from there. Raises `InputError` for a limit on
    something that does not exist.
    """
    check_limits(design)
    hardware = HardwareModel.load(directory / "hardware.json")
    maker = _Maker(design, design_file, directory, pool, monitor, hardware, command)
    pvt = run_pvt(design, maker.asked, maker.own, maker.measure)
    dies, statistics = maker.monte_carlo(pvt.nominal)
    rungs = maker.ladder()
    judged = judge(maker.asked.limits, [*pvt.circuits, *dies], maker.rerun)
    result = DatasheetResult(judged, maker.effort)
    _write(maker, pvt, {**statistics, **rungs}, result)
    from reports.datasheet import datasheet

    monitor.activity("datasheet.html and datasheet.pdf" if pdf else "datasheet.html")
    for name, content in datasheet(directory.path, pdf=pdf, say=monitor.remark).items():
        directory.write(name, content)
    return result


@dataclass
class _Maker:
    """What every part of a datasheet needs."""

    design: Design
    design_file: Path
    directory: RunDirectory
    pool: Pool
    monitor: Monitor
    hardware: HardwareModel
    command: str

    def __post_init__(self) -> None:
        self.effort = Effort()
        self.failures: list[dict[str, Any]] = []
        self.remarks: list[str] = []
        self.asked = asked_of(self.design)
        self.own = of_design(self.design).at_bias(self.hardware.neuron.discharger_bias.value)
        self.rerun = Rerun(relative(self.design_file), relative(self.directory.path))

    def measure(
        self, names: Sequence[str], conditions: Sequence[Condition], process: bool = True, design: Design | None = None
    ) -> Swept:
        """Rows of these measurements; failures are kept."""
        options = SweepOptions(process=process, datasheet=True)
        found = measure(
            design or self.design, self.design_file, names, conditions, self.directory, self.pool, self.monitor, options
        )
        self.failures += found.failures
        self.effort += Effort(found.points, found.cached, len(found.failures), found.fallbacks, found.wall_s, found.cpu_s)
        return found

    def dies(self, names: Sequence[str], count: int, process: bool = True, design: Design | None = None) -> list[Circuit]:
        """These measurements of so many dies at the design's own condition."""
        conditions = [dataclasses.replace(self.own, seed=seed) for seed in range(count)]
        return circuits_of(MONTE_CARLO, self.measure(names, conditions, process, design), design or self.design)

    def monte_carlo(self, nominal: Circuit) -> tuple[list[Circuit], dict[str, pd.DataFrame]]:
        """Dies of the design and the tables of their statistics; their covariances go into datasheet/hardware.json."""
        asked = self.asked
        hardware, model_set = self.hardware, self.design.process.pdk().model_set
        drawn = self._drawn(self.design, "has no dies") if asked.dies else []
        if not drawn:
            hardware.save(self._file("hardware.json"))
            return [], {}
        import pandas as pd

        circuits = self.dies(drawn, asked.dies)
        seeds, values = table(circuits)
        alone = table(self.dies(drawn, min(asked.split_dies, asked.dies), process=False))
        found = variation(nominal.values, (seeds, values), alone, statistics_of(self.design.process))
        hardware.model_copy(update={"variation": found}).save(self._file("hardware.json"))
        statistics = [spread_table(shared(spreads(values), found), model_set), *self._other_model_sets(asked.compared_dies)]
        return circuits, {
            "dies": pd.DataFrame({"seed": seeds, **values}),
            "statistics": pd.concat(statistics, ignore_index=True),
            "outliers": outlier_table(seeds, values, self.own, self.rerun),
        }

    def _other_model_sets(self, count: int) -> list[pd.DataFrame]:
        """Dies of the process's other sets of models, as far as they have models of the sizes in use."""
        process = self.design.process
        if not count or process.library:
            return []
        others = (name for name in self.design.technology.model_sets if name != process.model_set)
        return [spread for other in others for spread in self._of_model_set(other, count)]

    def _of_model_set(self, other: str, count: int) -> list[pd.DataFrame]:
        process = self.design.process
        design = self.design.model_copy(update={"process": process.model_copy(update={"model_set": other})})
        covered = self._drawn(design, f"is not compared with the {other} models")
        if not covered:
            return []
        dies, alone = (table(self.dies(covered, count, process, design)) for process in (True, False))
        found = spreads(dies[1])
        means = {**no_values(), **{one.parameter: one.mean for one in found}}
        split = variation(means, dies, alone, statistics_of(design.process))
        return [spread_table(shared(found, split), str(other))]

    def _drawn(self, design: Design, otherwise: str) -> list[str]:
        """Measurements of which the models of a design can draw dies; of the others a remark says what they lack."""
        bench, drawn = Bench.at(self.own, design, design.process.pdk(), None, statistics=True), []
        for name in measured_names():
            try:
                drawn += [name] if list(MEASUREMENTS[name].datasheet_points(bench)) else []
            except DeviceModelError as error:
                self.remarks.append(f"{name} {otherwise}: {error}")
        return drawn

    def ladder(self) -> dict[str, pd.DataFrame]:
        """The table of the ladder of neuron models at the design's own condition; none where a pattern cannot be simulated."""
        count = self.asked.spike_patterns
        if not count:
            return {}
        self.monitor.activity("ladder of neuron models")
        with Store(self.directory / "points.sqlite", self.monitor.remark) as store:
            bench = MonitoredBench(
                self.design, self.design.process.pdk(), store, pool=self.pool, monitor=self.monitor, effort=self.effort
            )
            try:
                sets = (random_patterns(self.hardware, count, seed) for seed in (TRAINING_SEED, HELD_OUT_SEED))
                return {"ladder": ladder(bench, self.hardware, *sets)}
            except CosimError as error:
                self.remarks.append(f"there is no ladder of neuron models: {error}")
                return {}
            finally:
                self.failures += [
                    {"measurement": "spike_pattern", **failure_row(one, self.command, self.own.corner)} for one in bench.failures
                ]

    def _file(self, name: str) -> Path:
        path = self.directory / f"{FOLDER}/{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _write(maker: _Maker, pvt: PvtResult, optional: dict[str, pd.DataFrame], result: DatasheetResult) -> None:
    import pandas as pd

    directory = maker.directory
    tables = {
        "pvt": long_table(pvt.circuits), "extremes": extremes_table(pvt, maker.rerun), "unreached": unreached_table(pvt),
        "failures": pd.DataFrame(maker.failures), **optional,
    }  # fmt: skip
    directory.remove([f"{FOLDER}/{name}.parquet" for name in ("dies", "statistics", "outliers", "ladder")])
    for name, content in tables.items():
        directory.write_table(f"{FOLDER}/{name}.parquet", content)
    directory.write_json(f"{FOLDER}/limits.json", [judged_row(one) for one in result.judged])
    directory.write_json(f"{FOLDER}/datasheet.json", _record(maker, pvt, result))


def _record(maker: _Maker, pvt: PvtResult, result: DatasheetResult) -> dict[str, Any]:
    """Environment, counts and remarks; nothing that depends on what was known before."""
    design, process = maker.design, maker.design.process
    bench = Bench(design, process.pdk(), None)
    return {
        "design": design.name, "title": design.title, "command": maker.command,
        "points": result.effort.points, "failed_points": result.effort.failed_points,
        "operating_point_fallbacks": result.effort.operating_point_fallbacks,
        "conditions": len({(one.condition.corner, one.condition.temperature_c, one.condition.supply_v) for one in pvt.circuits}),
        "dies": maker.asked.dies, "models": f"{bench.pdk.model_set} from {bench.pdk.source}",
        "model_library_sha256": bench.model_digest, "own": str(maker.own), "statistics": statistics_of(process),
        "remarks": "; ".join(maker.remarks),
        "ngspice": maker.pool.version, "versions": versions(), "git_revision": git_revision(),
        "phase_s": design.timing.phase_s,
    }  # fmt: skip
