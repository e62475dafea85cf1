"""Leaky integrate-and-fire with a synapse of its own time constant, compiled: walk to the first crossing, and its adjoint.

tau_m dv/dt = -v + i, tau_s di/dt = -i + sum w delta(t - t_j). Over a time s without spikes v' = v e^{-s/tau_m} + i k(s) and
i' = i e^{-s/tau_s}, k(s) = (s/tau_m) e^{-s/tau_s} (e^u - 1)/u with u = s (1/tau_s - 1/tau_m): no special case at equal constants.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from training.solvers.compilation import Array, compiled, inlined

# Slope of a membrane at threshold, in thresholds per unit of time, below which its spike time counts as no more sensitive.
_LEAST_SLOPE = 1e-4
_BISECTIONS = 60


@inlined
def response(s: float, tau_m: float, tau_s: float) -> tuple[float, float, float]:
    """e^{-s/tau_m}, e^{-s/tau_s} and k(s)."""
    slow, fast, u = math.exp(-s / tau_m), math.exp(-s / tau_s), s / tau_s - s / tau_m
    growth = 1.0 + 0.5 * u if abs(u) < 1e-9 else math.expm1(u) / u
    return slow, fast, s / tau_m * fast * growth


@inlined
def peak(v: float, i: float, tau_m: float, tau_s: float) -> float:
    """Time to the maximum of a membrane that rises now (i > v, i > 0), where v = i; infinite if it only rises."""
    held = v * (tau_m - tau_s) + i * tau_s
    if held <= 0.0:
        return math.inf
    rate = 1.0 / tau_s - 1.0 / tau_m
    reach = (i - v) / held
    if abs(rate) * tau_m * tau_s * reach < 1e-9:
        return tau_m * tau_s * reach
    return math.log1p((tau_m - tau_s) * reach) / rate


@inlined
def crossing(v: float, i: float, d: float, tau_m: float, tau_s: float) -> Any:
    """Time, 0 .. d, at which a membrane below 1 first reaches 1; -1 if it does not. It rises only as long as v < i."""
    if i <= 1.0:
        return -1.0
    low, high = 0.0, min(d, peak(v, i, tau_m, tau_s))
    slow, _, k = response(high, tau_m, tau_s)
    if v * slow + i * k < 1.0:
        return -1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        slow, _, k = response(middle, tau_m, tau_s)
        if v * slow + i * k < 1.0:
            low = middle
        else:
            high = middle
    return high


@compiled
def first_spikes(
    times: Array, order: Array, weight: Array, tau_m: float, tau_s: float, opens: float, closes: float,
    end: Array, current: Array, rank: Array, first: int, last: int,
) -> None:  # fmt: skip
    """First time within opens .. closes at which outputs first .. last are at the threshold.

    times, order [batch, inputs]: spike times in order, and whose they are; weight [outputs, inputs]. Written, [batch, outputs]:
    end (closes if silent), current there, rank: the number of spikes that had arrived, -1 if silent or above at the opening.
    """
    outputs, inputs = last - first, times.shape[1]
    w = weight[first:last].T.copy()
    v, i = np.empty(outputs, times.dtype), np.empty(outputs, times.dtype)
    for sample in range(times.shape[0]):
        for o in range(outputs):
            v[o], i[o] = 0, 0
            end[sample, first + o], current[sample, first + o], rank[sample, first + o] = closes, 0, -1
        now, event, silent = 0.0, 0, outputs
        while now < closes and silent > 0:
            t = min(times[sample, event], closes) if event < inputs else closes
            # The opening of the window is an event of its own.
            until = opens if now < opens < t else t
            slow, fast, k = response(until - now, tau_m, tau_s)
            for o in range(outputs):
                waiting = now >= opens and end[sample, first + o] == closes
                if waiting and v[o] >= 1.0:
                    end[sample, first + o] = now
                    silent -= 1
                elif waiting and i[o] > 1.0:
                    passed = crossing(v[o], i[o], until - now, tau_m, tau_s)
                    if 0.0 <= passed < closes - now:
                        end[sample, first + o], rank[sample, first + o] = now + passed, event
                        current[sample, first + o] = i[o] * math.exp(-passed / tau_s)
                        silent -= 1
                v[o] = v[o] * slow + i[o] * k
                i[o] *= fast
            now = until
            if until == t and t < closes:
                for o in range(outputs):
                    i[o] += w[order[sample, event], o] / tau_s
                event += 1


@compiled
def first_spikes_back(
    times: Array, order: Array, weight: Array, tau_m: float, tau_s: float, end: Array, current: Array, rank: Array,
    end_grad: Array, weight_grad: Array, time_grad: Array, first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `first_spikes`: at its end v = 1 and dv/dt = (i - 1)/tau_m. Adds to `time_grad`, writes `weight_grad`."""
    outputs = last - first
    w = weight[first:last].T.copy()
    w_grad = np.zeros_like(w)
    v_lam, i_lam = np.empty(outputs, times.dtype), np.empty(outputs, times.dtype)
    for sample in range(times.shape[0]):
        latest = 0
        for o in range(outputs):
            v_lam[o], i_lam[o] = 0, 0
            latest = max(latest, rank[sample, first + o])
        for event in range(latest - 1, -1, -1):
            t, source, slope = times[sample, event], order[sample, event], 0.0
            d = times[sample, event + 1] - t if event + 1 < latest else 0.0
            slow, fast, k = response(d, tau_m, tau_s)
            for o in range(outputs):
                at = first + o
                if rank[sample, at] == event + 1:
                    own_slow, _, own_k = response(end[sample, at] - t, tau_m, tau_s)
                    lam = -end_grad[sample, at] / max((current[sample, at] - 1.0) / tau_m, _LEAST_SLOPE)
                    v_lam[o], i_lam[o] = lam * own_slow, lam * own_k
                else:
                    i_lam[o] = i_lam[o] * fast + v_lam[o] * k
                    v_lam[o] *= slow
                w_grad[source, o] += i_lam[o] / tau_s
                slope += w[source, o] / tau_s * (i_lam[o] / tau_s - v_lam[o] / tau_m)
            time_grad[sample, source] += slope
    for o in range(outputs):
        for j in range(w.shape[0]):
            weight_grad[first + o, j] = w_grad[j, o]
