"""A held membrane swept from rail to rail: the line of a current over it, its curvature, and how far it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.lines import EDGE_RESTS, FIRING_RESTS, lambda_line
from cosim.simulator import DcSweep
from netlists.crossbar import Cells

FloatArray = NDArray[np.float64]

SWEEP_STEPS = 16
LINEAR_WITHIN = 0.02
"""A current counts as linear while it is this close to its line, as a share of the current at rest."""


def edges_v(cells: Cells) -> tuple[float, float]:
    """The lowest and the highest voltage that a membrane is held at."""
    edge = EDGE_RESTS * cells.neuron.rest_v
    return edge, cells.supply_v - edge


def rail_to_rail(cells: Cells, steps: int = SWEEP_STEPS, outer: DcSweep | None = None) -> DcSweep:
    """A sweep of `Vmembrane`."""
    low, high = edges_v(cells)
    return DcSweep("Vmembrane", low, high, (high - low) / steps, outer)


def curve_and_line(membrane_v: FloatArray, current_a: FloatArray, rest_v: float) -> dict[str, Any]:
    """A current over the membrane (A, positive towards ground), and its line I = I0 [1 + lambda (V - V0)] about rest.

    `curvature_per_v2` is the quadratic coefficient of a parabola, over I0; `residual_fraction` the worst deviation from the line
    within `FIRING_RESTS`, `linear_low_v`, `linear_high_v` where it leaves `LINEAR_WITHIN`.
    """
    inside = FIRING_RESTS.times(rest_v).holds(membrane_v)
    line, x = lambda_line(membrane_v, current_a, rest_v, FIRING_RESTS), membrane_v - rest_v
    scale = line.intercept or np.nan
    curvature = float(np.polynomial.polynomial.polyfit(x[inside], current_a[inside], 2)[2])
    low, high = _linear_range(membrane_v, (current_a - line(x)) / scale, inside)
    return {
        "membrane_v": membrane_v, "membrane_current_a": current_a,
        "current_a": line.intercept, "lambda_per_v": line.relative_slope, "lambda_error_per_v": line.relative_slope_error,
        "curvature_per_v2": curvature / scale, "residual_fraction": line.relative_residual,
        "linear_low_v": low, "linear_high_v": high,
    }  # fmt: skip


def _linear_range(membrane_v: FloatArray, deviation: FloatArray, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """The membranes around the fitted range up to which the deviation stays within `LINEAR_WITHIN` (one step of the sweep)."""
    good = np.abs(deviation) <= LINEAR_WITHIN
    first, last = np.flatnonzero(inside)[[0, -1]]
    middle = (first + last) // 2
    if not good[middle]:
        return float("nan"), float("nan")
    below, above = np.flatnonzero(~good[:middle]), np.flatnonzero(~good[middle:])
    low = below[-1] + 1 if len(below) else 0
    high = middle + above[0] - 1 if len(above) else len(membrane_v) - 1
    return float(membrane_v[low]), float(membrane_v[high])


def integral(time: FloatArray, values: FloatArray, start: float, end: float) -> float:
    """Of a waveform between two times (trapezoids)."""
    inside = (time > start) & (time < end)
    grid = np.concatenate([[start], time[inside], [end]])
    return float(np.trapezoid(np.interp(grid, time, values), grid))
