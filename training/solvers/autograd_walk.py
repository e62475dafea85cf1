"""The event walk as plain torch operations, differentiated by autograd: every step is stored, on any device.

A reference, and the exact solution where the capacitance of a membrane moves with its inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.solvers import riccati
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
    lift: Tensor | None = None,
    curvature: Tensor | None = None,
    leakage: Tensor | None = None,
    bend: Tensor | None = None,
    mixing: Tensor | None = None,
    visited: list[Tensor] | None = None,
) -> Tensor:
    """v(1) [batch, out]; arguments as in `event_walk.accumulate`. Synapses may be [batch, out, in], each sample with its own, and
    then what is [out] there is [batch, out].

    Args:
        lift: share of the membrane's capacitance that leaves it, at its voltage, as input j arrives, [out, in]; at most 1 in all.
            (1 - L) dv/dt = g - f v + q v^2, with L the sum of those that have left.
        curvature: gamma of the synapses, [out, in]; q is the sum of the arrived gamma w.
        leakage: drive of input j until it arrives, [out, in].
        bend: q from t = 0 on, [out].
        mixing: what a charge that reaches one membrane moves every membrane by, [out, out] (`training.coupling`). The charge of a
            step of length d does so at its middle: a share of (f d)^2/24 of what others move in it is left out.
        visited: gets the membranes at every input that arrives, [batch, out] each, in the order of their times.
    """
    times, order = t.sort(dim=1)
    arrived, times = (times < 1.0).to(t.dtype), times.clamp(0.0, 1.0)
    # The interval after the last spike ends with the phase.
    ends = torch.cat([times[:, 1:], torch.ones_like(times[:, :1])], 1)
    g, f = (torch.zeros_like(weight[..., 0]) if x is None else x for x in (bias, leak))
    q = bend if curvature is None or bend is not None else torch.zeros_like(g)
    if leakage is not None:
        g = g + leakage.sum(-1)
    v = torch.full_like(t[:, :1] * g, v_reset)
    left = torch.ones_like(g)
    v = _step(v, g, f, q, times[:, :1], mixing)
    for j in range(t.shape[1]):
        w, c = (_arriving(x, order[:, j]) for x in (weight, beta_of(beta, weight) * weight))
        if kick is not None:
            v = v + mixed(_arriving(kick, order[:, j]) * arrived[:, j, None] / left, mixing)
        g, f = g + w, f + c
        if curvature is not None and q is not None:
            q = q + _arriving(curvature * weight, order[:, j])
        if leakage is not None:
            g = g - _arriving(leakage, order[:, j])
        if lift is not None:
            left = left - _arriving(lift, order[:, j])
        if visited is not None:
            visited.append(v)
        v = _step(v, g, f, q, (ends - times)[:, j, None] / left, mixing)
    return v


def mixed(charge: Tensor, mixing: Tensor | None) -> Tensor:
    """What membranes move by where so much charge reaches them, each [batch, out]."""
    return charge if mixing is None else charge @ mixing.T


def _arriving(synapses: Tensor, which: Tensor) -> Tensor:
    """Of the input that arrives in each sample, [batch, out]."""
    if synapses.dim() == 2:
        return synapses.T[which]
    return synapses.gather(-1, which[:, None, None].expand(-1, synapses.shape[1], 1))[..., 0]


def _step(v: Tensor, g: Tensor, f: Tensor, q: Tensor | None, d: Tensor, mixing: Tensor | None) -> Tensor:
    later = v + d * phi1(f * d) * (g - f * v) if q is None else riccati.step(v, g, f, q, d)
    if mixing is None:
        return later
    own = later - v
    conductance = f if q is None else f - q * (v + later)
    return later + (-conductance * d / 2).exp() * (mixed(own, mixing) - own)
