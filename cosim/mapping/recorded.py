"""Recorded spike lines as straight lines between few points, and moved in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.simulator import Row
from netlists.columns import Knots, LineWaveform

FloatArray = NDArray[np.float64]

SWITCHING_WITHIN_V, ON_WITHIN_V, FALL_WITHIN_V = 50e-3, 0.3, 1e-3
"""How far straight lines between recorded points may be from the others: of a rise up to `SWITCHED_SHARE`, beyond it, and of the
fall. Once the corners lie there, their levels are fitted, so that the line is right on average: with lines of a sixth of the
points spikes move by 15 ps at most."""

SWITCHED_SHARE = 0.55
"""Of the swing of a line: what it switches is on by then, and how the rest of the edge goes makes no difference."""

TIME_STEP_S, LEVEL_STEP_V = 1e-12, 1e-4
"""To what knots are rounded, so that the noise of a simulation makes no other deck of the next."""

LEVEL_V = 1e-3
"""To what the level of a line is rounded that does not move."""

NAMES = ("true", "bar")

GRID_S = 2e-12
"""Knots of lines that move at the same time lie on the same times, where this changes nothing: a simulator stops at every one."""


def recorded(times_s: FloatArray, true_v: FloatArray, bar_v: FloatArray, from_s: float, fall_s: float) -> Row:
    """Knots of a line and its complement, at the same times, from a time on: `line_s`, `true_v`, `bar_v`.

    `fall_s`: when the control edge that ends the phase begins.
    """
    after = times_s >= from_s
    return _in_few_points(times_s[after], np.stack([[true_v[after], bar_v[after]]]), fall_s)[0]


def on_common_knots(rows: Sequence[Row], fall_s: float, loosely: float = 1.0) -> list[Row]:
    """Recorded lines that switch at about the same time, with knots at the same times: a simulator stops at every knot of every
    line, and the drivers of a die, none of them like another, would make it stop as often as there are inputs.

    `loosely`: so many times as far as usual may straight lines be from what was recorded.
    """
    times = np.unique(np.concatenate([row["line_s"] for row in rows]))
    volts = [[np.interp(times, row["line_s"], row[f"{name}_v"]) for name in NAMES] for row in rows]
    return [{**row, **few} for row, few in zip(rows, _in_few_points(times, np.array(volts), fall_s, loosely), strict=True)]


def on_common_falls(rows: Sequence[Row], fall_s: float, loosely: float = 1.0) -> list[Row]:
    """Recorded lines that rise each at its time and fall together, with knots at the same times from the fall on."""
    falls = on_common_knots([_part(row, fall_s, np.inf) for row in rows], fall_s, loosely)
    return [
        {**row, **{name: np.concatenate([before[name], fall[name]]) for name in fall}}
        for row, fall in zip(rows, falls, strict=True)
        for before in [_part(row, -np.inf, fall_s)]
    ]


def _part(row: Row, from_s: float, to_s: float) -> Row:
    """The knots of a line from a time on, where it gets one, to before another."""
    times = row["line_s"]
    own = times[(times > from_s) & (times < to_s)]
    own = np.concatenate([[from_s], own]) if np.isfinite(from_s) else own
    return {"line_s": own, **{f"{name}_v": np.interp(own, times, row[f"{name}_v"]) for name in NAMES}}


def _in_few_points(times: FloatArray, volts: FloatArray, fall_s: float, loosely: float = 1.0) -> list[Row]:
    """Knots of lines [lines, true and complement, points], the same of all, and each one's own levels there."""
    swing = np.maximum(np.ptp(volts, axis=2, keepdims=True), LEVEL_V)
    switching = np.abs(volts - volts[..., :1]) < SWITCHED_SHARE * swing
    within = loosely * np.where(times < fall_s, np.where(switching, SWITCHING_WITHIN_V, ON_WITHIN_V), FALL_WITHIN_V)
    kept = times[knots(times, volts.reshape(-1, len(times)), within.min((0, 1)))]
    on_grid = np.unique(np.rint(kept / GRID_S)) * GRID_S
    line_s = np.clip(on_grid, times[0], times[-1])
    return [
        {"line_s": line_s, **{f"{name}_v": fitted(line_s, times, *own) for name, *own in zip(NAMES, *line, strict=True)}}
        for line in zip(volts, within, strict=True)
    ]


def fitted(knots_s: FloatArray, times_s: FloatArray, volts: FloatArray, within_v: FloatArray) -> FloatArray:
    """Levels at the knots of the straight lines that are closest to a curve in the least squares over time, in units of
    `within_v`; the first and the last are the curve's own."""
    levels = np.interp(knots_s, times_s, volts)
    weight = np.sqrt(np.gradient(times_s)) / within_v
    hats = np.stack([np.interp(times_s, knots_s, own) for own in np.eye(len(knots_s))], axis=1)
    away = np.linalg.lstsq(hats[:, 1:-1] * weight[:, None], (volts - hats @ levels) * weight, rcond=1e-9)[0]
    levels[1:-1] += away
    return levels


def knots(times_s: FloatArray, volts: FloatArray, within_v: FloatArray) -> NDArray[np.intp]:
    """Which points of curves [curves, points] to keep, about the fewest, so that straight lines between them stay close to all.

    `within_v` [points] is how close. Douglas and Peucker, Cartographica 10 (1973), with the distance in volts.
    """
    kept = {0, len(times_s) - 1}
    pending = [(0, len(times_s) - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        inside = slice(first + 1, last)
        share = (times_s[inside] - times_s[first]) / (times_s[last] - times_s[first])
        line = volts[:, [first]] * (1 - share) + volts[:, [last]] * share
        away = (np.abs(volts[:, inside] - line) / within_v[inside]).max(0)
        if away.max() > 1:
            split = first + 1 + int(away.argmax())
            kept.add(split)
            pending += [(first, split), (split, last)]
    return np.array(sorted(kept))


def line_waveform(row: Row, shift_s: float = 0.0) -> LineWaveform:
    """A recorded line, moved in time."""
    return LineWaveform(*(_rounded(row["line_s"] + shift_s, row[f"{name}_v"]) for name in NAMES))


def can_be_moved(row: Row, shift_s: float, between_s: float) -> bool:
    """Whether a recorded line can rise so much later and fall when it fell; `between_s` lies between its rise and its fall."""
    times = row["line_s"]
    return bool(times[times < between_s][-1] + shift_s < times[times >= between_s][0])


def moved_rise(row: Row, shift_s: float, between_s: float) -> LineWaveform:
    """A recorded line that rises so much later, and falls when it fell."""
    times = row["line_s"]
    return line_waveform({**row, "line_s": np.where(times < between_s, times + shift_s, times)})


def _rounded(times_s: FloatArray, volts: FloatArray) -> Knots:
    """Plain numbers, as SPICE reads them, on the grids of time and level, from time zero on; of points at the same time the last.

    A line that hardly moves is a level, so that all such lines are one.
    """
    if np.ptp(volts) <= 2 * FALL_WITHIN_V:
        return ((0.0, round(float(np.rint(volts[0] / LEVEL_V)) * LEVEL_V, 4)),)
    steps = np.maximum(np.rint(times_s / TIME_STEP_S), 0.0)
    steps[0] = 0.0
    levels = np.rint(volts / LEVEL_STEP_V)
    found = {float(step): float(level) for step, level in zip(steps, levels, strict=True)}
    return tuple((round(step * TIME_STEP_S, 12), round(level * LEVEL_STEP_V, 4)) for step, level in sorted(found.items()))
