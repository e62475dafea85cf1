"""One step of the event walk and one of its adjoint, for the neurons of one row; every loop is a plain loop over neurons.

State of a neuron: membrane v, drive g = sum of arrived w, conductance f = sum of arrived beta w. Adjoint: lam = dL/dv, y = lam v,
p = int lam dt and q = int lam v dt from now to the end. Arrays of state are [rows, neurons], of synapses [inputs, neurons];
`work` is [3, neurons] of scratch. A step over a time d needs n halvings for its f d (`phi_kernels`); n = 0 is the common case.
"""

from __future__ import annotations

from typing import Any

from training.solvers.compilation import Array, called, inlined
from training.solvers.phi_kernels import phi, phi2_of_small


@inlined
def advanced(v: float, g: float, f: float, d: float, first: float) -> float:
    """Membrane a time d later, first = phi1(f d)."""
    return v + d * first * (g - f * v)


@inlined
def retreated(
    g: float, f: float, lam: float, y: float, p: float, q: float, d: float, first: float, second: float
) -> tuple[float, float, float, float]:
    """lam, y, p, q a time d earlier, first, second = phi1, phi2 of f d."""
    held = lam * d
    part = held * first
    return lam - f * part, y - g * part, p + part, q + d * (y - g * held * second)


@called
def advance(v: Array, g: Array, f: Array, row: int, d: float, n: int, count: int, work: Array) -> None:
    """Let neurons [row, :count] live for a time d."""
    one = v.dtype.type(1)
    if n == 0:
        for i in range(count):
            first = one - f[row, i] * d * phi2_of_small(f[row, i] * d)
            v[row, i] = advanced(v[row, i], g[row, i], f[row, i], d, first)
    else:
        for i in range(count):
            work[0, i] = f[row, i] * d
        phi(work[0], n, count, work[1], work[2])
        for i in range(count):
            v[row, i] = advanced(v[row, i], g[row, i], f[row, i], d, work[1, i])


@inlined
def beta_weight(weight: Array, conductance: Array, plus: Array, minus: Array, j: int, i: int) -> Any:
    """beta w of a synapse: `conductance`, or where that is None, plus or minus times w by its sign."""
    if conductance is None:
        return weight[j, i] * by_sign(weight[j, i], plus[i], minus[i])
    return conductance[j, i]


@inlined
def by_sign(weight: float, plus: float, minus: float) -> float:
    """plus or minus; both are arguments, so that both are loaded and a loop over neurons stays free of branches."""
    return plus if weight >= 0 else minus


@inlined
def stepped(v: float, g: float, f: float, d: float, one: float, weight: float, conductance: float) -> tuple[float, float, float]:
    """v, g, f a time d later, after a spike; f d is small."""
    x = f * d
    return advanced(v, g, f, d, one - x * phi2_of_small(x)), g + weight, f + conductance


@inlined
def step(
    v: Array, g: Array, f: Array, row: int, d: float, n: int,
    weight: Array, conductance: Array, plus: Array, minus: Array, kick: Array, j: int, count: int, work: Array,
) -> None:  # fmt: skip
    """`advance`, then the spike of input j: its kick, and its synapse is on."""
    one = v.dtype.type(1)
    if n > 0:
        advance(v, g, f, row, d, n, count, work)
        d = v.dtype.type(0)
    for i in range(count):
        c = beta_weight(weight, conductance, plus, minus, j, i)
        v_i, g[row, i], f[row, i] = stepped(v[row, i], g[row, i], f[row, i], d, one, weight[j, i], c)
        v[row, i] = v_i if kick is None else v_i + kick[j, i]


@inlined
def step_twice(
    v: Array, g: Array, f: Array, row: int, d: float, next_d: float,
    weight: Array, conductance: Array, plus: Array, minus: Array, j: int, next_j: int, count: int,
) -> None:  # fmt: skip
    """Two steps without kicks and halvings: the state is loaded and stored once for both."""
    one = v.dtype.type(1)
    for i in range(count):
        c = beta_weight(weight, conductance, plus, minus, j, i)
        next_c = beta_weight(weight, conductance, plus, minus, next_j, i)
        v_i, g_i, f_i = stepped(v[row, i], g[row, i], f[row, i], d, one, weight[j, i], c)
        v[row, i], g[row, i], f[row, i] = stepped(v_i, g_i, f_i, next_d, one, weight[next_j, i], next_c)


@called
def retreat(
    g: Array, f: Array, lam: Array, y: Array, p: Array, q: Array, row: int, d: float, n: int, count: int, work: Array
) -> None:
    """The adjoint of `advance`."""
    for i in range(count):
        work[0, i] = f[row, i] * d
    phi(work[0], n, count, work[1], work[2])
    for i in range(count):
        lam[row, i], y[row, i], p[row, i], q[row, i] = retreated(
            g[row, i], f[row, i], lam[row, i], y[row, i], p[row, i], q[row, i], d, work[1, i], work[2, i]
        )


@inlined
def unstepped(
    g: float, f: float, lam: float, y: float, p: float, q: float, d: float, one: float, weight: float, conductance: float
) -> tuple[float, float, float, float, float, float]:
    """g, f, lam, y, p, q a time d earlier, before a spike; f d is small."""
    second = phi2_of_small(f * d)
    lam, y, p, q = retreated(g, f, lam, y, p, q, d, one - f * d * second, second)
    return g - weight, f - conductance, lam, y, p, q


@inlined
def gather(
    weight: Array, conductance: Array, plus: Array, minus: Array,
    weight_grad: Array, conductance_grad: Array, plus_grad: Array, minus_grad: Array, j: int, i: int, p: float, q: float,
) -> None:  # fmt: skip
    """Adds what one sample gives to the gradients of a synapse.

    Where the sign of the weight says beta, `weight_grad` is the whole gradient to the weight, through its conductance too.
    """
    if conductance is None:
        w, zero = weight[j, i], weight.dtype.type(0)
        weight_grad[j, i] += p - by_sign(w, plus[i], minus[i]) * q
        plus_grad[i] -= by_sign(w, w * q, zero)
        minus_grad[i] -= by_sign(w, zero, w * q)
    else:
        weight_grad[j, i] += p
        conductance_grad[j, i] -= q


@inlined
def unstep(
    g: Array, f: Array, lam: Array, y: Array, p: Array, q: Array, row: int, d: float, n: int,
    weight: Array, conductance: Array, plus: Array, minus: Array, kick: Array,
    weight_grad: Array, conductance_grad: Array, plus_grad: Array, minus_grad: Array, kick_grad: Array,
    j: int, count: int, work: Array,
) -> Any:  # fmt: skip
    """`retreat`, then take the spike of input j back; adds to the gradients of its synapses, returns that of its time."""
    one, time_grad = g.dtype.type(1), g.dtype.type(0)
    if n > 0:
        retreat(g, f, lam, y, p, q, row, d, n, count, work)
        d = g.dtype.type(0)
    for i in range(count):
        c = beta_weight(weight, conductance, plus, minus, j, i)
        g[row, i], f[row, i], lam_i, y_i, p_i, q_i = unstepped(
            g[row, i], f[row, i], lam[row, i], y[row, i], p[row, i], q[row, i], d, one, weight[j, i], c
        )
        lam[row, i], y[row, i], p[row, i], q[row, i] = lam_i, y_i, p_i, q_i
        gather(weight, conductance, plus, minus, weight_grad, conductance_grad, plus_grad, minus_grad, j, i, p_i, q_i)
        time_grad += c * y_i - weight[j, i] * lam_i
        if kick is not None:
            time_grad += lam_i * f[row, i] * kick[j, i]
            kick_grad[j, i] += lam_i
            y[row, i] -= lam_i * kick[j, i]
    return time_grad


@inlined
def unstep_twice(
    g: Array, f: Array, lam: Array, y: Array, p: Array, q: Array, row: int, d: float, next_d: float,
    weight: Array, conductance: Array, plus: Array, minus: Array,
    weight_grad: Array, conductance_grad: Array, plus_grad: Array, minus_grad: Array, j: int, next_j: int, count: int,
) -> tuple[Any, Any]:  # fmt: skip
    """Two of `unstep` without kicks and halvings: the state is loaded and stored once for both. j and next_j differ."""
    one, time_grad, next_grad = g.dtype.type(1), g.dtype.type(0), g.dtype.type(0)
    for i in range(count):
        c = beta_weight(weight, conductance, plus, minus, j, i)
        g_i, f_i, lam_i, y_i, p_i, q_i = unstepped(
            g[row, i], f[row, i], lam[row, i], y[row, i], p[row, i], q[row, i], d, one, weight[j, i], c
        )
        gather(weight, conductance, plus, minus, weight_grad, conductance_grad, plus_grad, minus_grad, j, i, p_i, q_i)
        time_grad += c * y_i - weight[j, i] * lam_i
        c = beta_weight(weight, conductance, plus, minus, next_j, i)
        g[row, i], f[row, i], lam_i, y_i, p_i, q_i = unstepped(g_i, f_i, lam_i, y_i, p_i, q_i, next_d, one, weight[next_j, i], c)
        lam[row, i], y[row, i], p[row, i], q[row, i] = lam_i, y_i, p_i, q_i
        gather(weight, conductance, plus, minus, weight_grad, conductance_grad, plus_grad, minus_grad, next_j, i, p_i, q_i)
        next_grad += c * y_i - weight[next_j, i] * lam_i
    return time_grad, next_grad


@inlined
def late_slope(
    lam: Array, y: Array, row: int, weight: Array, conductance: Array, plus: Array, minus: Array, j: int, count: int
) -> Any:
    """Gradient to the time of a spike that arrives with the end of the phase."""
    slope = lam.dtype.type(0)
    for i in range(count):
        slope += beta_weight(weight, conductance, plus, minus, j, i) * y[row, i] - weight[j, i] * lam[row, i]
    return slope


@inlined
def begin(v: Array, g: Array, f: Array, row: int, v_reset: float, bias: Array, leak: Array, start: int, count: int) -> None:
    """State at t = 0; bias and leak of the neurons from `start` on."""
    for i in range(count):
        v[row, i] = v_reset
        g[row, i] = bias[start + i]
        f[row, i] = leak[start + i]


@inlined
def begin_back(
    g: Array, f: Array, lam: Array, y: Array, p: Array, q: Array, row: int,
    v_end: Array, g_end: Array, f_end: Array, v_grad: Array, end_row: int, start: int, count: int,
) -> None:  # fmt: skip
    """State and adjoint state at t = 1, from row `end_row` of what the walk left, neurons from `start` on."""
    for i in range(count):
        g[row, i] = g_end[end_row, start + i]
        f[row, i] = f_end[end_row, start + i]
        lam[row, i] = v_grad[end_row, start + i]
        y[row, i] = lam[row, i] * v_end[end_row, start + i]
        p[row, i] = 0
        q[row, i] = 0
