"""`cosim validate --at`: finished weights at other corners, temperatures and supplies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import load_design
from cosim.errors import InputError
from cosim.pipeline.calibrate import condition_at, prepared, settings_for
from cosim.runs.progress import Monitor

if TYPE_CHECKING:
    import pandas as pd

    from cosim.bench.bench import Bench
    from cosim.bench.monitored import MonitoredBench
    from cosim.calibration.conditions import Biases, Elsewhere
    from cosim.calibration.nominal import MissedWeights, Nominal
    from cosim.design import Design
    from cosim.design.condition import Condition
    from cosim.runs.directory import RunDirectory
    from netlists.crossbar import Cells
    from training.calibration.program import Program
    from training.calibration.reach import Freedom
    from training.hardware import FloatArray, HardwareModel

TABLE = "conditions/errors.parquet"
COLUMNS = (
    "condition", "biases", "samples", "rmse_s", "hidden_rmse_s", "labels", "accuracy", "model_rmse_s", "unexpected_rmse_s",
    "out_of_range", "out_of_range_factor",
)  # fmt: skip
_CHARACTERISED = ("rebiased", "calibrated")
"""Biases that follow from the characterisation of a condition."""
FAILED = 3
"""The exit code of a simulation that failed; the other conditions are simulated all the same."""

BOARD = (
    "environment.bias_step_v=1e-3",
    "environment.bias_step_v=5e-3",
    "environment.rest_shift_v=5e-3",
    "environment.ripple_v=10e-3",
    "environment.source_resistance_ohm=1e6,environment.source_capacitance_f=100e-15",
    "environment.line_load_f=50e-15",
    "environment.output_load_f=50e-15",
)
SUPPLY_OFF, TEMPERATURE_OFF_C = 0.01, 3.0
"""What a board is off by, one by one."""


@dataclass(frozen=True)
class ConditionsResult:
    """One row a condition and choice of biases; what failed of them."""

    directory: Path
    rows: pd.DataFrame
    failed: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed else 0

    def lines(self) -> Iterator[str]:
        wide = max(map(len, ["condition", *self.rows.condition]))
        yield f"{'condition':<{wide}} {'biases':<11} {'output rms':>10} {'model':>10} {'labels':>7} {'accuracy':>8}"
        for row in self.rows.itertuples():
            shares = f"{100 * row.labels:>5.0f} % {100 * row.accuracy:>6.0f} %"
            model = f"{'':>10}" if math.isnan(row.model_rmse_s) else f"{row.model_rmse_s * 1e9:>7.3g} ns"
            yield f"{row.condition:<{wide}} {row.biases:<11} {row.rmse_s * 1e9:>7.3g} ns {model} {shares}"
        yield from self.warnings
        yield from self.failed


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
    """Simulate the trained network of a design at other conditions, without mismatch, and ask the model what it expects there.

    The model of another corner, temperature or supply is that of its characterisation, which takes a minute or two. It is made
    for `sensitivity` and where biases ask for it; without it, on a supply that ripples and with replicas elsewhere the model
    says nothing.

    Args:
        conditions: such as "corner=ff,temperature_c=85,supply_v=1.98"; what is left out is as in the design. `sensitivity` where
            there are none.
        biases: names of `cosim.calibration.conditions.Biases`, separated by commas; without any all of them, of `sensitivity`
            the fixed ones.

    Raises `InputError` with one line.
    """
    wanted, asked = biases_of(biases or ("fixed,replica,rebiased,calibrated" if conditions else "fixed")), load_design(design)
    parsed = [condition_at(words, asked) for words in conditions or sensitivity(asked)]
    with prepared(design, out, jobs, scheduler, monitor, command, samples) as (space, bench, nominal):
        import pandas as pd

        from cosim.calibration.circuit_chip import DieFailedError
        from cosim.calibration.held import HeldError
        from cosim.calibration.on_board import BoardError
        from cosim.characterize.extract import CharacterizationError
        from training.hardware import HardwareModel

        hardware = HardwareModel.load(space.run / "hardware.json")
        freedom = replace(settings_for(space.design, nominal).freedom, own_biases=True)
        characterised = not conditions or any(choice in _CHARACTERISED for choice in wanted)
        places = [_Place(bench, nominal, hardware, condition, freedom, characterised) for condition in parsed]
        rows, failed, warnings = list[dict[str, Any]](), list[str](), dict[str, None]()
        for place, choice in product(places, wanted):
            space.monitor.activity(f"{place.condition}: {choice}")
            try:
                rows.append(place.row(choice))
            except (BoardError, CharacterizationError, DieFailedError, HeldError) as error:
                failed.append(f"{place.condition}, {choice}: {error}")
                space.monitor.remark(failed[-1])
                continue
            _keep(space.run, rows[-1])
            if rows[-1]["out_of_range"] > 0:
                warnings[f"{place.condition}: {place.out_of_range}"] = None
        return ConditionsResult(space.run.path, pd.DataFrame(rows, columns=COLUMNS), failed, list(warnings))


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


@dataclass(frozen=True, eq=False)
class _Place:
    """A condition, and the network in the circuit there. It is characterised once, where biases ask for it, or `characterised`
    so that there is a model of it."""

    bench: MonitoredBench
    nominal: Nominal
    hardware: HardwareModel
    condition: Condition
    freedom: Freedom
    characterised: bool = False

    @cached_property
    def elsewhere(self) -> Elsewhere:
        from cosim.calibration.conditions import Elsewhere

        return Elsewhere.of(self.bench, self.condition, self.nominal)

    @cached_property
    def out_of_range(self) -> MissedWeights:
        """Which of the trained weights the cells of the condition do not have."""
        return self.nominal.missed_by(self.elsewhere.nominal)

    @property
    def is_here(self) -> bool:
        """Whether the cells are at the design's own condition, on another board at most."""
        from cosim.design.condition import of_design

        on_board = all(path.startswith("environment.") for path, _ in self.condition.parameters)
        return on_board and replace(self.condition, parameters=()) == of_design(self.bench.design)

    def biased(self, choice: Biases) -> tuple[Bench, Sequence[Cells], Program]:
        """A bench, the cells of every layer, and what the network is set to."""
        from cosim.calibration.conditions import Biases, cells_at, nothing_known
        from cosim.calibration.replica import Replicas

        match choice:
            case Biases.FIXED:
                return *cells_at(self.bench, self.condition, self.hardware), self.nominal.program
            case Biases.REPLICA:
                replicas = Replicas.of(self.bench, self.condition, self.hardware)
                return replicas.bench, replicas.cells, replicas.program(self.nominal.program)
        there = self.elsewhere
        program = there.nominal.program
        if choice is Biases.CALIBRATED:
            program = there.program(nothing_known(there.nominal), self.nominal, self.freedom)
        return there.bench, there.cells, program

    def expected(self, choice: Biases, bench: Bench, program: Program) -> list[FloatArray] | None:
        """What the model says of the network there, in phases; None where there is none of its cells, or of its board."""
        from cosim.calibration.on_board import spikes_on_board

        if choice in _CHARACTERISED or (choice == "fixed" and self.characterised and not self.is_here):
            circuits, threshold_v = self.elsewhere.nominal.circuits, self.elsewhere.threshold_v
        elif self.is_here:
            circuits, threshold_v = self.nominal.circuits, self.hardware.neuron.v_th_v
        else:
            return None
        return spikes_on_board(bench, circuits, program, self.nominal.tests, threshold_v)

    def row(self, choice: Biases) -> dict[str, Any]:
        """Raises `CharacterizationError`, `HeldError`, `DieFailedError`, `BoardError` where the network is not biased, or not
        simulated."""
        from cosim.calibration.circuit_chip import CircuitChip
        from cosim.calibration.dies import Judged

        bench, cells, program = self.biased(choice)
        tests = self.nominal.tests
        spikes = CircuitChip(bench, cells, None, bench.network).observe(program, tests)
        told = {"condition": str(self.condition), "biases": str(choice), "samples": len(tests)}
        beside = self._beside(spikes, self.expected(choice, bench, program))
        return told | vars(Judged.of(spikes, self.nominal)) | beside | self._weights(choice)

    def _weights(self, choice: Biases) -> dict[str, float]:
        """How many weights the cells there do not have; where biases do not ask for them nobody knows."""
        asked = choice in _CHARACTERISED
        return {
            "out_of_range": float(self.out_of_range.weights) if asked else math.nan,
            "out_of_range_factor": self.out_of_range.factor if asked else math.nan,
        }

    def _beside(self, spikes: Sequence[FloatArray], expected: Sequence[FloatArray] | None) -> dict[str, float]:
        """How far off the model expects the outputs, and how far off that they are."""
        from cosim.bench.lines import rms

        phase, wanted = self.nominal.phase_s, self.nominal.wanted
        if expected is None:
            return {"model_rmse_s": math.nan, "unexpected_rmse_s": math.nan}
        return {
            "model_rmse_s": rms(expected[-1] - wanted[-1]) * phase,
            "unexpected_rmse_s": rms(spikes[-1] - expected[-1]) * phase,
        }


def _keep(run: RunDirectory, row: dict[str, Any]) -> None:
    """Put a row into the table, in the place of the one that it had."""
    import pandas as pd

    table = pd.DataFrame([row])
    if (run / TABLE).is_file():
        known = pd.read_parquet(run / TABLE)
        table = pd.concat(
            [known[(known.condition != row["condition"]) | (known.biases != row["biases"])], table], ignore_index=True
        )
    run.write_table(TABLE, table)
