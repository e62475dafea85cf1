"""Full corners and 1000 dies of synapse and neuron: how long, what a rerun costs, and how good the extracted models are."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cosim
from benchmarks.characterize_recovery import holdout_figures, noisy_recovery_figures, recovery_figures
from benchmarks.figure import Figure
from benchmarks.probes import process_cpu_s
from cosim.bench.monitored import MonitoredBench
from cosim.characterize.extract import characterize
from cosim.datasheet.make import DatasheetResult, asked_of, make_datasheet
from cosim.datasheet.pvt import REBIASED, PvtResult, run_pvt
from cosim.design import Design, load_design
from cosim.design.condition import Condition, of_design
from cosim.design.sections import Datasheet, Limit
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import Store, WorkerPool
from cosim.sweep.run import SweepOptions, measure
from training.hardware import HardwareModel

PACKAGES = ("PySpice", "sky130")
DESIGN = Path(__file__).parents[1] / "designs" / "iris_5_5_5.toml"
JOBS = 2


def figures(quick: bool) -> Iterator[Figure]:
    """Every figure of the characterisation."""
    design = load_design(DESIGN)
    if quick:
        small = {
            "corners": ("tt", "ss"),
            "temperatures_c": (27.0,),
            "supplies_v": (1.8,),
            "dies": 20,
            "split_dies": 10,
            "compared_dies": 0,
        }
        design = design.model_copy(update={"datasheet": asked_of(design).model_copy(update=small)})
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        nominal = Path(folder) / "nominal.toml"
        nominal.write_text(DESIGN.read_text(encoding="utf-8").partition("[datasheet]")[0], encoding="utf-8")
        cosim.run(nominal, run, until="characterize", jobs=JOBS, pdf=False)
        yield from _datasheet(design, run)
        yield from _held_out(design, run, quick)
    yield from recovery_figures()
    yield from noisy_recovery_figures(40 if quick else 400)


def _datasheet(design: Design, run: Path) -> Iterator[Figure]:
    """The whole datasheet from nothing, and again with another limit."""
    asked = asked_of(design)
    before = process_cpu_s()
    seconds, made = _timed(design, run)
    conditions = len(asked.corners) * len(asked.temperatures_c) * len(asked.supplies_v)
    yield Figure(
        "pvt_mc_s", seconds, "s", "less than 600 on 2 cores",
        f"wall, {JOBS} processes: {conditions} conditions in two modes, {asked.dies} dies, {asked.split_dies} of them again with "
        f"mismatch alone, {asked.compared_dies} of the other models twice; {made.effort.points} simulations, "
        f"{made.effort.failed_points} failed, and the HTML page; load average {os.getloadavg()[1]:.1f}",
    )  # fmt: skip
    yield Figure("pvt_mc_cpu_s", process_cpu_s() - before, "s", "", "CPU of all processes of the same")
    limits = {**asked.limits, "rebiased.e_plus_strong": Limit(min=1.0)}
    changed = design.model_copy(update={"datasheet": asked.model_copy(update={"limits": limits})})
    again_s, again = _timed(changed, run)
    yield Figure(
        "rerun_simulations",
        again.simulated,
        "",
        "0",
        f"one limit more: {again.effort.points} points from the store in {again_s:.0f} s",
    )


def _timed(design: Design, run: Path) -> tuple[float, DatasheetResult]:
    started = time.monotonic()
    with WorkerPool(JOBS, design.accuracy.timeout_s) as pool:
        made = make_datasheet(design, DESIGN, RunDirectory(run), pool, Monitor(), pdf=False)
    return time.monotonic() - started, made


def _held_out(design: Design, run: Path, quick: bool) -> Iterator[Figure]:
    """Top rung of the ladder on spike patterns that nothing was fitted to: typical, and every other corner, re-biased."""
    with Store(run / "points.sqlite") as store, WorkerPool(JOBS, design.accuracy.timeout_s) as pool:

        def bench(at: Condition) -> MonitoredBench:
            return MonitoredBench.at(at, design, design.process.pdk(), store, jobs=JOBS, pool=pool, monitor=Monitor())

        nominal = HardwareModel.load(run / "hardware.json")
        circuits = _rebiased(design, RunDirectory(run), nominal, pool).circuits[1 : 2 if quick else None]
        corners = [bench(one.condition) for one in circuits]
        yield from holdout_figures((bench(of_design(design)), nominal), [(one, characterize(one).hardware) for one in corners])


def _rebiased(design: Design, directory: RunDirectory, nominal: HardwareModel, pool: WorkerPool) -> PvtResult:
    """Every corner of the datasheet, re-biased, at the design's temperature and supply."""
    asked = Datasheet.model_validate({"corners": asked_of(design).corners, "modes": (REBIASED,)})
    own = of_design(design).at_bias(nominal.neuron.discharger_bias.value)
    return run_pvt(
        design, asked, own,
        lambda names, conditions: measure(design, DESIGN, names, conditions, directory, pool, Monitor(), SweepOptions()),
    )  # fmt: skip
