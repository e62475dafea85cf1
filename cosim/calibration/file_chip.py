"""A chip on a bench: a file says what to apply, another what was seen.

`plan.csv` has a row a pattern and input, with what the synapses and dischargers are set to while it is applied in
`plan.program.csv`; `spikes.csv` a row a pattern, layer and neuron. Times are in seconds from the start of the accumulation
(inputs) or of the layer's firing phase (spikes); an empty cell is no spike.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.errors import InputError
from training.calibration.program import Program
from training.files import write_whole
from training.hardware import FloatArray

PLAN_COLUMNS = ["round", "pattern", "input", "time_s"]
PROGRAM_COLUMNS = ["round", "layer", "neuron", "device", "sign", "bias_v"]
SPIKE_COLUMNS = ["round", "pattern", "layer", "neuron", "spike_s"]

UNITS = {"microseconds": 1e6, "nanoseconds": 1e9, "picoseconds": 1e12}
"""What a table might be in by mistake, and how many make a second."""

DIGITS = 6
"""Volts are written to a microvolt, which moves no spike by a picosecond."""


class AwaitingSpikes(Exception):
    """A round that the bench has not seen yet: what to set, and what to apply."""

    def __init__(self, number: int, program: Program, patterns: FloatArray) -> None:
        super().__init__(f"round {number} is to be measured")
        self.number, self.program, self.patterns = number, program, patterns


@dataclass
class FileChip:
    """See `training.calibration.chip.Chip`: answers the rounds of which `spikes` has every row.

    Attributes:
        plan, spikes: tables as they were read, checked; None before there are any.
        digest: of the network that the plan is for.
    """

    plan: pd.DataFrame | None
    spikes: pd.DataFrame | None
    phase_s: float
    outputs: Sequence[int]
    source: str = ""

    def __post_init__(self) -> None:
        self._round = 0

    def observe(self, program: Program, patterns: FloatArray) -> list[FloatArray]:
        """Raises `AwaitingSpikes` for a round that was not measured, `InputError` for one that was measured otherwise."""
        self._round += 1
        number = self._round
        own = None if self.spikes is None else self.spikes[self.spikes["round"] == number]
        if self.plan is None or own is None or not len(own):
            raise AwaitingSpikes(number, program, patterns)
        self._check_planned(number, patterns)
        return [self._layer(own, layer, neurons, len(patterns)) for layer, neurons in enumerate(self.outputs, 1)]

    def _check_planned(self, number: int, patterns: FloatArray) -> None:
        assert self.plan is not None
        planned = self.plan[self.plan["round"] == number]
        if len(planned) != patterns.size:
            raise InputError(
                f"{self.source}: round {number}: the plan has {len(planned)} rows, this design's has {patterns.size}; it is the "
                "plan of another design or of other settings: write it anew with --plan alone"
            )
        times = planned.sort_values(["pattern", "input"]).time_s.fillna(self.phase_s).to_numpy().reshape(patterns.shape)
        if np.abs(times / self.phase_s - patterns).max() > 1e-6:
            raise InputError(
                f"{self.source}: round {number}: not the patterns that follow from this design and the spikes before; write the "
                "plan anew with --plan alone"
            )

    def _layer(self, own: pd.DataFrame, layer: int, neurons: int, patterns: int) -> FloatArray:
        rows = own[own.layer == layer].sort_values(["pattern", "neuron"])
        found = rows.spike_s.fillna(self.phase_s).to_numpy()
        return np.asarray(np.minimum(found.reshape(patterns, neurons) / self.phase_s, 1.0))


def network_digest(program: Program, phase_s: float) -> str:
    """What tells the plan of one network from that of another."""
    text = repr(
        [
            (layer.sign.tolist(), np.round(layer.code_v, DIGITS).tolist(), np.round(layer.bias_v, DIGITS).tolist())
            for layer in program
        ]
    )
    return hashlib.sha256(f"{phase_s!r} {text}".encode()).hexdigest()[:16]


def plan_rows(number: int, patterns: FloatArray, phase_s: float) -> pd.DataFrame:
    """Rows of a round: patterns [patterns, in] in phases; an input that does not spike has no time."""
    rows = [
        (number, pattern, j, None if time >= 1.0 else round(float(time) * phase_s, 15))
        for pattern, times in enumerate(patterns)
        for j, time in enumerate(times)
    ]
    return pd.DataFrame(rows, columns=PLAN_COLUMNS)


def program_rows(number: int, program: Program) -> pd.DataFrame:
    """Rows of what is set in a round."""
    rows = []
    for layer, own in enumerate(program, 1):
        for k, j in np.ndindex(*own.sign.shape):
            sign = int(own.sign[k, j])
            rows.append((number, layer, k, f"input {j}", sign, round(float(own.code_v[k, j]), DIGITS) if sign else None))
        rows += [(number, layer, k, "discharger", 1, round(float(bias), DIGITS)) for k, bias in enumerate(own.bias_v)]
    return pd.DataFrame(rows, columns=PROGRAM_COLUMNS)


def write(path: Path, digest: str, table: pd.DataFrame) -> None:
    """A table with the network that it is of in its first line. Raises `InputError` where it cannot be written."""
    text = io.StringIO()
    text.write(f"# cosim calibrate, network {digest}\n")
    table.to_csv(text, index=False)
    try:
        write_whole(path, text.getvalue().encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def read_plan(path: Path, digest: str) -> pd.DataFrame:
    """A plan that `write` wrote. Raises `InputError` for another table, or that of another network."""
    found, first = _read(path, PLAN_COLUMNS)
    if digest not in first:
        raise InputError(f"{path}: is the plan of another network than this design's ({digest}); write it anew with --plan alone")
    return found


def read_spikes(path: Path, plan: pd.DataFrame, outputs: Sequence[int], phase_s: float) -> pd.DataFrame:
    """What a bench saw. Raises `InputError`: row missing or twice, a spike outside its phase, another unit."""
    found, _ = _read(path, SPIKE_COLUMNS)
    keys = SPIKE_COLUMNS[:-1]
    if (twice := found.duplicated(keys)).any():
        raise InputError(f"{path}: {_named(found[twice].iloc[0], keys)} stands there twice")
    rounds = sorted(found["round"].unique())
    for number in rounds:
        if number not in set(plan["round"]):
            raise InputError(f"{path}: round {int(number)} is not in the plan")
        _check_complete(path, found[found["round"] == number], int(number), plan, outputs)
    if gaps := set(range(1, int(max(rounds, default=0)) + 1)) - set(rounds):
        raise InputError(f"{path}: round {min(gaps)} is missing; each round follows from the spikes of those before it")
    late = found[(found.spike_s < 0) | (found.spike_s > phase_s * (1 + 1e-9))]
    if len(late):
        worst = late.iloc[0]
        hint = _hint(float(found.spike_s.max()), phase_s)
        raise InputError(
            f"{path}: {_named(worst, keys)}: spike_s {worst.spike_s:g} lies outside the phase, 0 .. {phase_s:g} s{hint}"
        )
    return found


def _hint(latest: float, phase_s: float) -> str:
    """Which unit the times of spikes seem to be in, where that is not seconds."""
    meant = next((unit for unit, second in UNITS.items() if 100 * phase_s < latest <= phase_s * second), "")
    return f"; are these {meant}? give seconds" if meant else ""


def _check_complete(path: Path, found: pd.DataFrame, number: int, plan: pd.DataFrame, outputs: Sequence[int]) -> None:
    patterns = sorted(plan[plan["round"] == number].pattern.unique())
    wanted = {(p, layer, k) for p in patterns for layer, neurons in enumerate(outputs, 1) for k in range(neurons)}
    there = set(zip(found.pattern, found.layer, found.neuron, strict=True))
    if missing := sorted(wanted - there):
        pattern, layer, neuron = map(int, missing[0])
        raise InputError(
            f"{path}: round {number}: pattern {pattern}, layer {layer}, neuron {neuron} is missing; a neuron that did not spike "
            "has an empty spike_s"
        )
    if foreign := sorted(there - wanted):
        pattern, layer, neuron = map(int, foreign[0])
        raise InputError(f"{path}: round {number}: pattern {pattern}, layer {layer}, neuron {neuron} is not in the plan")


def _named(row: pd.Series, keys: Sequence[str]) -> str:
    return ", ".join(f"{key} {int(row[key])}" for key in keys)


def _read(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """A table of numbers, and its first line. Raises `InputError`."""
    try:
        text = path.read_text(encoding="utf-8")
        found = pd.read_csv(io.StringIO(text), comment="#")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read: {reason}; need a CSV with the columns {', '.join(columns)}") from error
    if missing := [name for name in columns if name not in found.columns]:
        raise InputError(f"{path}: has no column {missing[0]!r}; need {', '.join(columns)}")
    for name in columns:
        numbers = pd.to_numeric(found[name], errors="coerce")
        wrong = numbers.isna() & (found[name].notna() if name in (SPIKE_COLUMNS[-1], PLAN_COLUMNS[-1]) else True)
        if wrong.any():
            line = int(np.flatnonzero(wrong)[0]) + 2
            raise InputError(
                f"{path}: {name}: row {line - 1} of the table holds {found[name].iloc[line - 2]!r}, which is no number"
            )
        found[name] = numbers
    return found[list(columns)], text.split("\n", 1)[0]
