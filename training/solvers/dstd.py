"""Differentiable spike-time discretisation (DSTD) of the accumulation phase.

On the grid T_m = m dt - offset, last point 1, step(t - t_j) is replaced by its mean over each cell of width d_m,
S_jm = clip((T_{m+1} - t_j)/d_m, 0, 1). Drive and conductance of all cells are then one matrix product, and each cell one
exponential step. The error of v(1) falls as steps^-2, that of its time gradient as steps^-1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.solvers.phi import phi1


def grid(steps: int, offset: float, like: Tensor) -> Tensor:
    """Grid points T_0 .. T_M, [steps + 1], or [steps + 2] with an offset in (0, 1/steps): then the last cell is narrower."""
    if not 0.0 <= offset < 1.0 / steps:
        raise ValueError(f"offset: {offset} must lie in [0, 1/steps), here 1/{steps}")
    points = torch.arange(steps + 1, dtype=like.dtype, device=like.device) / steps - offset
    return torch.cat([points, points.new_ones(1)]) if offset else points


def accumulate(
    t: Tensor,
    weight: Tensor,
    beta: Tensor,
    kick: Tensor | None = None,
    *,
    v_reset: float = 0.0,
    steps: int = 10,
    offset: float = 0.0,
) -> Tensor:
    """v(1) [batch, out] before the synapses switch off; arguments as in `event_walk.accumulate`.

    Args:
        steps: M, grid cells of the phase.
        offset: shift of the grid in [0, 1/steps); draw it anew per layer and mini-batch for the "random offset" of training.

    A kick is shared between the two grid points beside its spike so that its mean time is right. What remains of its error is
    at most kick |beta w| / (4 steps): first order, but a kick is already a thousandth of the threshold.
    """
    points = grid(steps, offset, t)
    width = points.diff()
    on = ((points[1:, None, None] - t.clamp(min=0.0)) / width[:, None, None]).clamp(0.0, 1.0)
    drive, conductance = (on @ torch.cat([weight, beta * weight]).T).tensor_split(2, 2)
    shrink = width[:, None, None] * phi1(conductance * width[:, None, None])
    kicks = None if kick is None else _kicks(on, t, kick)
    v = t.new_full((t.shape[0], weight.shape[0]), v_reset)
    for m in range(len(width)):
        if kicks is not None:
            v = v + kicks[m]
        v = v + shrink[m] * (drive[m] - conductance[m] * v)
    return v if kicks is None else v + kicks[-1]


def _kicks(on: Tensor, t: Tensor, kick: Tensor) -> Tensor:
    """Jump of v at each grid point, [points, batch, out]."""
    arrived = torch.cat([torch.zeros_like(on[:1]), on, (t < 1.0).to(t.dtype)[None]])
    return arrived.diff(dim=0) @ kick.T
