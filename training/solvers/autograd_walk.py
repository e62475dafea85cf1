"""The event walk as plain torch operations, differentiated by autograd: every step is stored. A reference, for any device."""

from __future__ import annotations

import torch
from torch import Tensor

from training.solvers.phi import phi1
from training.solvers.reversal import Beta, beta_of


def accumulate(
    t: Tensor,
    weight: Tensor,
    beta: Beta,
    kick: Tensor | None = None,
    *,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
) -> Tensor:
    """v(1) [batch, out]; arguments as in `event_walk.accumulate`."""
    times, order = t.sort(dim=1)
    arrived, times = (times < 1.0).to(t.dtype), times.clamp(0.0, 1.0)
    # The interval after the last spike ends with the phase.
    ends = torch.cat([times[:, 1:], torch.ones_like(times[:, :1])], 1)
    g, f = (torch.zeros_like(weight[:, 0]) if x is None else x for x in (bias, leak))
    v = torch.full_like(t[:, :1] * g, v_reset)
    v = _step(v, g, f, times[:, :1])
    for j in range(t.shape[1]):
        w, c = (x.T[order[:, j]] for x in (weight, beta_of(beta, weight) * weight))
        if kick is not None:
            v = v + kick.T[order[:, j]] * arrived[:, j, None]
        g, f = g + w, f + c
        v = _step(v, g, f, (ends - times)[:, j, None])
    return v


def _step(v: Tensor, g: Tensor, f: Tensor, d: Tensor) -> Tensor:
    return v + d * phi1(f * d) * (g - f * v)
