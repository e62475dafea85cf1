"""A held membrane swept from rail to rail: the line of a current over it, its curvature, and how far it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.characterize.synapse_current import EDGE_OF_RAILS_V, line_fit
from cosim.simulator import DcSweep

FloatArray = NDArray[np.float64]

SWEEP_STEPS = 16
LINE_V = (0.4, 1.5)
"""Membranes over which lines are fitted, as far as the supply reaches: the range of a membrane that can still fire in time."""

LINEAR_WITHIN = 0.02
"""A current counts as linear while it is this close to its line, as a share of the current at rest."""


def rail_to_rail(supply_v: float) -> DcSweep:
    """A sweep of `Vmembrane`."""
    low, high = EDGE_OF_RAILS_V, supply_v - EDGE_OF_RAILS_V
    return DcSweep("Vmembrane", low, high, (high - low) / SWEEP_STEPS)


def line_parameters(membrane_v: FloatArray, current_a: FloatArray, rest_v: float) -> dict[str, Any]:
    """I = I0 [1 + lambda (V - V0)], its deviations, and where it leaves `LINEAR_WITHIN` (V); currents positive towards ground."""
    x, inside = membrane_v - rest_v, (membrane_v >= LINE_V[0]) & (membrane_v <= LINE_V[1])
    intercept, slope, error, residual = line_fit(x[inside], current_a[inside])
    scale = abs(intercept) if intercept else np.nan
    curvature = float(np.polynomial.polynomial.polyfit(x[inside], current_a[inside], 2)[2])
    low, high = _linear_range(membrane_v, (current_a - intercept - slope * x) / scale, inside)
    sign = float(np.sign(intercept))
    return {
        "current_a": intercept, "lambda_per_v": sign * slope / scale, "lambda_error_per_v": error / scale,
        "curvature_per_v2": sign * curvature / scale, "residual_fraction": residual / scale,
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
