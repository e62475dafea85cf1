"""One cell of the time grid for all membranes [batch, n] of a batch, compiled; drives and conductances are [batch, 2 n]."""

from __future__ import annotations

import numpy as np

from training.solvers.compilation import Array, compiled
from training.solvers.phi_kernels import halvings, phi
from training.solvers.walk_steps import advanced, retreated

_TILE = 512


@compiled
def advance(v: Array, drives: Array, width: float, first: int, last: int) -> None:
    """Step the membranes of samples first .. last through a cell of constant g = drives[:, :n], f = drives[:, n:]."""
    n = v.shape[1]
    work = np.empty((3, _TILE), v.dtype)
    d, zero = v.dtype.type(width), v.dtype.type(0)
    for sample in range(first, last):
        for start in range(0, n, _TILE):
            count, bound = min(_TILE, n - start), zero
            for i in range(count):
                x = drives[sample, n + start + i] * d
                work[0, i] = x
                bound = max(bound, abs(x))
            phi(work[0], halvings(bound), count, work[1], work[2])
            for i in range(start, start + count):
                v[sample, i] = advanced(v[sample, i], drives[sample, i], drives[sample, n + i], d, work[1, i - start])


@compiled
def retreat(lam: Array, y: Array, drives: Array, width: float, first: int, last: int) -> None:
    """Adjoint of `advance`: lam = dL/dv and y = lam v go to the start of the cell, `drives` becomes the gradient to itself."""
    n = lam.shape[1]
    work = np.empty((3, _TILE), lam.dtype)
    d, zero = lam.dtype.type(width), lam.dtype.type(0)
    for sample in range(first, last):
        for start in range(0, n, _TILE):
            count, bound = min(_TILE, n - start), zero
            for i in range(count):
                x = drives[sample, n + start + i] * d
                work[0, i] = x
                bound = max(bound, abs(x))
            phi(work[0], halvings(bound), count, work[1], work[2])
            for i in range(start, start + count):
                lam[sample, i], y[sample, i], drives[sample, i], minus = retreated(
                    drives[sample, i], drives[sample, n + i], lam[sample, i], y[sample, i], zero, zero, d,
                    work[1, i - start], work[2, i - start],
                )  # fmt: skip
                drives[sample, n + i] = -minus


@compiled
def occupancy(t: Array, start: float, end: float, on: Array, first: int, last: int) -> None:
    """Share of the cell start .. end for which each of t[first:last] (any flat array) is on."""
    zero, one = t.dtype.type(0), t.dtype.type(1)
    stop, scale = t.dtype.type(end), t.dtype.type(1.0 / (end - start))
    for i in range(first, last):
        on[i] = min(max((stop - t[i]) * scale, zero), one)


@compiled
def time_slope(t: Array, start: float, end: float, on_grad: Array, t_grad: Array, first: int, last: int) -> None:
    """Adjoint of `occupancy`, added to t_grad. A spike on a grid point belongs to the cell before it, t = 0 to the first."""
    scale = t.dtype.type(1.0 / (end - start))
    begin, stop = t.dtype.type(start), t.dtype.type(end)
    for i in range(first, last):
        if (t[i] > begin or (t[i] == 0 and begin == 0)) and t[i] <= stop:
            t_grad[i] -= on_grad[i] * scale
