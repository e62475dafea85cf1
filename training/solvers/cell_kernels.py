"""One cell of the time grid for membranes [rows, n], compiled; drives, conductances and, where there are any, curvatures lie side
by side, [rows, 2 n] or [rows, 3 n]."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.solvers import curved_kernels
from training.solvers.compilation import Array, compiled, inlined
from training.solvers.phi_kernels import halvings, phi
from training.solvers.riccati_kernels import halved_rate
from training.solvers.walk_steps import advanced, retreated

_TILE = 512
# Just below 0 in every type.
_TINY = float(np.finfo(np.float32).tiny)


@inlined
def cell_phi(f: Array, d: float, work: Array) -> None:
    """work[1], work[2] = phi1, phi2 of f d."""
    count, bound = len(f), f.dtype.type(0)
    for i in range(count):
        work[0, i] = f[i] * d
    for i in range(count):
        bound = max(bound, abs(work[0, i]))
    phi(work[0], halvings(bound), count, work[1], work[2])


@compiled
def advance(v: Array, drives: Array, width: float, first: int, last: int) -> None:
    """Step the membranes of rows first .. last through a cell of constant g = drives[:, :n], f = drives[:, n:]."""
    n, d, work = v.shape[1], v.dtype.type(width), np.empty((3, _TILE), v.dtype)
    for row in range(first, last):
        for start in range(0, n, _TILE):
            end = min(start + _TILE, n)
            # Slices, whose indices begin at 0: no loop over them has to look out for a negative index.
            g, f, membranes = drives[row, start:end], drives[row, n + start : n + end], v[row, start:end]
            cell_phi(f, d, work)
            for i in range(len(f)):
                membranes[i] = advanced(membranes[i], g[i], f[i], d, work[1, i])


@compiled
def retreat(lam: Array, y: Array, drives: Array, width: float, first: int, last: int) -> None:
    """Adjoint of `advance`: lam = dL/dv and y = lam v go to the start of the cell, `drives` becomes the gradient to itself."""
    n, d, zero, work = lam.shape[1], lam.dtype.type(width), lam.dtype.type(0), np.empty((3, _TILE), lam.dtype)
    for row in range(first, last):
        for start in range(0, n, _TILE):
            end = min(start + _TILE, n)
            g, f = drives[row, start:end], drives[row, n + start : n + end]
            lams, ys = lam[row, start:end], y[row, start:end]
            cell_phi(f, d, work)
            for i in range(len(f)):
                lams[i], ys[i], g[i], minus = retreated(g[i], f[i], lams[i], ys[i], zero, zero, d, work[1, i], work[2, i])
                f[i] = -minus


@inlined
def cell_halvings(g: Array, f: Array, q: Array, d: float) -> Any:
    """Halvings of a curved step."""
    half, rate = f.dtype.type(0.5), f.dtype.type(0)
    for i in range(len(f)):
        rate = max(rate, halved_rate(abs(g[i]), f[i], abs(q[i]), half))
    return halvings(rate * d)


@compiled
def advance_curved(v: Array, drives: Array, width: float, first: int, last: int) -> None:
    """`advance` with q = drives[:, 2 n:] too."""
    n, d, work, end = v.shape[1], v.dtype.type(width), np.empty((3, _TILE), v.dtype), np.empty(_TILE, v.dtype)
    for row in range(first, last):
        for start in range(0, n, _TILE):
            stop = min(start + _TILE, n)
            g, f, q = drives[row, start:stop], drives[row, n + start : n + stop], drives[row, 2 * n + start : 2 * n + stop]
            membranes = v[row, start:stop]
            curved_kernels.advance(membranes, end, g, f, q, d, cell_halvings(g, f, q, d), len(f), work)
            for i in range(len(f)):
                membranes[i] = end[i]


@compiled
def retreat_curved(lam: Array, v: Array, drives: Array, width: float, first: int, last: int) -> None:
    """Adjoint of `advance_curved` from the membranes v: lam goes to the start, `drives` becomes the gradient to itself."""
    n, d, work, end = v.shape[1], v.dtype.type(width), np.empty((3, _TILE), v.dtype), np.empty(_TILE, v.dtype)
    sums = np.empty((3, _TILE), v.dtype)
    for row in range(first, last):
        for start in range(0, n, _TILE):
            stop = min(start + _TILE, n)
            g, f, q = drives[row, start:stop], drives[row, n + start : n + stop], drives[row, 2 * n + start : 2 * n + stop]
            before, halved = v[row, start:stop], cell_halvings(g, f, q, d)
            sums[:] = 0
            curved_kernels.advance(before, end, g, f, q, d, halved, len(f), work)
            curved_kernels.retreat(before, end, g, f, q, lam[row, start:stop], sums, d, halved, len(f), work)
            for i in range(len(f)):
                g[i], f[i], q[i] = sums[0, i], sums[1, i], sums[2, i]


@compiled
def occupancy(t: Array, start: float, end: float, on: Array) -> None:
    """Share of the cell start .. end for which each of t (any flat array) is on."""
    zero, one = t.dtype.type(0), t.dtype.type(1)
    stop, scale = t.dtype.type(end), t.dtype.type(1.0 / (end - start))
    for i in range(len(t)):
        # Compared so that NaN stays.
        share = (stop - t[i]) * scale
        share = one if share > one else share
        on[i] = zero if share < zero else share


@compiled
def time_slope(t: Array, start: float, end: float, on_grad: Array, t_grad: Array) -> None:
    """Adjoint of `occupancy`, added to t_grad. A spike on a grid point belongs to the cell before it, t = 0 to the first."""
    zero, scale = t.dtype.type(0), t.dtype.type(1.0 / (end - start))
    begin, stop = t.dtype.type(start if start > 0.0 else -_TINY), t.dtype.type(end)
    for i in range(len(t)):
        # All is loaded before it is chosen from: the loop stays free of branches.
        now, slope = t[i], on_grad[i] * scale
        slope = slope if now > begin else zero
        t_grad[i] -= slope if now <= stop else zero
