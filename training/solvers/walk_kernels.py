"""The event walk through a dense crossbar, compiled: block of neurons by block of neurons, so that their synapses stay in cache.

Per block the synapses are laid out input by input, [inputs, block]: scratch of a few hundred kilobytes is all that is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.solvers.compilation import Array, compiled, inlined
from training.solvers.phi_kernels import halvings
from training.solvers.walk_steps import advance, begin, begin_back, late_slope, retreat, step, unstep

BLOCK = 384


@compiled
def largest_conductance(conductance: Array, leak: Array, start: int) -> Any:
    """Bound of |f| over the neurons of a block; conductance [inputs, block], leak of the neurons from `start` on."""
    largest = conductance.dtype.type(0)
    for i in range(conductance.shape[1]):
        total = abs(leak[start + i])
        for j in range(conductance.shape[0]):
            total += abs(conductance[j, i])
        largest = max(largest, total)
    return largest


@inlined
def columns(weight: Array, beta: Array, kick: Array, start: int, count: int) -> Any:
    """Weight, conductance and kick of the outputs from `start` on, each [inputs, count]."""
    w, c = weight[start : start + count].T.copy(), beta[start : start + count].T.copy()
    for j in range(w.shape[0]):
        for i in range(count):
            c[j, i] *= w[j, i]
    return w, c, None if kick is None else kick[start : start + count].T.copy()


@compiled
def walk(
    times: Array, order: Array, weight: Array, beta: Array, kick: Array, bias: Array, leak: Array, v_reset: float,
    v: Array, g: Array, f: Array, first: int, last: int,
) -> None:  # fmt: skip
    """State of outputs first .. last at t = 1.

    times, order [batch, inputs]: spike times in order, and whose they are; times of 1 and later never arrive. weight, beta, kick
    [outputs, inputs]; bias, leak [outputs]: drive and conductance from t = 0. v, g, f [batch, outputs] are written.
    """
    one, zero, inputs = times.dtype.type(1), times.dtype.type(0), times.shape[1]
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w, c, k = columns(weight, beta, kick, start, count)
        bound = largest_conductance(c, leak, start)
        state, work = np.empty((3, 1, count), w.dtype), np.empty((3, count), w.dtype)
        v_now, g_now, f_now = state[0], state[1], state[2]
        for sample in range(times.shape[0]):
            begin(v_now, g_now, f_now, 0, v_reset, bias, leak, start, count)
            now = zero
            for j in range(inputs):
                t = times[sample, j]
                if t >= one:
                    break
                step(v_now, g_now, f_now, 0, t - now, halvings((t - now) * bound), w, c, k, order[sample, j], count, work)
                now = t
            advance(v_now, g_now, f_now, 0, one - now, halvings((one - now) * bound), count, work)
            for i in range(count):
                v[sample, start + i] = v_now[0, i]
                g[sample, start + i] = g_now[0, i]
                f[sample, start + i] = f_now[0, i]


@compiled
def walk_back(
    times: Array, order: Array, weight: Array, beta: Array, kick: Array, leak: Array, v: Array, g: Array, f: Array, v_grad: Array,
    weight_grad: Array, beta_grad: Array, kick_grad: Array, bias_grad: Array, leak_grad: Array, time_grad: Array,
    first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `walk`: adds to `time_grad` [batch, inputs] (not sorted) and to `bias_grad`, `leak_grad` [outputs].

    Writes the other gradients, shaped as their arguments. An input at t = 1 exactly gets the time gradient from below, one beyond
    it none.
    """
    one = times.dtype.type(1)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w, c, k = columns(weight, beta, kick, start, count)
        w_grad, c_grad = np.zeros_like(w), np.zeros_like(w)
        k_grad: Any = None if kick is None else np.zeros_like(w)
        bound = largest_conductance(c, leak, start)
        state, work = np.empty((6, 1, count), w.dtype), np.empty((3, count), w.dtype)
        g_now, f_now, lam, y, p, q = state[0], state[1], state[2], state[3], state[4], state[5]
        for sample in range(times.shape[0]):
            begin_back(g_now, f_now, lam, y, p, q, 0, v, g, f, v_grad, sample, start, count)
            now = one
            for j in range(times.shape[1] - 1, -1, -1):
                t, source = times[sample, j], order[sample, j]
                if t < one:
                    d, now = now - t, t
                    slope = unstep(
                        g_now, f_now, lam, y, p, q, 0, d, halvings(d * bound),
                        w, c, k, w_grad, c_grad, k_grad, source, count, work,
                    )  # fmt: skip
                    if time_grad is not None:
                        time_grad[sample, source] += slope
                elif t == one and time_grad is not None:
                    time_grad[sample, source] += late_slope(lam, y, 0, w, c, source, count)
            retreat(g_now, f_now, lam, y, p, q, 0, now, halvings(now * bound), count, work)
            for i in range(count):
                bias_grad[start + i] += p[0, i]
                leak_grad[start + i] -= q[0, i]
        # conductance = beta weight: the chain rule of a product, where the block still lies in cache.
        for i in range(count):
            for j in range(w.shape[0]):
                weight_grad[start + i, j] = w_grad[j, i] + beta[start + i, j] * c_grad[j, i]
                beta_grad[start + i, j] = w[j, i] * c_grad[j, i]
                if kick is not None:
                    kick_grad[start + i, j] = k_grad[j, i]
