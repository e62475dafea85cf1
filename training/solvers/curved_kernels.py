"""The event walk of synapses with a quadratic current through a dense crossbar, compiled (`training.solvers.riccati`).

Per block of neurons and sample the way back takes the walk anew, keeps the membranes before each spike in a scratch of the block,
and sweeps back through the exact derivative of each step. lambda v^2, which the adjoint needs, grows on the way back unless it is
taken from them.
"""

from __future__ import annotations

from typing import Any

from training.solvers.compilation import Array, called, compiled, inlined
from training.solvers.phi_kernels import halvings
from training.solvers.riccati import LEAST_DENOMINATOR, LOWEST, REACH
from training.solvers.riccati_kernels import ended, fraction_of_small, halved_rate, slopes, tau
from training.solvers.scratch import aligned, columns, zeros_as

BLOCK = 128


@called
def fastest_rate(
    weight: Array, conductance: Array, curvature: Array, bias: Array, leak: Array, bend: Array, start: int, count: int
) -> Any:
    """`halved_rate` of a block of neurons: synapses [inputs, count or more], bias, leak and bend from `start` on."""
    largest, half = weight.dtype.type(0), weight.dtype.type(0.5)
    total = aligned(3, count, weight)
    for i in range(count):
        total[0, i], total[1, i], total[2, i] = abs(bias[start + i]), abs(leak[start + i]), abs(bend[start + i])
    for j in range(weight.shape[0]):
        for i in range(count):
            total[0, i] += abs(weight[j, i])
            total[1, i] += abs(conductance[j, i])
            total[2, i] += abs(curvature[j, i])
    for i in range(count):
        largest = max(largest, halved_rate(total[0, i], total[1, i], total[2, i], half))
    return largest


@called
def advance(v: Array, end: Array, g: Array, f: Array, q: Array, d: float, n: int, count: int, work: Array) -> None:
    """`end` = the membranes v a time d later, by n halvings."""
    one, half, reach, least = v.dtype.type(1), v.dtype.type(0.5), v.dtype.type(REACH), v.dtype.type(LEAST_DENOMINATOR)
    if n == 0:
        for i in range(count):
            root = f[i] * half
            top, whole, _ = fraction_of_small((root * root - q[i] * g[i]) * d * d)
            end[i] = ended(v[i], g[i], f[i], q[i], d * top, whole, half, least, reach, False)
    else:
        tau(g, f, q, d, n, count, work)
        lowest = v.dtype.type(0.999 * LOWEST) / (d * d)  # held ones lie below, whatever the rounding
        for i in range(count):
            end[i] = ended(v[i], g[i], f[i], q[i], work[1, i], one, half, least, reach, work[0, i] <= lowest)


@called
def retreat(
    v: Array, end: Array, g: Array, f: Array, q: Array, lam: Array, sums: Array, d: float, n: int, count: int, work: Array
) -> None:
    """The adjoint of `advance`: lam = dL/dv goes back, and int lam dt, -int lam v dt, int lam v^2 dt add to `sums`."""
    one, half, reach = v.dtype.type(1), v.dtype.type(0.5), v.dtype.type(REACH)
    if n == 0:
        cube = d * d * d * half
        for i in range(count):
            root = f[i] * half
            discriminant = root * root - q[i] * g[i]
            top, whole, rest = fraction_of_small(discriminant * d * d)
            by_v, by_g, by_f, by_q = slopes(
                v[i], end[i], g[i], f[i], q[i], discriminant, d * top, whole, cube * (whole * rest - top * top),
                d, one, half, reach,
            )  # fmt: skip
            sums[0, i] += lam[i] * by_g
            sums[1, i] += lam[i] * by_f
            sums[2, i] += lam[i] * by_q
            lam[i] *= by_v
    else:
        tau(g, f, q, d, n, count, work)
        for i in range(count):
            by_v, by_g, by_f, by_q = slopes(
                v[i], end[i], g[i], f[i], q[i], work[0, i], work[1, i], one, work[2, i], d, one, half, reach
            )
            sums[0, i] += lam[i] * by_g
            sums[1, i] += lam[i] * by_f
            sums[2, i] += lam[i] * by_q
            lam[i] *= by_v


@called
def follow(
    times: Array, order: Array, weight: Array, conductance: Array, curvature: Array, kick: Array,
    bias: Array, leak: Array, bend: Array, v_reset: float, rate: float, start: int, count: int,
    path: Array, v: Array, state: Array, work: Array,
) -> int:  # fmt: skip
    """Take one sample, times and order [inputs], through a block of neurons; returns how many of its spikes arrive.

    Row k of `path` becomes the membranes as spike k arrives, before its kick, the row behind the last spike those at the end;
    where there are fewer rows, they are used round and round. `state` becomes g, f, q at the end.
    """
    one, rows = weight.dtype.type(1), len(path)
    g, f, q, now = state[0], state[1], state[2], one - one
    for i in range(count):
        v[i], g[i], f[i], q[i] = v_reset, bias[start + i], leak[start + i], bend[start + i]
    k = 0
    while k < len(times) and not times[k] >= one:
        j, d, end = order[k], times[k] - now, path[k % rows]
        advance(v, end, g, f, q, d, halvings(d * rate), count, work)
        for i in range(count):
            v[i] = end[i] if kick is None else end[i] + kick[j, i]
            g[i] += weight[j, i]
            f[i] += conductance[j, i]
            q[i] += curvature[j, i]
        now = times[k]
        k += 1
    advance(v, path[k % rows], g, f, q, one - now, halvings((one - now) * rate), count, work)
    return k


@compiled
def walk(
    times: Array, order: Array, weight: Array, conductance: Array, curvature: Array, kick: Array,
    bias: Array, leak: Array, bend: Array, v_reset: float, v: Array, first: int, last: int,
) -> None:  # fmt: skip
    """Membranes v [batch, outputs] of outputs first .. last at t = 1.

    times, order [batch, inputs]: spike times in order, and whose they are; times of 1 and later never arrive. What an arriving
    spike adds to g, f, q and v: weight, conductance, curvature, kick [outputs, inputs]. bias, leak, bend [outputs]: g, f and q
    from t = 0.
    """
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w, c, b = columns(weight, start, count), columns(conductance, start, count), columns(curvature, start, count)
        k = columns(kick, start, count)
        rate = fastest_rate(w, c, b, bias, leak, bend, start, count)
        path, now, state, work = aligned(2, count, w), aligned(1, count, w), aligned(3, count, w), aligned(3, count, w)
        for sample in range(times.shape[0]):
            arrived = follow(
                times[sample], order[sample], w, c, b, k, bias, leak, bend, v_reset, rate, start, count, path, now[0], state, work
            )
            for i in range(count):
                v[sample, start + i] = path[arrived % 2, i]


@compiled
def walk_back(
    times: Array, order: Array, weight: Array, conductance: Array, curvature: Array, kick: Array,
    bias: Array, leak: Array, bend: Array, v_reset: float, v_grad: Array,
    weight_grad: Array, conductance_grad: Array, curvature_grad: Array, kick_grad: Array, bias_grad: Array, leak_grad: Array,
    bend_grad: Array, time_grad: Array, late: bool, first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `walk`: adds to `time_grad` [batch, inputs] (not sorted), writes the other gradients of its outputs.

    If `late`, an input at t = 1 exactly gets the time gradient from below; one beyond it gets none.
    """
    one, inputs = weight.dtype.type(1), times.shape[1]
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        w, c, b = columns(weight, start, count), columns(conductance, start, count), columns(curvature, start, count)
        k = columns(kick, start, count)
        w_grad, c_grad, b_grad, k_grad = zeros_as(w), zeros_as(c), zeros_as(b), zeros_as(k)
        rate = fastest_rate(w, c, b, bias, leak, bend, start, count)
        path, state, work = aligned(inputs + 1, count, w), aligned(3, count, w), aligned(3, count, w)
        scratch, sums, totals = aligned(2, count, w), aligned(3, count, w), aligned(3, count, w)
        g, f, q, v, lam = state[0], state[1], state[2], scratch[0], scratch[1]
        for sample in range(times.shape[0]):
            at = follow(
                times[sample], order[sample], w, c, b, k, bias, leak, bend, v_reset, rate, start, count, path, v, state, work
            )
            for i in range(count):
                lam[i] = v_grad[sample, start + i]
                sums[0, i], sums[1, i], sums[2, i] = one - one, one - one, one - one
            event = at
            while late and event < inputs and not times[sample, event] > one:
                j = order[sample, event]
                time_grad[sample, j] += moved(path[at], lam, w, c, b, j, count)
                event += 1
            now = one
            while at > 0:
                at -= 1
                j, t, before = order[sample, at], times[sample, at], path[at]
                jumped(before, k, j, v, count)
                d = now - t
                retreat(v, path[at + 1], g, f, q, lam, sums, d, halvings(d * rate), count, work)
                time_grad[sample, j] += moved(v, lam, w, c, b, j, count)
                for i in range(count):
                    g[i] -= w[j, i]
                    f[i] -= c[j, i]
                    q[i] -= b[j, i]
                    w_grad[j, i] += sums[0, i]
                    c_grad[j, i] += sums[1, i]
                    b_grad[j, i] += sums[2, i]
                time_grad[sample, j] += kicked(before, g, f, q, lam, k, k_grad, j, count)
                now = t
            for i in range(count):
                v[i] = v_reset
            retreat(v, path[0], g, f, q, lam, sums, now, halvings(now * rate), count, work)
            for i in range(count):
                totals[0, i] += sums[0, i]
                totals[1, i] += sums[1, i]
                totals[2, i] += sums[2, i]
        for i in range(count):
            bias_grad[start + i], leak_grad[start + i], bend_grad[start + i] = totals[0, i], totals[1, i], totals[2, i]
        for whole, block in ((weight_grad, w_grad), (conductance_grad, c_grad), (curvature_grad, b_grad)):
            put_back(whole, block, start, count)
        put_back(kick_grad, k_grad, start, count)


@called
def put_back(whole: Array, block: Array, start: int, count: int) -> None:
    """A block [inputs, block] into [outputs, inputs]; nothing of None."""
    if whole is not None:
        for i in range(count):
            for j in range(block.shape[0]):
                whole[start + i, j] = block[j, i]


@inlined
def jumped(before: Array, kick: Array, j: int, v: Array, count: int) -> None:
    """v = the membranes `before`, after the kick of input j."""
    for i in range(count):
        v[i] = before[i] if kick is None else before[i] + kick[j, i]


@inlined
def moved(v: Array, lam: Array, weight: Array, conductance: Array, curvature: Array, j: int, count: int) -> Any:
    """Gradient to the time at which input j starts to drive the membranes v."""
    slope = v.dtype.type(0)
    for i in range(count):
        slope -= lam[i] * (weight[j, i] - v[i] * (conductance[j, i] - curvature[j, i] * v[i]))
    return slope


@inlined
def kicked(
    v: Array, g: Array, f: Array, q: Array, lam: Array, kick: Array, kick_grad: Array, j: int, count: int
) -> Any:  # fmt: skip
    """Gradient to the time of a kick of the membranes v, under the g, f, q before it; adds to that of the kick."""
    slope = v.dtype.type(0)
    if kick is not None:
        for i in range(count):
            # What the kick changes in the slope of the membrane moves with it.
            slope += lam[i] * kick[j, i] * (f[i] - q[i] * (v[i] + v[i] + kick[j, i]))
            kick_grad[j, i] += lam[i]
    return slope
