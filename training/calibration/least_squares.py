"""Many small least-squares problems at once: Levenberg and Marquardt's method within bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.hardware import FloatArray

FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-9, 1e9

Residuals = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""x [problems, unknowns] -> residuals [problems, terms] and their derivatives [problems, terms, unknowns]."""


@dataclass(frozen=True)
class Solution:
    """x [problems, unknowns], half the sum of the squared residuals [problems], and J'J there."""

    x: FloatArray
    cost: FloatArray
    normal: FloatArray


def solve(
    residuals: Residuals, start: FloatArray, low: FloatArray | float = -np.inf, high: FloatArray | float = np.inf,
    iterations: int = 30, tolerance: float = 1e-6,
) -> Solution:  # fmt: skip
    """The minimum of every problem by itself, from `start` [problems, unknowns].

    A step is that of (J'J + damping diag J'J) of what is not held at a bound, cut to the bounds; where it makes things worse the
    problem stays and is damped more. Ends when no problem expects to get better by more than `tolerance` of its cost.
    """
    x = np.clip(start, low, high)
    r, jacobian = residuals(x)
    cost = (r**2).sum(1) / 2
    damping = np.full(len(x), FIRST_DAMPING)
    for _ in range(iterations):
        gradient = np.einsum("kti,kt->ki", jacobian, r)
        normal = np.einsum("kti,ktj->kij", jacobian, jacobian)
        step = _step(normal, gradient, damping, _held(x, gradient, low, high))
        expected = -(gradient * step).sum(1) / 2
        if ((expected <= tolerance * cost) & (damping <= 1.0)).all():
            break
        tried = np.clip(x + step, low, high)
        tried_r, tried_jacobian = residuals(tried)
        tried_cost = (tried_r**2).sum(1) / 2
        better = tried_cost < cost
        x, r, jacobian = (
            np.where(_wide(better, new), new, old) for new, old in ((tried, x), (tried_r, r), (tried_jacobian, jacobian))
        )
        cost = np.where(better, tried_cost, cost)
        damping = np.clip(damping * np.where(better, 0.2, 8.0), LEAST_DAMPING, MOST_DAMPING)
    return Solution(x, cost, np.einsum("kti,ktj->kij", jacobian, jacobian))


def step_within(
    residual: FloatArray, jacobian: FloatArray, x: FloatArray, low: FloatArray, high: FloatArray, damping: float
) -> FloatArray:
    """The step of one iteration of `solve`, [problems, unknowns], not yet cut to the bounds."""
    gradient = np.einsum("kti,kt->ki", jacobian, residual)
    normal = np.einsum("kti,ktj->kij", jacobian, jacobian)
    return _step(normal, gradient, np.full(len(x), damping), _held(x, gradient, low, high))


def _held(x: FloatArray, gradient: FloatArray, low: FloatArray | float, high: FloatArray | float) -> NDArray[np.bool_]:
    """Which unknowns stand at a bound and want beyond it."""
    return ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))


def _step(normal: FloatArray, gradient: FloatArray, damping: FloatArray, held: NDArray[np.bool_]) -> FloatArray:
    free = ~held
    diagonal = np.einsum("kii->ki", normal)
    matrix = normal * (free[:, :, None] & free[:, None, :])
    np.einsum("kii->ki", matrix)[...] += damping[:, None] * diagonal * free + np.where(held, 1.0, 1e-12)
    return np.asarray(-np.linalg.solve(matrix, (gradient * free)[..., None])[..., 0], dtype=float)


def _wide(choice: NDArray[np.bool_], like: FloatArray) -> NDArray[np.bool_]:
    return choice.reshape(-1, *[1] * (like.ndim - 1))
