"""Measured CSV files: I-V tables and membrane waveforms, checked line by line before anything is fitted."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from cosim.design import Design, explain
from cosim.errors import InputError, InputRemark
from cosim.fits.membrane_model import ChargePulse, FloatArray, Spike, Trace
from cosim.fits.waveform_fit import SynapseUnderTest
from cosim.silicon.times import even_times
from cosim.texts import text_of
from netlists.section import Section
from training.files import read_toml

IV_COLUMNS = ("sign", "bias_v", "membrane_v", "current_a")
WAVEFORM_COLUMNS = ("time_s", "membrane_v")
LARGEST_CURRENT_A = 1e-3
LONGEST_PHASES, SHORTEST_PHASES = 100.0, 0.01
LARGEST_SUPPLIES = 3.0
TIME_UNITS = {"ms": 1e3, "us": 1e6, "ns": 1e9}
FARTHEST_START = 0.3
"""A waveform starts within this share of the supply from rest: it begins with the reset."""

ALL_NOISE = 0.8
"""Share of a waveform's variance that its noise may make up."""

OVERLOAD = 9e36
"""From here on a number says that the instrument had none: 9.9e37, 9.91e37, 1e38."""

_SEPARATORS = ",;\t "
_WITH_DECIMAL_COMMA = ";\t"

LARGEST_STEP = 10.0
"""A time step this many times the usual one is a gap."""

Number = Annotated[float, Field(allow_inf_nan=False)]


class SynapseEntry(Section):
    """A synapse of a waveform's stimulus file."""

    name: str
    sign: Literal[1, -1]
    bias_v: Number


class SpikeEntry(Section):
    """When a synapse was on; without an end it stayed on."""

    synapse: str
    on_s: Number
    off_s: Number | None = None


class ChargeEntry(Section):
    """A known current into the membrane; positive moves it towards the threshold."""

    current_a: Number
    start_s: Number
    end_s: Number


class Stimulus(Section):
    """What drove a waveform: NAME.toml beside NAME.csv."""

    synapse: tuple[SynapseEntry, ...] = ()
    spike: tuple[SpikeEntry, ...] = ()
    charge: tuple[ChargeEntry, ...] = ()
    capacitance_f: Annotated[float, Field(gt=0.0, lt=1e-6)] | None = None


@dataclass(frozen=True)
class IvTable:
    """Points of I-V curves, [n] each; currents in A, positive out of the membrane (towards ground)."""

    source: str
    sign: FloatArray
    bias_v: FloatArray
    membrane_v: FloatArray
    current_a: FloatArray


@dataclass(frozen=True)
class Waveform:
    """A measured trace; its spikes count the synapses as `synapses` lists them."""

    source: str
    trace: Trace
    synapses: tuple[SynapseUnderTest, ...]
    capacitance_f: float | None


def read(path: Path, design: Design) -> IvTable | Waveform:
    """Read one CSV, whichever kind it is. Raises `InputError`: file, line or column, what is wrong, what would be right."""
    columns = read_columns(path)
    return _iv_table(path, columns, design) if "current_a" in columns else _waveform(path, columns, design)


@dataclass(frozen=True)
class Column:
    values: FloatArray
    lines: tuple[int, ...]
    """Line of the file that each value stands on."""


def read_columns(path: Path) -> dict[str, Column]:
    """The columns of an I-V table or of a waveform; others may hold anything, and so may the lines before the column names.

    Columns are separated by commas, semicolons, tabs or blanks; numbers may have a decimal comma where columns are not separated
    by commas or blanks. Lines that start with # are comments. Lines with an instrument's overload are left out, which is told.
    Raises `InputError` for a file that is neither, and for a cell that is no number.
    """
    separator, wanted, rows = _table(path)
    names = [name.strip() for name in rows[0][1]]
    if len(rows) < 2:
        raise InputError(f"{path}: holds no data; it needs a line of column names and a line per point")
    lines = tuple(line for line, _ in rows[1:])
    decimal_comma = separator in _WITH_DECIMAL_COMMA
    found = {name: np.array(list(_numbers(path, name, names.index(name), rows[1:], decimal_comma))) for name in wanted}
    good = np.all([np.abs(values) < OVERLOAD for values in found.values()], axis=0)
    if not good.all():
        overloaded = [lines[k] for k in np.flatnonzero(~good)]
        warnings.warn(
            f"{path}: left out for an instrument's overload: line {', '.join(map(str, overloaded))}", InputRemark, stacklevel=1
        )
    kept = tuple(line for line, is_good in zip(lines, good, strict=True) if is_good)
    return {name: Column(values[good], kept) for name, values in found.items()}


def _table(path: Path) -> tuple[str, tuple[str, ...], list[tuple[int, list[str]]]]:
    """What separates the columns, the names of those to read, and numbered rows of words, from the column names on."""
    try:
        text = text_of(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    tried = {separator: _rows(path, text, separator) for separator in _SEPARATORS}
    for separator, rows in tried.items():
        for number, (_, row) in enumerate(rows):
            names = {name.strip() for name in row}
            if wanted := next((kind for kind in (IV_COLUMNS, WAVEFORM_COLUMNS) if set(kind) <= names), None):
                return separator, wanted, rows[number:]
    if len(tried[","]) < 2:
        raise InputError(f"{path}: holds no data; it needs a line of column names and a line per point")
    first = [name.strip() for name in max(tried.values(), key=lambda rows: len(rows[0][1]))[0][1]]
    kinds = f"an I-V table has {', '.join(IV_COLUMNS)}, a waveform {', '.join(WAVEFORM_COLUMNS)}"
    raise InputError(f"{path}: columns: {', '.join(first[:8])}; {kinds}; rename those that are meant")


def _rows(path: Path, text: str, separator: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row) and not row[0].startswith("#")]
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV text: {error}") from error


def _numbers(path: Path, name: str, k: int, rows: Sequence[tuple[int, list[str]]], decimal_comma: bool) -> Iterator[float]:
    for line, row in rows:
        text = row[k].strip() if k < len(row) else ""
        try:
            value = float(text.replace(",", ".") if decimal_comma else text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            wrong = f"is {text!r}" if text else "is empty"
            raise InputError(f"{path}: line {line}: {name}: {wrong}; every cell must hold a number")
        yield value


def _iv_table(path: Path, columns: dict[str, Column], design: Design) -> IvTable:
    sign = columns["sign"]
    if not np.isin(sign.values, (1, -1)).all():
        line = sign.lines[int(np.flatnonzero(~np.isin(sign.values, (1, -1)))[0])]
        raise InputError(f"{path}: line {line}: sign: must be 1 (towards the threshold) or -1")
    for name in ("bias_v", "membrane_v"):
        _check_volts(path, name, columns[name].values, design)
    if (largest := float(np.abs(columns["current_a"].values).max())) > LARGEST_CURRENT_A:
        raise InputError(f"{path}: current_a: reaches {largest:.3g}; must be in amperes, and looks like nA or uA")
    return IvTable(str(path), *(columns[name].values for name in IV_COLUMNS))


def _check_volts(path: Path, name: str, values: FloatArray, design: Design) -> None:
    largest, supply = float(np.abs(values).max()), design.process.supply_v
    if largest > LARGEST_SUPPLIES * supply:
        raise InputError(f"{path}: {name}: reaches {largest:.4g}; must be in volts (supply {supply:g} V), and looks like mV")


def _waveform(path: Path, columns: dict[str, Column], design: Design) -> Waveform:
    time = even_times(path, columns["time_s"].values, columns["time_s"].lines)
    _check_time(path, Column(time, columns["time_s"].lines), design.timing.phase_s)
    _check_volts(path, "membrane_v", columns["membrane_v"].values, design)
    start, rest = float(columns["membrane_v"].values[0]), design.neuron.rest_v
    if abs(start - rest) > FARTHEST_START * design.process.supply_v:
        raise InputError(
            f"{path}: membrane_v: starts at {start:.4g}, the design rests at {rest:g} V; must be in volts, from the release of "
            "the reset on"
        )
    stimulus_file = path.with_suffix(".toml")
    stimulus = _stimulus(stimulus_file)
    synapses = tuple(SynapseUnderTest(entry.name, entry.sign, entry.bias_v) for entry in stimulus.synapse)
    spikes = tuple(_spike(stimulus_file, spike, synapses, time) for spike in stimulus.spike)
    pulses = tuple(ChargePulse(entry.current_a, entry.start_s, entry.end_s) for entry in stimulus.charge)
    for pulse in pulses:
        if not time[0] <= pulse.start_s < pulse.end_s <= time[-1]:
            raise InputError(f"{stimulus_file}: charge: start_s and end_s must rise, within the waveform's times")
    trace = Trace(str(path), time, columns["membrane_v"].values, spikes, pulses)
    _check_moves(path, trace.membrane_v)
    return Waveform(str(path), trace, synapses, stimulus.capacitance_f)


def _check_moves(path: Path, membrane_v: FloatArray) -> None:
    """Neighbouring samples of noise differ by twice its variance (J. von Neumann, Ann. Math. Stat. 12, 1941), those of a membrane
    that moves by less."""
    spread = float(membrane_v.var())
    noise = 0.5 * float(np.mean(np.diff(membrane_v) ** 2))
    if np.ptp(membrane_v) < 1e-4 or noise > ALL_NOISE * spread:
        beyond = f" beyond its noise ({math.sqrt(noise):.1g} V)" if noise > 1e-12 else ""
        raise InputError(f"{path}: membrane_v: never moves{beyond}; a waveform must answer a spike or a charge")


def _check_time(path: Path, time: Column, phase_s: float) -> None:
    """Times must rise evenly enough, and be seconds."""
    steps = np.diff(time.values)
    if len(steps) < 10:
        raise InputError(f"{path}: time_s: {len(steps) + 1} samples; a waveform needs more than ten")
    span = float(time.values[-1] - time.values[0])
    if span > LONGEST_PHASES * phase_s:
        looks = min(TIME_UNITS, key=lambda unit: abs(math.log10(span / phase_s / TIME_UNITS[unit])))
        raise InputError(
            f"{path}: time_s: spans {span:.4g}, a phase lasts {phase_s:.3g} s; must be in seconds, and looks like {looks}"
        )
    if span < SHORTEST_PHASES * phase_s:
        raise InputError(f"{path}: time_s: spans {span:.4g} s, a phase of the design lasts {phase_s:.3g} s; must be in seconds")
    gaps = np.flatnonzero(steps > LARGEST_STEP * np.median(steps))
    if len(gaps):
        first = time.lines[int(gaps[0])]
        raise InputError(f"{path}: line {first}: time_s: a gap of {steps[gaps[0]]:.3g} s follows; samples must not be missing")


def _stimulus(path: Path) -> Stimulus:
    try:
        return Stimulus.model_validate(read_toml(path))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; it says which synapse fires when (docs/silicon.md)"
        ) from error
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error)}") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error


def _spike(path: Path, entry: SpikeEntry, synapses: Sequence[SynapseUnderTest], times: FloatArray) -> Spike:
    names = [synapse.name for synapse in synapses]
    if entry.synapse not in names:
        raise InputError(f"{path}: spike.synapse: {entry.synapse!r} is none of {', '.join(names) or 'no synapses'}")
    off_s = math.inf if entry.off_s is None else entry.off_s
    if not times[0] <= entry.on_s < min(off_s, times[-1]):
        raise InputError(f"{path}: spike.on_s: {entry.on_s:.4g} must lie in {times[0]:.4g} .. {times[-1]:.4g} s and before off_s")
    return Spike(names.index(entry.synapse), entry.on_s, off_s)
