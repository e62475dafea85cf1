"""The event walk through a dense crossbar, compiled: block of neurons by block of neurons, so that their synapses stay in cache.

Per block the synapses are laid out input by input, [inputs, block]: scratch of a few hundred kilobytes is all that is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.solvers.compilation import Array, called, compiled, inlined
from training.solvers.phi_kernels import SMALL, halvings
from training.solvers.scratch import aligned, columns, products, zeros_as
from training.solvers.walk_steps import (
    advance,
    begin,
    begin_back,
    beta_weight,
    late_slope,
    retreat,
    step,
    step_twice,
    unstep,
    unstep_twice,
)

BLOCK = 384


@called
def largest_conductance(weight: Array, conductance: Array, plus: Array, minus: Array, leak: Array, start: int) -> Any:
    """Bound of |f| over a block of neurons: weight, conductance [inputs, block], plus, minus [block], leak from `start` on."""
    count = len(plus)
    total = np.empty(count, weight.dtype)
    for i in range(count):
        total[i] = abs(leak[start + i])
    for j in range(weight.shape[0]):
        for i in range(count):
            total[i] += abs(beta_weight(weight, conductance, plus, minus, j, i))
    largest = weight.dtype.type(0)
    for i in range(count):
        largest = max(largest, total[i])
    return largest


@compiled
def walk(
    times: Array, order: Array, weight: Array, beta: Array, plus: Array, minus: Array, kick: Array, bias: Array, leak: Array,
    v_reset: float, v: Array, g: Array, f: Array, first: int, last: int,
) -> None:  # fmt: skip
    """State of outputs first .. last at t = 1.

    times, order [batch, inputs]: spike times in order, and whose they are; times of 1 and later never arrive. weight, kick
    [outputs, inputs]; beta [outputs, inputs], or None: then plus, minus [outputs] are those of positive and negative weights.
    bias, leak [outputs]: drive and conductance from t = 0. v, g, f [batch, outputs] are written.
    """
    one, zero, inputs = times.dtype.type(1), times.dtype.type(0), times.shape[1]
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w, k = columns(weight, start, count), columns(kick, start, count)
        c, signs = products(beta, w, start, count), aligned(2, count, w)
        for i in range(count):
            signs[0, i], signs[1, i] = plus[start + i], minus[start + i]
        b_plus, b_minus = signs[0, :count], signs[1, :count]
        bound = largest_conductance(w, c, b_plus, b_minus, leak, start)
        work, v_now, g_now, f_now = aligned(3, count, w), aligned(1, count, w), aligned(1, count, w), aligned(1, count, w)
        for sample in range(times.shape[0]):
            begin(v_now, g_now, f_now, 0, v_reset, bias, leak, start, count)
            now = zero
            j = 0
            while j < inputs and not times[sample, j] >= one:
                t, source = times[sample, j], order[sample, j]
                after = times[sample, j + 1] if j + 1 < inputs else one
                if k is None and after < one and max(t - now, after - t) * bound <= SMALL:
                    step_twice(
                        v_now, g_now, f_now, 0, t - now, after - t, w, c, b_plus, b_minus, source, order[sample, j + 1], count
                    )
                    j += 2
                    now = after
                else:
                    d = t - now
                    step(v_now, g_now, f_now, 0, d, halvings(d * bound), w, c, b_plus, b_minus, k, source, count, work)
                    j += 1
                    now = t
            advance(v_now, g_now, f_now, 0, one - now, halvings((one - now) * bound), count, work)
            for i in range(count):
                v[sample, start + i] = v_now[0, i]
                g[sample, start + i] = g_now[0, i]
                f[sample, start + i] = f_now[0, i]


@compiled
def walk_back(
    times: Array, order: Array, weight: Array, beta: Array, plus: Array, minus: Array, kick: Array, leak: Array,
    v: Array, g: Array, f: Array, v_grad: Array,
    weight_grad: Array, beta_grad: Array, plus_grad: Array, minus_grad: Array, kick_grad: Array, bias_grad: Array,
    leak_grad: Array, time_grad: Array, late: bool, first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `walk`: adds to `time_grad` [batch, inputs] (not sorted) and to the gradients that are [outputs].

    Writes those that are [outputs, inputs]. If `late`, an input at t = 1 exactly gets the time gradient from below; one beyond it
    gets none.
    """
    one = times.dtype.type(1)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w, k = columns(weight, start, count), columns(kick, start, count)
        c, signs = products(beta, w, start, count), aligned(2, count, w)
        for i in range(count):
            signs[0, i], signs[1, i] = plus[start + i], minus[start + i]
        b_plus, b_minus = signs[0, :count], signs[1, :count]
        w_grad, c_grad, k_grad = zeros_as(w), zeros_as(c), zeros_as(k)
        sign_grads = aligned(2, count, w)
        p_grad, m_grad = sign_grads[0], sign_grads[1]
        bound = largest_conductance(w, c, b_plus, b_minus, leak, start)
        work, g_now, f_now, lam = aligned(3, count, w), aligned(1, count, w), aligned(1, count, w), aligned(1, count, w)
        y, p, q = aligned(1, count, w), aligned(1, count, w), aligned(1, count, w)
        for sample in range(times.shape[0]):
            begin_back(g_now, f_now, lam, y, p, q, 0, v, g, f, v_grad, sample, start, count)
            now = one
            j = times.shape[1] - 1
            while j >= 0 and times[sample, j] >= one:
                if late and times[sample, j] == one:
                    source = order[sample, j]
                    time_grad[sample, source] += late_slope(lam, y, 0, w, c, b_plus, b_minus, source, count)
                j -= 1
            while j >= 0:
                t, source = times[sample, j], order[sample, j]
                before = times[sample, j - 1] if j > 0 else t
                if k is None and j > 0 and max(now - t, t - before) * bound <= SMALL:
                    next_source = order[sample, j - 1]
                    slope, next_slope = unstep_twice(
                        g_now, f_now, lam, y, p, q, 0, now - t, t - before,
                        w, c, b_plus, b_minus, w_grad, c_grad, p_grad, m_grad, source, next_source, count,
                    )  # fmt: skip
                    time_grad[sample, source] += slope
                    time_grad[sample, next_source] += next_slope
                    j -= 2
                    now = before
                else:
                    d = now - t
                    time_grad[sample, source] += unstep(
                        g_now, f_now, lam, y, p, q, 0, d, halvings(d * bound),
                        w, c, b_plus, b_minus, k, w_grad, c_grad, p_grad, m_grad, k_grad, source, count, work,
                    )  # fmt: skip
                    j -= 1
                    now = t
            retreat(g_now, f_now, lam, y, p, q, 0, now, halvings(now * bound), count, work)
            for i in range(count):
                bias_grad[start + i] += p[0, i]
                leak_grad[start + i] -= q[0, i]
        for i in range(count):
            plus_grad[start + i] += p_grad[i]
            minus_grad[start + i] += m_grad[i]
        put_back(w, w_grad, c_grad, k_grad, beta, weight_grad, beta_grad, kick_grad, start, count)


@inlined
def put_back(
    w: Array, w_grad: Array, c_grad: Array, k_grad: Array, beta: Array,
    weight_grad: Array, beta_grad: Array, kick_grad: Array, start: int, count: int,
) -> None:  # fmt: skip
    """Gradients of a block, [inputs, block], into those of all, [outputs, inputs]; conductance = beta weight is a product."""
    for i in range(count):
        for j in range(w.shape[0]):
            if beta is None:
                weight_grad[start + i, j] = w_grad[j, i]
            else:
                weight_grad[start + i, j] = w_grad[j, i] + beta[start + i, j] * c_grad[j, i]
                beta_grad[start + i, j] = w[j, i] * c_grad[j, i]
            if kick_grad is not None:
                kick_grad[start + i, j] = k_grad[j, i]
