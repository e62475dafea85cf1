"""What DSTD does in one cell of its grid, in place: compiled on the CPU, by torch elsewhere.

Shapes: t, on any; membranes [rows, n]; `drives` [rows, 2 n], the mean drive g and the mean conductance f side by side, or
[rows, 3 n], the mean curvature q beside them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.solvers import cell_kernels, riccati
from training.solvers.phi import phi1_phi2, phi1_value
from training.solvers.threads import array, over_threads, written


def occupancy(t: Tensor, start: float, end: float) -> Tensor:
    """Share of the cell start .. end for which each spike is on."""
    if t.is_cpu:
        on = torch.empty_like(t)
        cell_kernels.occupancy(array(t.view(-1)), start, end, written(on.view(-1)))
        return on
    return ((end - t) / (end - start)).clamp_(0.0, 1.0)


def add_time_gradient(t_grad: Tensor, t: Tensor, start: float, end: float, on_grad: Tensor) -> None:
    """Adjoint of `occupancy`. A spike on a grid point belongs to the cell that ends there, one at t = 0 to the first cell."""
    if t.is_cpu:
        cell_kernels.time_slope(array(t.view(-1)), start, end, array(on_grad.reshape(-1)), written(t_grad.view(-1)))
        return
    t_grad -= on_grad * inside(t, start, end) / (end - start)


def inside(t: Tensor, start: float, end: float) -> Tensor:
    """Which spikes lie in the cell."""
    return (t > start if start > 0.0 else t >= start) & (t <= end)


def advance(v: Tensor, drives: Tensor, width: float) -> None:
    """Step the membranes `v` through a cell."""
    curved = drives.shape[1] == 3 * v.shape[1]
    if v.is_cpu:
        membranes, given = written(v), array(drives)
        kernel = cell_kernels.advance_curved if curved else cell_kernels.advance
        over_threads(lambda first, last: kernel(membranes, given, width, first, last), len(v), v.numel())
        return
    if curved:
        g, f, q = drives.chunk(3, 1)
        v.copy_(riccati.step(v, g, f, q, width))
        return
    g, f = drives.chunk(2, 1)
    v += width * phi1_value(f * width) * (g - f * v)


def retreat(lam: Tensor, y: Tensor, drives: Tensor, width: float) -> None:
    """Adjoint of `advance`: lam = dL/dv and y = lam v go to the start of the cell, `drives` becomes the gradient to itself."""
    if lam.is_cpu:
        states = [written(x) for x in (lam, y, drives)]
        over_threads(lambda first, last: cell_kernels.retreat(*states, width, first, last), len(lam), lam.numel())
        return
    g, f = drives.chunk(2, 1)
    first, second = phi1_phi2(f * width)
    held = lam * width
    part = held * first
    minus = width * (g * held * second - y)
    y -= g * part
    lam -= f * part
    drives.copy_(torch.cat([part, minus], 1))


def retreat_curved(lam: Tensor, v: Tensor, drives: Tensor, width: float) -> None:
    """Adjoint of `advance` through three drives from the membranes v: lam goes to the start of the cell, `drives` becomes the
    gradient to itself."""
    if lam.is_cpu:
        states = [written(lam), array(v), written(drives)]
        over_threads(lambda first, last: cell_kernels.retreat_curved(*states, width, first, last), len(lam), lam.numel())
        return
    given = [x.detach().requires_grad_() for x in (v, *drives.chunk(3, 1))]
    with torch.enable_grad():
        before, g, f, q = given
        end = riccati.step(before, g, f, q, width)
    v_grad, *drives_grad = torch.autograd.grad(end, given, lam)
    lam.copy_(v_grad)
    drives.copy_(torch.cat(drives_grad, 1))
