"""Straight lines through measured currents, and the ranges they are fitted over.

A range is counted in something that a process or a design sets, not in volts: in rest levels (`neuron.rest_v`) where the membrane
itself is the axis, in thresholds where its displacement from rest is. So it means the same in another process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.hardware.terms import FITTED_THRESHOLDS

FloatArray = NDArray[np.float64]


class Window(NamedTuple):
    """A range, both ends included."""

    low: float
    high: float

    def times(self, unit: float) -> Window:
        """The range in the unit's unit."""
        return Window(self.low * unit, self.high * unit)

    def holds(self, x: FloatArray) -> NDArray[np.bool_]:
        """Which values lie in it."""
        return np.asarray((x >= self.low) & (x <= self.high))


EDGE_RESTS = 0.15 / 1.3
"""How close to the rails a membrane is swept, in rest levels."""

FIRING_RESTS = Window(0.4 / 1.3, 1.5 / 1.3)
"""Membranes that can still fire in time: lines of single currents, in rest levels."""

PUBLISHED_RESTS = Window(0.46 / 1.3, 1.36 / 1.3)
"""Membranes over which lambda is fitted as published (arXiv 2412.09010), in rest levels."""

SYNAPSE_THRESHOLDS = Window(*FITTED_THRESHOLDS)
"""Displacements of a synapse's lines: a membrane that ends beyond them fires at once or not at all."""

PARABOLA_THRESHOLDS = Window(-0.4, 1.0)
"""Displacements of a synapse's parabola: a membrane may be far on the other side of rest before it comes back and fires."""

DWELLING_THRESHOLDS = (0.25, 0.3)
"""About which displacement membranes that fire are most of their time, all of which begin at rest, and how far from it."""

DISCHARGER_THRESHOLDS = Window(-0.05, 1.02)
"""Displacements of the discharger's line: a membrane that fires passes all of them."""

LINEAR_THRESHOLDS = Window(-0.4, 1.26)
"""Displacements over which the currents of the reference synapses are straight lines to 1 or 2 %."""


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x, with the covariance of the two [2, 2] and the worst deviation of a point."""

    intercept: float
    slope: float
    covariance: FloatArray
    worst_residual: float

    @property
    def intercept_error(self) -> float:
        """Standard error of the intercept."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def slope_error(self) -> float:
        """Standard error of the slope."""
        return float(np.sqrt(self.covariance[1, 1]))

    @property
    def zero(self) -> float:
        """Where the line crosses zero."""
        return -self.intercept / self.slope

    @property
    def zero_error(self) -> float:
        """Standard error of `zero`, as that of the slope gives it."""
        return abs(self.intercept / self.slope**2) * self.slope_error

    @property
    def relative_slope(self) -> float:
        """Slope over intercept: lambda (1/V), where x counts from rest. NaN for a line through the origin."""
        return self.slope / self.intercept if self.intercept else float("nan")

    @property
    def relative_slope_error(self) -> float:
        """Standard error of `relative_slope`, as that of the slope gives it."""
        return self.slope_error / abs(self.intercept) if self.intercept else float("nan")

    @property
    def relative_residual(self) -> float:
        """Worst deviation over the size of the intercept."""
        return self.worst_residual / abs(self.intercept) if self.intercept else float("nan")

    def __call__(self, x: FloatArray) -> FloatArray:
        return self.intercept + self.slope * x


def line_fit(x: FloatArray, y: FloatArray) -> Line:
    """Straight line by least squares."""
    design = np.column_stack([np.ones_like(x), x])
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    variance = residual @ residual / max(len(x) - 2, 1)
    covariance = variance * np.linalg.inv(design.T @ design)
    return Line(float(coefficients[0]), float(coefficients[1]), covariance, float(np.abs(residual).max()))


@dataclass(frozen=True)
class Parabola:
    """y = at_zero (1 + slope x + curvature x^2), standard errors of slope and curvature, rms deviation over at_zero."""

    at_zero: float
    slope: float
    curvature: float
    slope_error: float
    curvature_error: float
    relative_rms: float


def dwelling(displacement: FloatArray, unit: float) -> FloatArray:
    """How much of a phase membranes that fire are about a displacement, over the most: a bell, 1/e `DWELLING_THRESHOLDS` away.

    Their charge is the current integrated over just that time, so it is what a fit of the current should weigh its errors by.
    `unit` is a threshold in the unit of the displacement.
    """
    middle, width = DWELLING_THRESHOLDS
    return np.exp(-(((displacement / unit - middle) / width) ** 2))


def parabola_within(x: FloatArray, y: FloatArray, window: Window, weight: FloatArray | None = None) -> Parabola:
    """Parabola by least squares through the points whose x lies in a range; `weight` of each square, 1 where None."""
    inside = window.holds(x)
    weights = np.ones(int(inside.sum())) if weight is None else weight[inside]
    root = np.sqrt(weights)
    design = np.vander(x[inside], 3, increasing=True)
    coefficients, *_ = np.linalg.lstsq(design * root[:, None], y[inside] * root, rcond=None)
    residual = (y[inside] - design @ coefficients) * root
    variance = residual @ residual / max(weights.sum() - 3, 1)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ (design * weights[:, None]))))
    at_zero, slope, curvature = map(float, coefficients)
    size = abs(at_zero) or math.nan
    return Parabola(
        at_zero, slope / at_zero if at_zero else math.nan, curvature / at_zero if at_zero else math.nan,
        float(errors[1]) / size, float(errors[2]) / size, math.sqrt(residual @ residual / weights.sum()) / size,
    )  # fmt: skip


def line_within(x: FloatArray, y: FloatArray, window: Window) -> Line:
    """Straight line through the points whose x lies in a range."""
    inside = window.holds(x)
    return line_fit(x[inside], y[inside])


def lambda_line(membrane_v: FloatArray, current_a: FloatArray, rest_v: float, window: Window = PUBLISHED_RESTS) -> Line:
    """The line of a current over the membrane, x from rest: its `relative_slope` is lambda, I = I0 [1 + lambda (V - V0)]."""
    inside = window.times(rest_v).holds(membrane_v)
    return line_fit(membrane_v[inside] - rest_v, current_a[inside])


def rms(values: ArrayLike) -> float:
    """Root of the mean square; NaN of nothing."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.sqrt(np.mean(array**2))) if array.size else math.nan
