"""`cosim calibrate --plan`: a chip that is on a bench, round by round through files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import load_design
from cosim.errors import InputError
from cosim.pipeline.calibrate import Asked, condition_of, prepared, settings_for
from cosim.runs.progress import Monitor

if TYPE_CHECKING:
    from cosim.calibration.nominal import Nominal

BENCH_DIE = 0
"""What the tables call a chip on a bench."""


def check_words(dies: str, plan: Path | None, observed: Path | None, at: str = "") -> None:
    """Raises `InputError` unless it is dies or a bench."""
    if plan is None and observed is not None:
        raise InputError("--observed: goes with the --plan that was applied")
    if plan is not None and at:
        raise InputError("--at: goes with --dies; a chip on a bench is measured where it is")
    if (plan is None) == (not dies):
        which = "give one of --dies and --plan" if dies else "give --dies or --plan"
        raise InputError(f"{which}: mismatch dies in ngspice by their seeds, such as 1..24, or a chip on a bench")


@dataclass(frozen=True)
class BenchResult:
    """What to do next: apply a round, or, where `done`, set the chip to its program."""

    round: int
    done: bool
    plan: Path
    program: Path
    misfit: float | None
    expected_rmse_s: float | None

    def as_dict(self) -> dict[str, Any]:
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}

    def lines(self) -> Iterator[str]:
        if self.misfit is not None:
            yield f"{'residuals over the noise that is assumed':<40} {self.misfit:.3g}"
        if self.done:
            yield f"{'expected error of the output spikes':<40} {(self.expected_rmse_s or 0.0) * 1e9:.3g} ns rms"
            yield f"calibrated: set the chip to round {self.round} of {self.program}"
        else:
            yield f"set the chip to round {self.round} of {self.program}, apply round {self.round} of {self.plan},"
            yield "add what you see to the spikes, and give them with --observed"


def calibrate_on_bench(
    design: Path,
    plan: Path,
    observed: Path | None,
    *,
    asked: Asked | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    scheduler: str = "",
    monitor: Monitor | None = None,
    command: str = "",
) -> BenchResult:
    """Go as far as the observed spikes allow; write the next round to `plan`, and what to set beside it, `plan`'s name with
    .program.csv.

    Raises `InputError` for files that are not of this network or not whole; nothing is written then.
    """
    measured = (asked or Asked()).of(load_design(design))
    with prepared(design, out, jobs, scheduler, monitor, command) as (space, _, nominal):
        from cosim.calibration.file_chip import AwaitingSpikes, FileChip, network_digest, read_plan, read_spikes
        from training.calibration.calibrate import calibrate

        digest = network_digest(nominal.program, nominal.phase_s)
        outputs = [len(layer.bias_v) for layer in nominal.program]
        known = read_plan(plan, digest) if observed is not None else None
        spikes = None if observed is None or known is None else read_spikes(observed, known, outputs, nominal.phase_s)
        chip = FileChip(known, spikes, nominal.phase_s, outputs, str(plan))
        settings = settings_for(measured, nominal)
        try:
            found = calibrate([chip], nominal.circuits, nominal.program, nominal.samples, settings)
        except AwaitingSpikes as awaited:
            return _next_round(plan, digest, awaited, nominal, known)
        return _calibrated(plan, digest, found, nominal, space, condition_of(measured))


def _program_file(plan: Path) -> Path:
    return plan.with_suffix(".program.csv")


def _next_round(plan: Path, digest: str, awaited: Any, nominal: Nominal, known: Any) -> BenchResult:
    import pandas as pd

    from cosim.calibration.file_chip import plan_rows, program_rows, write

    rows, programs = plan_rows(awaited.number, awaited.patterns, nominal.phase_s), program_rows(awaited.number, awaited.program)
    if known is not None:
        rows = pd.concat([known[known["round"] < awaited.number], rows], ignore_index=True)
    write(_program_file(plan), digest, programs)
    write(plan, digest, rows)
    return BenchResult(awaited.number, False, plan, _program_file(plan), None, None)


def _calibrated(plan: Path, digest: str, found: Any, nominal: Nominal, space: Any, condition: str) -> BenchResult:
    from cosim.calibration.dies import device_table
    from cosim.calibration.file_chip import program_rows, write

    number = len(found.patterns) + 1
    write(_program_file(plan), digest, program_rows(number, tuple(layer.die(0) for layer in found.program)))
    space.run.write_table("calibration/bench_devices.parquet", device_table(BENCH_DIE, condition, found, nominal))
    expected = float(found.expected[-1][0, -1, -1]) * nominal.phase_s
    return BenchResult(number, True, plan, _program_file(plan), max(e.misfit for e in found.estimates), expected)
