"""`cosim validate --at`: finished weights at other corners, temperatures and supplies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import load_design
from cosim.errors import InputError
from cosim.pipeline.calibrate import condition_at, prepared, settings_for
from cosim.runs.progress import Monitor

if TYPE_CHECKING:
    import pandas as pd

    from cosim.bench.monitored import MonitoredBench
    from cosim.calibration.conditions import Biases
    from cosim.calibration.nominal import Nominal
    from cosim.design import Design
    from cosim.design.condition import Condition

TABLE = "conditions/errors.parquet"

BOARD = (
    "environment.bias_step_v=1e-3",
    "environment.bias_step_v=5e-3",
    "environment.rest_shift_v=5e-3",
    "environment.ripple_v=10e-3",
    "environment.source_resistance_ohm=1e6,environment.source_capacitance_f=100e-15",
    "environment.line_load_f=50e-15",
)
SUPPLY_OFF, TEMPERATURE_OFF_C = 0.01, 3.0
"""What a board is off by, one by one."""


@dataclass(frozen=True)
class ConditionsResult:
    """One row a condition and choice of biases."""

    directory: Path
    rows: pd.DataFrame

    def lines(self) -> Iterator[str]:
        yield f"{'condition':<44} {'biases':<11} {'output rms':>10} {'labels':>7} {'accuracy':>8}"
        for row in self.rows.itertuples():
            shares = f"{100 * row.labels:>5.0f} % {100 * row.accuracy:>6.0f} %"
            yield f"{row.condition:<44} {row.biases:<11} {row.rmse_s * 1e9:>7.3g} ns {shares}"


def validate_at(
    design: Path,
    conditions: Sequence[str],
    biases: str,
    out: Path | None = None,
    *,
    samples: int | None = None,
    jobs: int | None = None,
    scheduler: str = "",
    monitor: Monitor | None = None,
    command: str = "",
) -> ConditionsResult:
    """Simulate the trained network of a design at other conditions, without mismatch.

    Args:
        conditions: such as "corner=ff,temperature_c=85,supply_v=1.98"; what is left out is as in the design. `sensitivity` where
            there are none.
        biases: names of `cosim.calibration.conditions.Biases`, separated by commas; without any all of them, of `sensitivity`
            the fixed ones.

    Raises `InputError` with one line.
    """
    wanted = biases_of(biases or ("fixed,replica,rebiased,calibrated" if conditions else "fixed"))
    conditions = conditions or sensitivity(load_design(design))
    with prepared(design, out, jobs, scheduler, monitor, command, samples) as (space, bench, nominal):
        parsed = [condition_at(words, space.design) for words in conditions]
        rows = [row for condition in parsed for row in _at(space, bench, nominal, condition, wanted)]
        return ConditionsResult(space.run.path, _kept(space.run, rows))


def sensitivity(design: Design) -> list[str]:
    """The design as it is, on a board that is off by a little, and with its supply and temperature off."""
    process = design.process
    supply, temperature = process.supply_v * (1 + SUPPLY_OFF), process.temperature_c + TEMPERATURE_OFF_C
    return ["", *BOARD, f"supply_v={supply:.6g}", f"temperature_c={temperature:g}"]


def biases_of(words: str) -> list[Biases]:
    """Names separated by commas. Raises `InputError`."""
    from cosim.calibration.conditions import Biases

    names = [word.strip() for word in words.split(",") if word.strip()]
    if not names or (wrong := [name for name in names if name not in set(Biases)]):
        raise InputError(f"--biases: {(wrong[0] if names else words)!r} is none of {', '.join(Biases)}")
    return [Biases(name) for name in names]


def _at(
    space: Any, bench: MonitoredBench, nominal: Nominal, condition: Condition, biases: Sequence[Biases]
) -> Iterator[dict[str, Any]]:
    """The rows of one condition; it is characterised where the biases ask for it."""
    from cosim.calibration.circuit_chip import CircuitChip
    from cosim.calibration.conditions import Biases, Elsewhere, cells_at, nothing_known
    from cosim.calibration.dies import Judged
    from cosim.calibration.replica import Replicas
    from training.hardware import HardwareModel

    hardware = HardwareModel.load(space.run / "hardware.json")
    elsewhere: Elsewhere | None = None
    for choice in biases:
        space.monitor.activity(f"{condition}: {choice}")
        if choice is Biases.FIXED:
            there, cells = cells_at(bench, condition, hardware)
            program = nominal.program
        elif choice is Biases.REPLICA:
            replicas = Replicas.of(bench, condition, hardware)
            there, cells, program = replicas.bench, replicas.cells, replicas.program(nominal.program)
        else:
            elsewhere = elsewhere or Elsewhere.of(bench, condition, nominal)
            there, cells, program = elsewhere.bench, elsewhere.cells, elsewhere.nominal.program
            if choice is Biases.CALIBRATED:
                freedom = replace(settings_for(space.design, nominal).freedom, own_biases=True)
                program = elsewhere.program(nothing_known(elsewhere.nominal), nominal, freedom)
        chip = CircuitChip(there, cells, None, there.working)
        judged = Judged.of(chip.observe(program, nominal.tests), nominal)
        yield {"condition": str(condition), "biases": str(choice), "samples": len(nominal.tests), **vars(judged)}


def _kept(run: Any, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows, which the run directory keeps beside those of other conditions."""
    import pandas as pd

    new = pd.DataFrame(rows)
    known = pd.read_parquet(run / TABLE) if (run / TABLE).is_file() else new.iloc[:0]
    keys = set(zip(new.condition, new.biases, strict=True))
    others = known[[key not in keys for key in zip(known.condition, known.biases, strict=True)]]
    run.write_table(TABLE, pd.concat([others, new], ignore_index=True) if len(others) else new)
    return new
