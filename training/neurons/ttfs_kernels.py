"""Time to first spike, compiled: the event walk that ends for each neuron where its membrane crosses 1, and its adjoint.

A membrane is monotone between two events, so it has crossed where it is at 1 or above at the end of an interval.
"""

from __future__ import annotations

import math

import numpy as np

from training.solvers.compilation import Array, compiled, inlined
from training.solvers.phi_kernels import halvings, phi
from training.solvers.scratch import columns, products
from training.solvers.walk_kernels import BLOCK, largest_conductance, put_back
from training.solvers.walk_steps import advanced, begin, retreated

# Slope of a membrane at threshold, in thresholds per unit of time, below which its spike time counts as no more sensitive.
_LEAST_SLOPE = 1e-4


@inlined
def crossing(v: float, g: float, f: float, d: float) -> float:
    """Time, 0 .. d, at which a membrane below 1 under drive g and conductance f crosses 1."""
    rate = g - f * v
    passed = (1.0 - v) / rate if f == 0.0 else -math.log1p(-min(f * (1.0 - v) / rate, 1.0)) / f
    return min(max(passed, 0.0), d)


@compiled
def live(
    v: Array, g: Array, f: Array, now: float, d: float, n: int, arrived: int,
    end: Array, g_end: Array, f_end: Array, rank: Array, sample: int, start: int, count: int, work: Array,
) -> int:  # fmt: skip
    """Let neurons [0, :count] live from `now` for a time d; returns how many cross and writes where and in which state."""
    for i in range(count):
        work[0, i] = f[0, i] * d
    phi(work[0], n, count, work[1], work[2])
    spikes = 0
    for i in range(count):
        work[0, i] = advanced(v[0, i], g[0, i], f[0, i], d, work[1, i])
        spikes += (work[0, i] >= 1) & (rank[sample, start + i] < 0)
    for i in range(count):
        at = start + i
        if spikes > 0 and work[0, i] >= 1 and rank[sample, at] < 0:
            end[sample, at] = now + crossing(v[0, i], g[0, i], f[0, i], d)
            g_end[sample, at], f_end[sample, at], rank[sample, at] = g[0, i], f[0, i], arrived
        v[0, i] = work[0, i]
    return spikes


@compiled
def first_spikes(
    times: Array, order: Array, weight: Array, beta: Array, bias: Array, leak: Array, v_reset: float, horizon: float,
    end: Array, g_end: Array, f_end: Array, rank: Array, first: int, last: int,
) -> None:  # fmt: skip
    """First crossing of outputs first .. last, up to the horizon; arguments as in `walk_kernels.walk`.

    Written, all [batch, outputs]: end (the horizon if silent), drive and conductance there, and rank, the number of spikes that
    had arrived: -1 - number if silent.
    """
    zero, stop = times.dtype.type(0), times.dtype.type(horizon)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w = columns(weight, start, count)
        c = products(beta, w, start, count)
        bound = largest_conductance(w, c, leak[:count], leak[:count], leak, start)
        state, work = np.empty((3, 1, count), w.dtype), np.empty((3, count), w.dtype)
        v, g, f = state[0], state[1], state[2]
        for sample in range(times.shape[0]):
            begin(v, g, f, 0, v_reset, bias, leak, start, count)
            for i in range(count):
                end[sample, start + i], rank[sample, start + i] = stop, -1
            now, silent, arrived = zero, count, 0
            for event in range(times.shape[1] + 1):
                t = min(times[sample, event], stop) if event < times.shape[1] else stop
                n = halvings((t - now) * bound)
                silent -= live(v, g, f, now, t - now, n, arrived, end, g_end, f_end, rank, sample, start, count, work)
                now = t
                if t >= stop or silent == 0:
                    break
                source = order[sample, event]
                for i in range(count):
                    g[0, i] += w[source, i]
                    f[0, i] += c[source, i]
                arrived += 1
            for i in range(count):
                if rank[sample, start + i] < 0:
                    g_end[sample, start + i], f_end[sample, start + i] = g[0, i], f[0, i]
                    rank[sample, start + i] = -1 - arrived


@compiled
def first_spikes_back(
    times: Array, order: Array, weight: Array, beta: Array, leak: Array, end: Array, g_end: Array, f_end: Array, rank: Array,
    end_grad: Array, sum_grad: Array,
    weight_grad: Array, beta_grad: Array, bias_grad: Array, leak_grad: Array, time_grad: Array, first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `first_spikes` for the gradients to `end` and, of the weights alone, to `g_end`.

    At its end v = 1, so lam = -dL/dend / (g - f). Adds to `time_grad`, `bias_grad`, `leak_grad`; writes the other gradients.
    """
    zero = times.dtype.type(0)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w = columns(weight, start, count)
        c = products(beta, w, start, count)
        w_grad, c_grad = np.zeros_like(w), np.zeros_like(w)
        bound = largest_conductance(w, c, leak[:count], leak[:count], leak, start)
        state, work = np.empty((6, count), w.dtype), np.empty((3, count), w.dtype)
        g, f, lam, y, p, q = state[0], state[1], state[2], state[3], state[4], state[5]
        arrived, steps = np.empty(count, np.int64), np.empty(count, w.dtype)
        for sample in range(times.shape[0]):
            latest = 0
            for i in range(count):
                at = rank[sample, start + i]
                arrived[i] = at if at >= 0 else -1 - at
                latest = max(latest, arrived[i])
                g[i], f[i] = g_end[sample, start + i], f_end[sample, start + i]
                lam[i] = -end_grad[sample, start + i] / max(g[i] - f[i], _LEAST_SLOPE) if at >= 0 else zero
                y[i], p[i], q[i] = lam[i], sum_grad[sample, start + i], zero
            for event in range(latest - 1, -2, -1):
                # The event before all others is the start, at which bias and leak are on.
                t = times[sample, event] if event >= 0 else zero
                longest = zero
                for i in range(count):
                    until = end[sample, start + i] if arrived[i] == event + 1 else times[sample, event + 1]
                    steps[i] = until - t if arrived[i] > event else zero
                    longest = max(longest, steps[i])
                    work[0, i] = f[i] * steps[i]
                phi(work[0], halvings(longest * bound), count, work[1], work[2])
                source, slope = order[sample, max(event, 0)], zero
                for i in range(count):
                    if arrived[i] <= event:
                        continue
                    lam[i], y[i], p[i], q[i] = retreated(g[i], f[i], lam[i], y[i], p[i], q[i], steps[i], work[1, i], work[2, i])
                    if event >= 0:
                        g[i] -= w[source, i]
                        f[i] -= c[source, i]
                        w_grad[source, i] += p[i]
                        c_grad[source, i] -= q[i]
                        slope += c[source, i] * y[i] - w[source, i] * lam[i]
                if event >= 0:
                    time_grad[sample, source] += slope
            for i in range(count):
                bias_grad[start + i] += p[i]
                leak_grad[start + i] -= q[i]
        put_back(w, w_grad, c_grad, None, beta, weight_grad, beta_grad, None, start, count)
