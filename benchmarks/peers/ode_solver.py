"""The layer by a general ODE solver, torchdiffeq's dopri5: forward only, because step(t - t_j) gives it no time gradients."""

from __future__ import annotations

from torch import Tensor
from torchdiffeq import odeint


def accumulate(t: Tensor, weight: Tensor, beta: Tensor, tolerance: float) -> Tensor:
    """v(1) [batch, out] of spikes t [batch, in], weight and beta [out, in]; `tolerance`: relative and absolute."""
    drive, conductance = weight.T, (beta * weight).T

    def slope(now: Tensor, v: Tensor) -> Tensor:
        on = (t <= now).to(t.dtype)
        return on @ drive - (on @ conductance) * v

    start = t.new_zeros(len(t), len(weight))
    result: Tensor = odeint(slope, start, t.new_tensor([0.0, 1.0]), rtol=tolerance, atol=tolerance, method="dopri5")[-1]
    return result
