"""`cosim calibrate`: the trained network of a design on dies that are measured by their spikes and programmed anew.

What it writes lies in `calibration/` of the run directory, die by die. Simulations are kept as any others, so that what was
interrupted goes on.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.design import load_design
from cosim.errors import InputError
from cosim.pipeline.packages import one_line_errors
from cosim.pipeline.request import Request
from cosim.pipeline.run import carry_out
from cosim.pipeline.stages import StageName
from cosim.pipeline.work.simulating import bench_of
from cosim.pipeline.workspace import Workspace
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator.pools import processors

if TYPE_CHECKING:
    import pandas as pd

    from cosim.bench.bench import Bench
    from cosim.bench.monitored import MonitoredBench
    from cosim.calibration.circuit_chip import CircuitChip
    from cosim.calibration.conditions import Elsewhere
    from cosim.calibration.dies import CalibratedDie, Moved
    from cosim.calibration.nominal import Nominal
    from cosim.calibration.replica import Replicas
    from cosim.design import Design
    from cosim.design.condition import Condition
    from netlists.crossbar import Cells
    from training.calibration.calibrate import Settings
    from training.hardware import FloatArray, HardwareModel

SUMMARY = "calibration/summary.json"
ODE = "ode"
"""The mapping that is calibrated where none is named."""
MOST_DIES = 1000


@dataclass(frozen=True)
class CalibrationResult:
    """What came of it: a row a die, figures over the dies, dies that failed."""

    directory: Path
    condition: str
    rows: pd.DataFrame
    figures: dict[str, float]
    failed: Sequence[str] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        return 3 if self.failed else 0


@dataclass(frozen=True)
class Asked:
    """What a command asks for instead of what the design says of its calibration; the circuit stays as it is.

    Attributes:
        patterns: of each round, such as "12+8".
        codes_alone: leave the biases of single dischargers alone, though each has its own.
        loop_steps: of fine-tuning with the chip in the loop.
        unidentified: then by the model of the network without mismatch.
        process_draws: dies differ in their process too.
    """

    patterns: str = ""
    jitter_s: float | None = None
    code_step_v: float | None = None
    codes_alone: bool = False
    loop_steps: int | None = None
    unidentified: bool = False
    process_draws: bool = False

    def of(self, design: Design) -> Design:
        """The design with that. Raises `InputError` for what it refuses."""
        from pydantic import ValidationError

        from cosim.design.design import explain

        if self.patterns and not re.fullmatch(r"\d{1,4}(\+\d{1,4})*", self.patterns):
            raise InputError(f"--patterns: {self.patterns!r} is not the number of each round, such as 10+6")
        content = design.model_dump()
        asked = {"jitter_s": self.jitter_s, "code_step_v": self.code_step_v, "loop_steps": self.loop_steps}
        content["calibration"] |= {name: value for name, value in asked.items() if value is not None}
        if self.patterns:
            content["calibration"]["patterns"] = self.patterns.split("+")
        content["neuron"]["own_discharger_bias"] &= not self.codes_alone
        content["calibration"]["identify"] &= not self.unidentified
        content["calibration"]["process_draws"] |= self.process_draws
        try:
            return type(design).model_validate(content)
        except ValidationError as error:
            raise InputError(explain(error)) from None


def calibrate_design(
    design: Path | str,
    dies: Sequence[int],
    out: Path | str | None = None,
    *,
    at: str = "",
    biases: str = "",
    network: str = ODE,
    asked: Asked | None = None,
    jobs: int | None = None,
    scheduler: str = "",
    monitor: Monitor | None = None,
    command: str = "",
) -> CalibrationResult:
    """Calibrate mismatch dies of a design in ngspice, by their seeds, with `[calibration]` of the design.

    The stages as far as the training are brought up to date first.

    Args:
        at: a condition such as "temperature_c=60", for which the dies are set without being measured there.
        biases: how: `calibrated` (also where empty), by the characterisation of the condition, or `replica`.
        network: the mapping whose network the dies shall be: `ode`, or `conventional` with the gains that `cosim map` found.
        asked: instead of what the design says of its calibration.

    Raises `InputError` with one line.
    """
    measured = (asked or Asked()).of(load_design(design))
    replicas = _by_replicas(at, biases)
    if at:
        condition_at(at, measured)  # what is wrong with it is said before anything runs
    with prepared(Path(design), out, jobs, scheduler, monitor, command, network=network) as (space, bench, nominal):
        from cosim.calibration.circuit_chip import DieFailedError
        from cosim.calibration.dies import calibrated_die

        condition, failed = condition_of(measured), list[str]()
        condition += f", network {network}" if network != ODE else ""
        condition += f", at {at}" + ", by replicas" * replicas if at else ""
        chips = _Chips.of(space, bench, nominal, at, replicas, measured.calibration.process_draws)
        for number in dies:
            space.monitor.activity(f"die {number}: as manufactured, measured, calibrated")
            settings = settings_for(measured, nominal)
            try:
                die = calibrated_die(chips.here(number), number, nominal, settings, condition, chips.moved(number))
            except DieFailedError as error:
                failed.append(str(error))
                space.monitor.remark(str(error))
                continue
            _keep(space.run, die, number, condition, nominal)
        return _result(space.run, condition, dies, failed, space.design.calibration.limit_rmse_s)


def _by_replicas(at: str, biases: str) -> bool:
    """Raises `InputError` for biases that dies are not set by."""
    if biases and not at:
        raise InputError("--biases: goes with --at: at the design's own condition dies are as they were calibrated")
    if biases not in ("", "calibrated", "replica"):
        raise InputError(f"--biases: {biases!r} is none of calibrated, replica, by which dies are set at another condition")
    return biases == "replica"


@dataclass(frozen=True, eq=False)
class _Chips:
    """Dies of a design by their seeds, and where they are moved to."""

    bench: MonitoredBench
    cells: Sequence[Cells]
    process_draws: bool
    elsewhere: Elsewhere | Replicas | None = None
    unmoved: tuple[Bench, Sequence[Cells]] | None = None
    """The bench and cells of that condition, biased as they are here."""

    @classmethod
    def of(
        cls, space: Workspace, bench: MonitoredBench, nominal: Nominal, at: str, replicas: bool, process_draws: bool
    ) -> _Chips:
        """Characterises the condition `at`, where one is named, or asks its replicas."""
        from training.hardware import HardwareModel

        hardware = HardwareModel.load(space.run / "hardware.json")
        cells = bench.cells_of_layers(hardware)
        if not at:
            return cls(bench, cells, process_draws)
        from cosim.calibration.conditions import Elsewhere, cells_at
        from cosim.calibration.replica import Replicas

        condition = condition_at(at, space.design)
        space.monitor.activity(f"cells at {condition}")
        there = Replicas.of(bench, condition, hardware) if replicas else Elsewhere.of(bench, condition, nominal)
        return cls(bench, cells, process_draws, there, cells_at(bench, condition, hardware))

    def here(self, number: int) -> CircuitChip:
        return self._chip(self.bench, self.cells, number)

    def moved(self, number: int) -> Moved | None:
        if self.elsewhere is None or self.unmoved is None:
            return None
        from cosim.calibration.dies import Moved

        own = self._chip(self.elsewhere.bench, self.elsewhere.cells, number)
        return Moved(self.elsewhere, self._chip(*self.unmoved, number), own)

    def _chip(self, bench: Bench, cells: Sequence[Cells], number: int) -> CircuitChip:
        return circuit_chip(replace(bench, statistics=self.process_draws), cells, number)


def circuit_chip(bench: Bench, cells: Sequence[Cells], number: int | None) -> CircuitChip:
    """A mismatch die, or with None the nominal circuit, simulated as `[calibration]` of the design says: on the reference design
    within 0.3 ns of the design's own accuracy, in less than half of the time."""
    from cosim.calibration.circuit_chip import CircuitChip

    settings, working = bench.design.calibration, bench.working
    accuracy = working._replace(reltol=settings.reltol, max_step_s=2 * bench.design.accuracy.max_step_s)
    return CircuitChip(bench, cells, number, accuracy, settings.line_tolerance)


def condition_at(words: str, design: Design) -> Condition:
    """The condition that words name, what they leave out as in the design. Raises `InputError`."""
    from cosim.design.condition import parse

    condition, of_point = parse(words, design)
    if of_point:
        raise InputError(f"--at: {words!r} names no condition, such as corner=ff,temperature_c=85,supply_v=1.98")
    return condition


def condition_of(design: Design) -> str:
    """What tells calibrations of one run directory apart: what may be set, and how the die is measured."""
    own, settings = design.neuron.own_discharger_bias, design.calibration
    identified = f"{'+'.join(map(str, settings.patterns))} patterns" if settings.identify else "not identified"
    parts = ["own biases" if own else "codes alone", identified]
    usual = type(settings)()
    told = {
        "times": 0.0 if settings.pattern_step == usual.pattern_step else settings.pattern_step,
        "lines": 0.0 if settings.line_tolerance == usual.line_tolerance else settings.line_tolerance,
        "jitter": settings.jitter_s, "step": settings.code_step_v, "margin": settings.code_margin_v, "loop": settings.loop_steps,
    }  # fmt: skip
    parts += [f"{what} {value:g}" for what, value in told.items() if value]
    return ", ".join(parts + ["process drawn"] * settings.process_draws)


def dies_of(words: str) -> list[int]:
    """`1..24`, `7`, `1,3,5..8`. Raises `InputError`."""
    found = list[int]()
    for word in words.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,18})(?:\.\.(\d{1,18}))?", word)
        if match is None:
            raise InputError(f"--dies: {word!r} is neither a seed nor FIRST..LAST, such as 1..24")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_DIES:
            raise InputError(f"--dies: {word!r} must rise, by fewer than {MOST_DIES}")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


@contextlib.contextmanager
def prepared(
    design_file: Path,
    out: Path | str | None,
    jobs: int | None,
    scheduler: str,
    monitor: Monitor | None,
    command: str,
    samples: int | None = None,
    network: str = ODE,
) -> Iterator[tuple[Workspace, MonitoredBench, Nominal]]:
    """The trained network of a design, in its run directory, and a bench."""
    request = Request(design_file, None if out is None else Path(out), StageName.TRAIN, jobs, scheduler, command=command)
    with monitor or Monitor() as watching:
        carry_out(request, watching)
        loaded = load_design(design_file)
        design = request.effective(loaded)
        directory = RunDirectory(request.out or Path("runs") / loaded.name)
        space = Workspace(design, directory, watching, jobs or processors(), False, scheduler, command, design_file)
        with one_line_errors(), directory.open(loaded.name, watching.remark):
            watching.begin("calibrate")
            with bench_of(space) as bench:
                yield space, bench, _nominal(space, bench, samples or design.calibration.samples, network)
            watching.end()


def _nominal(space: Workspace, bench: MonitoredBench, samples: int, network: str) -> Nominal:
    """A trained network; so many test samples judge it."""
    from cosim.calibration.discharger import discharger_current
    from cosim.calibration.nominal import Nominal, check_programmable
    from cosim.networks.training import in_double, spike_data
    from training.hardware import HardwareModel

    hardware = HardwareModel.load(space.run / "hardware.json")
    check_programmable(hardware, space.design)
    weights, data = _weights(space, hardware, network), in_double(spike_data(space.design.network))
    return Nominal.of(space.design, hardware, discharger_current(bench, hardware), weights, data, samples)


def _weights(space: Workspace, hardware: HardwareModel, network: str) -> Sequence[FloatArray]:
    """What the cells are set to. Raises `InputError` for a network that the run does not have, or whose gains it does not."""
    from cosim.mapping.codes import with_gains
    from cosim.networks.training import load_networks
    from training.hardware import columns_of_layers

    networks = load_networks(space.run.path)
    if network not in networks:
        raise InputError(f"--network: {network!r} is none of {', '.join(networks)}")
    weights = networks[network].effective_weights()
    if network == ODE:
        return weights
    metrics = space.run.read_json("metrics.json")
    plus, minus = (metrics.get(f"mapping.gain_{sign}") for sign in ("plus", "minus"))
    if plus is None or minus is None:
        again = f"cosim map {space.design_file} --out {space.run.path}"
        raise InputError(f"--network: {network}: its gains are not found yet; run: {again}")
    return with_gains(weights, float(plus), float(minus), columns_of_layers(hardware, space.design.shape.crossbars))


def settings_for(design: Design, nominal: Nominal) -> Settings:
    from cosim.calibration.dies import settings_of

    return settings_of(design.calibration, design.neuron.own_discharger_bias, nominal.phase_s)


def _keep(run: RunDirectory, die: CalibratedDie, number: int, condition: str, nominal: Nominal) -> None:
    """Put a die into the tables, in the place of what they had of it."""
    import pandas as pd

    from cosim.calibration.dies import device_table, loop_table, program_table

    new = {
        "dies": pd.DataFrame([die.row]),
        "programs": program_table(number, condition, die.calibrated.program, nominal.program),
        "devices": device_table(number, condition, die.calibrated, nominal),
        "loop": loop_table(number, condition, die.calibrated, nominal),
    }
    for name, own in new.items():
        if own.empty:
            continue
        file, table = f"calibration/{name}.parquet", own
        if (run / file).is_file():
            known = pd.read_parquet(run / file)
            table = pd.concat([known[(known.condition != condition) | (known.die != number)], own], ignore_index=True)
        run.write_table(file, table.sort_values(["condition", "die"], kind="stable", ignore_index=True))


def _result(
    run: RunDirectory, condition: str, dies: Sequence[int], failed: Sequence[str], limit_s: float | None
) -> CalibrationResult:
    import pandas as pd

    from cosim.calibration.dies import Yield, summary

    file = run / "calibration/dies.parquet"
    rows = pd.read_parquet(file) if file.is_file() else pd.DataFrame(columns=["condition", "die"])
    own = rows[(rows.condition == condition) & rows.die.isin(list(dies))]
    figures = summary(own) if len(own) else {}
    if limit_s is not None and len(own):
        found = Yield.of(list(own.after_rmse_s <= limit_s))
        figures |= {
            "dies.limit_s": limit_s, "dies.yield": found.passed / found.dies, "dies.yield_low": found.low,
            "dies.yield_high": found.high,
        }  # fmt: skip
    if figures:
        run.write_json(SUMMARY, {**run.read_json(SUMMARY), condition: figures})
    return CalibrationResult(run.path, condition, own, figures, tuple(failed))
