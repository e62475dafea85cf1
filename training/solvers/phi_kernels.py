"""phi1(x) = (1 - e^-x)/x and phi2(x) = (x - 1 + e^-x)/x^2 for compiled loops: no exponential, no division, nothing special at 0.

phi1 = 1 - x phi2 and e^-x = 1 - x phi1, so a polynomial for phi2 gives all three. It holds for |x| <= 1/4; a larger x is halved
n times first and brought back by phi2(2z) = (phi1(z)^2 + 2 phi2(z))/4 and phi1(2z) = phi1(z) (1 + e^-z)/2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from training.solvers.compilation import FAST, Array, inlined

# Arguments up to this need no halving.
SMALL = 0.25
_MOST_HALVINGS = 64
# Taylor coefficients of phi2: at 1/4 five terms leave 1e-7 of it (single precision) and eleven leave 1e-16.
_SERIES = tuple((-1.0) ** n / math.factorial(n + 2) for n in range(11))


def phi2_of_small(x: float) -> float:
    """phi2 of |x| <= 1/4, in compiled code only."""
    raise NotImplementedError


@overload(phi2_of_small, jit_options={"fastmath": FAST}, strict=False)  # type: ignore[untyped-decorator]
def _phi2_of_small(x: Any) -> Callable[[Any], Any]:
    if x == types.float32:
        a0, a1, a2, a3, a4 = (np.float32(a) for a in _SERIES[:5])
        return lambda x: a0 + x * (a1 + x * (a2 + x * (a3 + x * a4)))
    b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10 = _SERIES
    return lambda x: (
        b0 + x * (b1 + x * (b2 + x * (b3 + x * (b4 + x * (b5 + x * (b6 + x * (b7 + x * (b8 + x * (b9 + x * b10)))))))))
    )


@inlined
def halvings(bound: float) -> int:
    """How often arguments of phi of size `bound` at most have to be halved."""
    n = 0
    while bound > SMALL and n < _MOST_HALVINGS:
        bound *= 0.5
        n += 1
    return n


@inlined
def phi(x: Array, n: int, count: int, first: Array, second: Array) -> None:
    """first, second = phi1, phi2 of x[:count], by n halvings."""
    one, half, quarter = x.dtype.type(1), x.dtype.type(0.5), x.dtype.type(0.25)
    scale = one
    for _ in range(n):
        scale *= half
    for i in range(count):
        z = x[i] * scale
        x[i] = z
        second[i] = phi2_of_small(z)
        first[i] = one - z * second[i]
    for _ in range(n):
        for i in range(count):
            p = first[i]
            second[i] = quarter * (p * p + (second[i] + second[i]))
            first[i] = p * (one - half * x[i] * p)
            x[i] += x[i]
