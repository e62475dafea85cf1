"""Recorded spike lines as straight lines between few points, and moved in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cosim.simulator import Row
from netlists.columns import Knots, LineWaveform

FloatArray = NDArray[np.float64]

WITHIN_V = 2e-3
"""How far the straight lines are from what was recorded."""

TIME_STEP_S, LEVEL_STEP_V = 1e-12, 1e-4
"""To what knots are rounded, so that the noise of a simulation makes no other deck of the next."""


def recorded(times_s: FloatArray, true_v: FloatArray, bar_v: FloatArray, from_s: float) -> Row:
    """Knots of a line and its complement from a time on: `true_s`, `true_v`, `bar_s`, `bar_v`."""
    after = times_s >= from_s
    row: Row = {}
    for name, volts in (("true", true_v), ("bar", bar_v)):
        own_s, own_v = knots(times_s[after], volts[after], WITHIN_V)
        row |= {f"{name}_s": own_s, f"{name}_v": own_v}
    return row


def knots(times_s: FloatArray, volts: FloatArray, within_v: float) -> tuple[FloatArray, FloatArray]:
    """The fewest of a curve's points, about, between which straight lines stay so close to it; one where it does not move.

    Douglas and Peucker, Cartographica 10 (1973), with the distance in volts.
    """
    if np.ptp(volts) <= 2 * within_v:
        return times_s[:1], volts[:1]
    kept = {0, len(times_s) - 1}
    pending = [(0, len(times_s) - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        inside = slice(first + 1, last)
        line = np.interp(times_s[inside], times_s[[first, last]], volts[[first, last]])
        away = np.abs(volts[inside] - line)
        if away.max() > within_v:
            split = first + 1 + int(away.argmax())
            kept.add(split)
            pending += [(first, split), (split, last)]
    chosen = sorted(kept)
    return times_s[chosen], volts[chosen]


def line_waveform(row: Row, shift_s: float = 0.0) -> LineWaveform:
    """A recorded line, moved in time."""
    return LineWaveform(*(_rounded(row[f"{name}_s"] + shift_s, row[f"{name}_v"]) for name in ("true", "bar")))


def can_be_moved(row: Row, shift_s: float, between_s: float) -> bool:
    """Whether a recorded line can rise so much later and fall when it fell; `between_s` lies between its rise and its fall."""
    moved = [(rise + shift_s, fall) for rise, fall in (_parted(row[f"{name}_s"], between_s) for name in ("true", "bar"))]
    return all(rise[-1] < fall[0] for rise, fall in moved if len(fall))


def moved_rise(row: Row, shift_s: float, between_s: float) -> LineWaveform:
    """A recorded line that rises so much later, and falls when it fell."""
    found = []
    for name in ("true", "bar"):
        rise, fall = _parted(row[f"{name}_s"], between_s)
        found.append(_rounded(np.concatenate([rise + shift_s, fall]), row[f"{name}_v"]))
    return LineWaveform(*found)


def _parted(times_s: FloatArray, at_s: float) -> tuple[FloatArray, FloatArray]:
    return times_s[times_s < at_s], times_s[times_s >= at_s]


def _rounded(times_s: FloatArray, volts: FloatArray) -> Knots:
    """Plain numbers, as SPICE reads them, on the grids of time and level; of points at the same time the last."""
    steps, levels = np.rint(times_s / TIME_STEP_S), np.rint(volts / LEVEL_STEP_V)
    found = {float(step): float(level) for step, level in zip(steps, levels, strict=True)}
    if len(set(found.values())) == 1:
        found = {0.0: next(iter(found.values()))}
    return tuple((round(step * TIME_STEP_S, 12), round(level * LEVEL_STEP_V, 4)) for step, level in sorted(found.items()))
