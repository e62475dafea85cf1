"""The step of a membrane with a quadratic current, in torch operations: dv/dt = g - f v + q v^2 with constant g, f, q.

With D = f^2/4 - q g and tau(d) = tanh(sqrt(D) d)/sqrt(D), which is analytic in D (tan where D < 0, d - D d^3/3 + .. about 0),

    v(d) = v + tau (g - f v + q v^2) / [1 + tau (f/2 - q v)],

and for q = 0 this is the exponential step. The parabola of a current holds where it was measured; a membrane far beyond may run
away in a finite time, where that denominator falls through zero. So membranes end at +-`REACH`. A current that vanishes
somewhere, gamma < beta^2/4 of its synapse, holds them on this side of its zero: nothing of the kind happens there.
"""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 32.0
"""Thresholds: farther than any rail, and than the reversal of any cell whose current is measurably curved."""

LOWEST = -2.0
"""Of D d^2, short of the pole of the tangent at -(pi/2)^2. Where D < 0 nothing holds a membrane, and beyond this it runs away."""

LEAST_DENOMINATOR = 1e-3
"""Below it a membrane runs away within the step."""

# Below this |z| the series of tanh(sqrt z)/sqrt z is exact to 1e-17.
_SERIES_BELOW = 1e-3


def tanhc(z: Tensor) -> Tensor:
    """tanh(sqrt z)/sqrt z of z > -(pi/2)^2, any shape, differentiable at 0 too."""
    small = z.abs() < _SERIES_BELOW
    series = 1 - z / 3 * (1 - z * 2 / 5 * (1 - z * 17 / 42 * (1 - z * 62 / 153 * (1 - z * 1382 / 3410))))
    up, down = (torch.where(small | (sign * z <= 0), 1.0, sign * z).sqrt() for sign in (1, -1))
    return torch.where(small, series, torch.where(z > 0, up.tanh() / up, down.tan() / down))


def step(v: Tensor, g: Tensor, f: Tensor, q: Tensor, d: Tensor | float) -> Tensor:
    """Membranes a time d later; shapes broadcast.

    One that has run away is at +-`REACH`. Its gradient is that of a membrane without reversal and curvature, v + d g, so that
    training can bring it back.
    """
    z = (f * f / 4 - q * g) * d * d
    tau = d * tanhc(z.clamp_min(LOWEST))
    below = 1 + tau * (f / 2 - q * v)
    runs = (below <= LEAST_DENOMINATOR) | (z <= LOWEST)
    ended = v + tau * (g - f * v + q * v * v) / torch.where(runs, 1.0, below)
    far = runs | (ended.abs() > REACH)
    straight = v + d * g
    edge = torch.where(runs, q, ended).detach().sign() * REACH
    return torch.where(far, edge + straight - straight.detach(), ended)
