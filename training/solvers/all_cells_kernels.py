"""Triton kernels of DSTD with all cells of the grid at once: shares of the cells, and the walk of every membrane through them.

One program takes a block of elements through all cells; a membrane stays in a register. Formulas as in `cells` and `cell_walk`.
Arrays are contiguous with the outputs, or the channels, last; what a cell holds follows what the cell before it holds.

Triton's compiler reads the annotations too, and takes none but those of its own language.
"""

from __future__ import annotations

import triton  # type: ignore[import-not-found,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,unused-ignore]

from training.solvers.triton_kernels import phi2_of

# Of a cell: an offset drawn as 0 leaves one of no width, in which no spike lies.
NARROWEST = tl.constexpr(1e-30)


@triton.jit  # type: ignore[untyped-decorator]
def occupancy(
    t: tl.tensor, points: tl.tensor, on: tl.tensor, n: tl.tensor, CELLS: tl.constexpr, BLOCK: tl.constexpr
) -> None:  # fmt: skip
    """on [cells, n]: share of every cell for which the spikes t [n] are on."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    when = tl.load(t + i, inside, 0.0)
    for m in tl.static_range(CELLS):
        start, end = tl.load(points + m), tl.load(points + m + 1)
        share = tl.minimum(tl.maximum((end - when) / tl.maximum(end - start, NARROWEST), 0.0), 1.0)
        share = tl.where(when == when, share, when)  # noqa: PLR0124 (NaN shows)
        tl.store(on + m * n + i, share.to(on.dtype.element_ty), inside)


@triton.jit  # type: ignore[untyped-decorator]
def occupancy_back(
    t: tl.tensor, points: tl.tensor, on_grad: tl.tensor, t_grad: tl.tensor, n: tl.tensor,
    CELLS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Adjoint of `occupancy`; of every spike only the cell that it lies in is read."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    when = tl.load(t + i, inside, 2.0)
    grad = when * 0.0
    for m in tl.static_range(CELLS):
        start, end = tl.load(points + m), tl.load(points + m + 1)
        here = inside & (when <= end) & ((when >= start) if m == 0 else (when > start))
        grad -= tl.load(on_grad + m * n + i, here, 0.0).to(when.dtype) / tl.maximum(end - start, NARROWEST)
    tl.store(t_grad + i, grad, inside)


@triton.jit  # type: ignore[untyped-decorator]
def walk(
    drives: tl.tensor, moments: tl.tensor, jumps: tl.tensor, bias: tl.tensor, leak: tl.tensor, points: tl.tensor, v: tl.tensor,
    n: tl.tensor, outputs: tl.tensor,
    CELLS: tl.constexpr, MOMENT: tl.constexpr, KICKED: tl.constexpr, BIASED: tl.constexpr, LEAKS: tl.constexpr,
    TERMS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """v [rows, outputs], the state at t = 0, becomes that at t = 1.

    `drives` and `moments` are [cells, rows, 2 outputs], `jumps` [cells + 1, rows, outputs].
    """
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    output = i % outputs
    at = 2 * i - output
    own = v.dtype.element_ty
    state = tl.load(v + i, inside, 0.0)
    bias_here = tl.load(bias + output, inside, 0.0) if BIASED else state * 0.0
    leak_here = tl.load(leak + output, inside, 0.0) if LEAKS else state * 0.0
    for m in tl.static_range(CELLS):
        d = tl.load(points + m + 1) - tl.load(points + m)
        g = tl.load(drives + 2 * m * n + at, inside, 0.0).to(own) + bias_here
        f = tl.load(drives + 2 * m * n + at + outputs, inside, 0.0).to(own) + leak_here
        if KICKED:
            state += tl.load(jumps + m * n + i, inside, 0.0).to(own)
        if MOMENT:
            a = tl.load(moments + 2 * m * n + at, inside, 0.0).to(own)
            b = tl.load(moments + 2 * m * n + at + outputs, inside, 0.0).to(own)
            g += d * (f * a - g * b)
        x = f * d
        state += d * (1.0 - x * phi2_of(x, TERMS)) * (g - f * state)
    if KICKED:
        state += tl.load(jumps + CELLS * n + i, inside, 0.0).to(own)
    tl.store(v + i, state, inside)


@triton.jit  # type: ignore[untyped-decorator]
def walk_back(
    drives: tl.tensor, moments: tl.tensor, jumps: tl.tensor, bias: tl.tensor, leak: tl.tensor, points: tl.tensor, v: tl.tensor,
    v_grad: tl.tensor, drives_grad: tl.tensor, moments_grad: tl.tensor, jumps_grad: tl.tensor, n: tl.tensor, outputs: tl.tensor,
    CELLS: tl.constexpr, MOMENT: tl.constexpr, KICKED: tl.constexpr, BIASED: tl.constexpr, LEAKS: tl.constexpr,
    TERMS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Adjoint of `walk`, from the membranes v at t = 1; every gradient is written once."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    output = i % outputs
    at = 2 * i - output
    own = v.dtype.element_ty
    lam = tl.load(v_grad + i, inside, 0.0)
    y = lam * tl.load(v + i, inside, 0.0)
    bias_here = tl.load(bias + output, inside, 0.0) if BIASED else lam * 0.0
    leak_here = tl.load(leak + output, inside, 0.0) if LEAKS else lam * 0.0
    if KICKED:
        tl.store(jumps_grad + CELLS * n + i, lam.to(jumps_grad.dtype.element_ty), inside)
        y -= lam * tl.load(jumps + CELLS * n + i, inside, 0.0).to(own)
    for back in tl.static_range(CELLS):
        m = CELLS - 1 - back
        d = tl.load(points + m + 1) - tl.load(points + m)
        g = tl.load(drives + 2 * m * n + at, inside, 0.0).to(own) + bias_here
        f = tl.load(drives + 2 * m * n + at + outputs, inside, 0.0).to(own) + leak_here
        moved = g
        if MOMENT:
            a = tl.load(moments + 2 * m * n + at, inside, 0.0).to(own)
            b = tl.load(moments + 2 * m * n + at + outputs, inside, 0.0).to(own)
            moved = g + d * (f * a - g * b)
        x = f * d
        second = phi2_of(x, TERMS)
        held = lam * d
        g_grad = held * (1.0 - x * second)
        f_grad = d * (moved * held * second - y)
        y -= moved * g_grad
        lam -= f * g_grad
        if MOMENT:
            moment_held = d * g_grad
            kind = moments_grad.dtype.element_ty
            tl.store(moments_grad + 2 * m * n + at, (moment_held * f).to(kind), inside)
            tl.store(moments_grad + 2 * m * n + at + outputs, (-moment_held * g).to(kind), inside)
            f_grad += moment_held * a
            g_grad -= moment_held * b
        kind = drives_grad.dtype.element_ty
        tl.store(drives_grad + 2 * m * n + at, g_grad.to(kind), inside)
        tl.store(drives_grad + 2 * m * n + at + outputs, f_grad.to(kind), inside)
        if KICKED:
            tl.store(jumps_grad + m * n + i, lam.to(jumps_grad.dtype.element_ty), inside)
            y -= lam * tl.load(jumps + m * n + i, inside, 0.0).to(own)
