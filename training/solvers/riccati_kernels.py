"""The step of `training.solvers.riccati` and its exact derivative for compiled loops: no exponential, nothing special at D = 0.

tau(d) = d N(z)/M(z) with z = D d^2 and N/M from the continued fraction of tanh; it holds for |z| <= 1/4. A longer step is halved
n times first and brought back by tau(2 d) = 2 tau/(1 + D tau^2). A step then takes one division, by M + d N (f/2 - q v).

With `part` = d N and `whole` = M, or tau and 1 after halvings, tau = part/whole, and `bend` = whole^2 dtau/dD.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from training.solvers.compilation import FAST, Array, called, inlined
from training.solvers.riccati import LOWEST


def fraction_of_small(z: float) -> tuple[float, float, float]:
    """N, M and (M - N)/z of |z| <= 1/4, relative error 1e-10 in single and 2e-16 in double precision; in compiled code only."""
    raise NotImplementedError


@overload(fraction_of_small, jit_options={"fastmath": FAST}, strict=False)  # type: ignore[untyped-decorator]
def _fraction_of_small(z: Any) -> Callable[[Any], Any]:
    if z == types.float32:
        n1, n2, m1, m2 = (np.float32(a) for a in (1 / 9, 1 / 945, 4 / 9, 1 / 63))
        one, k0, k1 = (np.float32(a) for a in (1, 1 / 3, 2 / 135))
        return lambda z: (one + z * (n1 + z * n2), one + z * (m1 + z * m2), k0 + z * k1)
    return lambda z: (
        1.0 + z * (5 / 39 + z * (2 / 715 + z / 135135)),
        1.0 + z * (6 / 13 + z * (10 / 429 + z * (4 / 19305))),
        1 / 3 + z * (4 / 195 + z / 5005),
    )


@inlined
def halved_rate(weight: float, conductance: float, curvature: float, half: float) -> Any:
    """Half of a bound of sqrt|D| from bounds of |g|, |f| and |q|: times d it is what `phi_kernels.halvings` wants of a step."""
    return half * np.sqrt(half * half * conductance * conductance + curvature * weight)


@called
def tau(g: Array, f: Array, q: Array, d: float, n: int, count: int, work: Array) -> None:
    """work[0], work[1], work[2] = D, tau, dtau/dD of the first `count` neurons, by n halvings of d. D is held at LOWEST/d^2."""
    one, half = f.dtype.type(1), f.dtype.type(0.5)
    lowest = f.dtype.type(LOWEST) / (d * d)
    short = d
    for _ in range(n):
        short *= half
    for i in range(count):
        root = f[i] * half
        discriminant = root * root - q[i] * g[i]
        work[0, i] = lowest if discriminant < lowest else discriminant
    for i in range(count):
        top, whole, rest = fraction_of_small(work[0, i] * short * short)
        inverse = one / whole
        work[1, i] = short * top * inverse
        work[2, i] = short * short * short * half * (whole * rest - top * top) * inverse * inverse
    for _ in range(n):
        for i in range(count):
            t = work[1, i]
            square = work[0, i] * t * t
            inverse = one / (one + square)
            work[1, i] = (t + t) * inverse
            slope = (work[2, i] * (one - square) - t * t * t) * inverse * inverse
            work[2, i] = slope + slope


@inlined
def ended(
    v: float, g: float, f: float, q: float, part: float, whole: float, half: float, least: float, reach: float, runs: bool
) -> float:
    """Membrane after the step, at +-`reach` where it has run away, for which `runs` is one reason. NaN stays."""
    below = whole + part * (half * f - q * v)
    end = v + part * (g - v * (f - q * v)) / below
    edge = reach if q > 0 else -reach
    end = edge if runs or below <= least * whole else end
    end = reach if end > reach else end
    return -reach if end < -reach else end


@inlined
def slopes(
    v: float, end: float, g: float, f: float, q: float, discriminant: float, part: float, whole: float, bend: float,
    d: float, one: float, half: float, reach: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Derivatives of `end` by v, g, f, q. A membrane that has run away has those of v + d g."""
    inverse = one / (whole + part * (half * f - q * v))
    by_tau = (g - v * (f - q * v)) * bend * inverse * inverse
    share = part * inverse
    by_v = (whole * whole - discriminant * part * part) * inverse * inverse
    by_g, by_f = share - q * by_tau, half * (f * by_tau - share * (v + end))
    by_q = share * v * end - g * by_tau
    inside = abs(end) < reach
    zero = one - one
    return by_v if inside else one, by_g if inside else d, by_f if inside else zero, by_q if inside else zero
