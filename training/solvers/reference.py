"""Oracle of the accumulation phase: scipy's ODE solver in float64, one event interval after another. For tests and reports."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

FloatArray = NDArray[np.float64]


def accumulate(
    t: FloatArray,
    weight: FloatArray,
    beta: FloatArray,
    kick: FloatArray | float = 0.0,
    *,
    v_reset: float = 0.0,
    bias: FloatArray | float = 0.0,
    leak: FloatArray | float = 0.0,
    curvature: FloatArray | float = 0.0,
    leakage: FloatArray | float = 0.0,
    bend: FloatArray | float = 0.0,
    rtol: float = 1e-12,
) -> FloatArray:
    """v(1) [batch, out] before the synapses switch off; arguments as in `autograd_walk.accumulate`, in numpy."""

    def each(x: FloatArray | float) -> FloatArray:
        return np.broadcast_to(x, weight.shape)

    synapses = weight, each(beta), each(kick), each(curvature), each(leakage)
    return np.stack([_one_sample(times, *synapses, v_reset, bias, leak, bend, rtol) for times in np.maximum(t, 0.0)])


def _one_sample(
    times: FloatArray, weight: FloatArray, beta: FloatArray, kick: FloatArray, curvature: FloatArray, leakage: FloatArray,
    v_reset: float, bias: FloatArray | float, leak: FloatArray | float, bend: FloatArray | float, rtol: float,
) -> FloatArray:  # fmt: skip
    v = np.full(len(weight), v_reset)
    events = np.unique(np.concatenate([[0.0], times[times < 1.0], [1.0]]))
    for start, end in pairwise(events):
        v = v + kick[:, times == start].sum(1)
        on = times <= start

        def slope(_: float, v: FloatArray, on: NDArray[np.bool_] = on) -> FloatArray:
            u = v[:, None]
            arrived = (weight[:, on] * (1.0 - beta[:, on] * u + curvature[:, on] * u * u)).sum(1)
            current: FloatArray = bias - leak * v + bend * v * v + arrived + leakage[:, ~on].sum(1)
            return current

        v = solve_ivp(slope, (start, end), v, method="DOP853", rtol=rtol, atol=1e-14).y[:, -1]
    return v
