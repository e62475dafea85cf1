"""The event walk for a GPU: one program walks one sample through a block of neurons, whose state stays in registers.

Formulas as in `walk_steps`. Synapses lie input by input, [inputs, outputs], so a spike loads one contiguous row. Gradients of the
synapses are summed over the samples by atomic additions, in no fixed order: bits may differ from run to run.

Triton's compiler reads the annotations too, and takes none but those of its own language.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def phi2_of(x: tl.tensor, TERMS: tl.constexpr) -> tl.tensor:
    """phi2(x) by its series below 1, in closed form above."""
    s = x * 0.0 + 1.0
    for k in tl.static_range(TERMS, 2, -1):
        s = 1.0 - x * (1.0 / k) * s
    safe = tl.where(x < 1.0, x * 0.0 + 1.0, x)
    return tl.where(x < 1.0, s * 0.5, (safe - 1.0 + tl.exp(-safe)) / (safe * safe))


@triton.jit  # type: ignore[untyped-decorator]
def walk(
    times: tl.tensor, order: tl.tensor,
    weight: tl.tensor, conductance: tl.tensor, kick: tl.tensor, bias: tl.tensor, leak: tl.tensor,
    v_end: tl.tensor, g_end: tl.tensor, f_end: tl.tensor,
    inputs: tl.tensor, outputs: tl.tensor, KICKED: tl.constexpr, TERMS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """State at t = 1; `v_end` holds the state at t = 0. Grid: samples, blocks of outputs. A time that is NaN shows."""
    sample, column = tl.program_id(0), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < outputs
    g = tl.load(bias + column, inside, 0.0)
    f = tl.load(leak + column, inside, 0.0)
    at = sample * outputs + column
    v = tl.load(v_end + at, inside, 0.0)
    now = tl.minimum(tl.load(times + sample * inputs), 1.0) * 0.0
    for j in range(inputs):
        t = tl.load(times + sample * inputs + j)
        t = tl.where(t > 1.0, 1.0, t)
        row = tl.load(order + sample * inputs + j) * outputs + column
        x = f * (t - now)
        v += (t - now) * (1.0 - x * phi2_of(x, TERMS)) * (g - f * v)
        on = column < tl.where(t < 1.0, outputs, 0)
        if KICKED:
            v += tl.load(kick + row, on, 0.0)
        g += tl.load(weight + row, on, 0.0)
        f += tl.load(conductance + row, on, 0.0)
        now = t
    x = f * (1.0 - now)
    v += (1.0 - now) * (1.0 - x * phi2_of(x, TERMS)) * (g - f * v)
    tl.store(v_end + at, v, inside)
    tl.store(g_end + at, g, inside)
    tl.store(f_end + at, f, inside)


@triton.jit  # type: ignore[untyped-decorator]
def walk_back(
    times: tl.tensor, order: tl.tensor, weight: tl.tensor, conductance: tl.tensor, kick: tl.tensor,
    v_end: tl.tensor, g_end: tl.tensor, f_end: tl.tensor, v_grad: tl.tensor,
    weight_grad: tl.tensor, conductance_grad: tl.tensor, kick_grad: tl.tensor, bias_grad: tl.tensor, leak_grad: tl.tensor,
    time_grad: tl.tensor,
    inputs: tl.tensor, outputs: tl.tensor, KICKED: tl.constexpr, TERMS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Adjoint of `walk`; adds to all gradients. An input at t = 1 exactly gets the time gradient from below."""
    sample, column = tl.program_id(0), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < outputs
    at = sample * outputs + column
    g = tl.load(g_end + at, inside, 0.0)
    f = tl.load(f_end + at, inside, 0.0)
    lam = tl.load(v_grad + at, inside, 0.0)
    y = lam * tl.load(v_end + at, inside, 0.0)
    p, q = lam * 0.0, lam * 0.0
    now = tl.minimum(tl.load(times + sample * inputs), 1.0) * 0.0 + 1.0
    # One step more than there are inputs: back from the first spike to t = 0, where bias and leak come on.
    for step in range(inputs + 1):
        j = tl.maximum(inputs - 1 - step, 0)
        first = step == inputs
        t = tl.where(first, 0.0, tl.load(times + sample * inputs + j))
        d = tl.maximum(now - t, 0.0)
        x = f * d
        second = phi2_of(x, TERMS)
        held = lam * d
        part = held * (1.0 - x * second)
        q += d * (y - g * held * second)
        p += part
        y -= g * part
        lam -= f * part
        now = tl.minimum(now, t)
        source = tl.load(order + sample * inputs + j)
        row = source * outputs + column
        on = column < tl.where(t < 1.0, tl.where(first, 0, outputs), 0)
        w, c = tl.load(weight + row, inside, 0.0), tl.load(conductance + row, inside, 0.0)
        g -= tl.where(on, w, 0.0)
        f -= tl.where(on, c, 0.0)
        tl.atomic_add(weight_grad + row, p, on)
        tl.atomic_add(conductance_grad + row, -q, on)
        slope = c * y - w * lam
        if KICKED:
            jump = tl.load(kick + row, on, 0.0)
            slope += lam * f * jump
            tl.atomic_add(kick_grad + row, lam, on)
            y -= lam * jump
        tl.atomic_add(time_grad + sample * inputs + source, tl.sum(slope, 0), step < tl.where(t <= 1.0, inputs, 0))
    tl.atomic_add(bias_grad + column, p, inside)
    tl.atomic_add(leak_grad + column, -q, inside)
