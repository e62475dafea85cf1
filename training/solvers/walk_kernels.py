"""The event walk through a dense crossbar, compiled: block of neurons by block of neurons, so that their synapses stay in cache.

Per block the synapses are laid out input by input, [inputs, block]: scratch of a few hundred kilobytes is all that is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.solvers.compilation import Array, compiled
from training.solvers.phi_kernels import halvings
from training.solvers.walk_steps import advance, late_slope, retreat, step, unstep

BLOCK = 384


@compiled
def largest_conductance(conductance: Array, leak: Array) -> Any:
    """Bound of |f| over the neurons; conductance [inputs, neurons], leak [neurons]."""
    total = np.abs(leak)
    for j in range(conductance.shape[0]):
        for i in range(len(total)):
            total[i] += abs(conductance[j, i])
    return total.max()


@compiled
def walk(
    times: Array, order: Array, weight: Array, beta: Array, kick: Array, bias: Array, leak: Array, v_reset: float,
    v: Array, g: Array, f: Array, first: int, last: int,
) -> None:  # fmt: skip
    """State of outputs first .. last at t = 1.

    times, order [batch, inputs]: spike times in order, and whose they are; times of 1 and later never arrive. weight, beta, kick
    [outputs, inputs]; bias, leak [outputs]: drive and conductance from t = 0. v, g, f [batch, outputs] are written.
    """
    one, inputs = times.dtype.type(1), times.shape[1]
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        block = slice(start, start + count)
        w, c = weight[block].T.copy(), beta[block].T.copy()
        c *= w
        k = None if kick is None else kick[block].T.copy()
        bound = largest_conductance(c, leak[block])
        v_now, g_now, f_now = np.empty((1, count), w.dtype), np.empty((1, count), w.dtype), np.empty((1, count), w.dtype)
        work = np.empty((3, count), w.dtype)
        for sample in range(times.shape[0]):
            v_now[0, :] = v_reset
            g_now[0, :] = bias[block]
            f_now[0, :] = leak[block]
            now = one - one
            for j in range(inputs):
                t = times[sample, j]
                if t >= one:
                    break
                step(v_now, g_now, f_now, 0, t - now, halvings((t - now) * bound), w, c, k, order[sample, j], count, work)
                now = t
            advance(v_now, g_now, f_now, 0, one - now, halvings((one - now) * bound), count, work)
            v[sample, block] = v_now[0]
            g[sample, block] = g_now[0]
            f[sample, block] = f_now[0]


@compiled
def walk_back(
    times: Array, order: Array, weight: Array, beta: Array, kick: Array, v: Array, g: Array, f: Array, v_grad: Array,
    weight_grad: Array, beta_grad: Array, kick_grad: Array, bias_grad: Array, leak_grad: Array, time_grad: Array,
    first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `walk`: adds to `time_grad` [batch, inputs] (not sorted), writes the other gradients, shaped as their arguments.

    An input at t = 1 exactly gets the time gradient from below, one beyond it none.
    """
    one, zero, inputs = times.dtype.type(1), times.dtype.type(0), times.shape[1]
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        block = slice(start, start + count)
        w, c = weight[block].T.copy(), beta[block].T.copy()
        c *= w
        k = None if kick is None else kick[block].T.copy()
        w_grad, c_grad = np.zeros_like(w), np.zeros_like(w)
        k_grad: Any = None if kick is None else np.zeros_like(w)
        bound = zero
        for sample in range(times.shape[0]):
            for i in range(count):
                bound = max(bound, abs(f[sample, start + i]))
        g_now, f_now, lam = np.empty((1, count), w.dtype), np.empty((1, count), w.dtype), np.empty((1, count), w.dtype)
        y, p, q = np.empty((1, count), w.dtype), np.empty((1, count), w.dtype), np.empty((1, count), w.dtype)
        work, p_sum, q_sum = np.empty((3, count), w.dtype), np.zeros(count, w.dtype), np.zeros(count, w.dtype)
        for sample in range(times.shape[0]):
            g_now[0, :] = g[sample, block]
            f_now[0, :] = f[sample, block]
            lam[0, :] = v_grad[sample, block]
            y[0, :] = lam[0] * v[sample, block]
            p[0, :] = 0
            q[0, :] = 0
            now = one
            for j in range(inputs - 1, -1, -1):
                t, source = times[sample, j], order[sample, j]
                if t < one:
                    d, now = now - t, t
                    slope = unstep(
                        g_now,
                        f_now,
                        lam,
                        y,
                        p,
                        q,
                        0,
                        d,
                        halvings(d * bound),
                        w,
                        c,
                        k,
                        w_grad,
                        c_grad,
                        k_grad,
                        source,
                        count,
                        work,
                    )
                    if time_grad is not None:
                        time_grad[sample, source] += slope
                elif t == one and time_grad is not None:
                    time_grad[sample, source] += late_slope(lam, y, 0, w, c, source, count)
            retreat(g_now, f_now, lam, y, p, q, 0, now, halvings(now * bound), count, work)
            p_sum += p[0]
            q_sum += q[0]
        bias_grad[block] = p_sum
        leak_grad[block] = -q_sum
        # conductance = beta weight: the chain rule of a product, where the block still lies in cache.
        for i in range(count):
            for j in range(inputs):
                weight_grad[start + i, j] = w_grad[j, i] + beta[start + i, j] * c_grad[j, i]
                beta_grad[start + i, j] = weight[start + i, j] * c_grad[j, i]
        if kick is not None:
            kick_grad[block] = k_grad.T
