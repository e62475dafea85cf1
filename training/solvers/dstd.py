"""Differentiable spike-time discretisation (DSTD) of the accumulation phase, with a second-order term and an adjoint of its own.

On a grid 0 = T_0 .. T_M = 1 with cells of width d_m, step(t - t_j) is replaced by its mean over each cell,
S_jm = clip((T_{m+1} - t_j)/d_m, 0, 1) (Sakemi et al. 2025, arXiv 2412.09010). Drive and conductance of a cell are then one matrix
product, and the cell one exponential step. The error of v(1) falls as steps^-2, that of its time gradient as steps^-1.

- Moment term: with q_jm = S (1 - S)/2 in the cell of spike j and 0 elsewhere, a = q W and b = q (beta W), the drive
  g + d (f a - g b) carries the second Magnus term: third order for v, second for its time gradient, at twice the products.
- Interpolated adjoint: the exact adjoint's time gradient -(lambda W^T - y (beta W)^T) at t_j, linear between grid points: second
  order at the same cost. It is not the derivative of the discretised v.

Backward computes S and the drives anew, all but those of the last few cells, and takes lambda = dL/dv and y = lambda v back as
`event_walk` does. So memory does not depend on the number of steps.

Curved currents bring a third product, q = S (gamma W), and each cell is the step of `riccati`. The membranes at the start of
each cell are kept then, because lambda v^2, which the adjoint needs too, cannot be taken back by itself. With moments m of q the
second Magnus term is g + d (f a - g b), f + 2 d (q a - g m), q + d (q b - f m): v is the ratio of two numbers that obey a linear
equation.

That is how a CPU goes through the grid, some samples at a time, so that a cell stays in the cache. On other devices all cells are
one product (`all_cells`), but for curved currents and the interpolated adjoint.
"""

from __future__ import annotations

import contextlib
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.solvers import all_cells
from training.solvers.cell_walk import Gradients, Synapses, forwards
from training.solvers.connection import Connection, Dense
from training.solvers.reversal import Beta, beta_of

# Membranes that go through the grid at once on a CPU: what a cell needs beside them then stays near the processor.
_MEMBRANES_AT_ONCE = 1 << 17


def grid(steps: int, offset: float, late: float = 1.0) -> list[float]:
    """Grid points, m/steps - offset within (0, 1), and 0 and 1: with an offset in (0, 1/steps) the outer cells are narrower.

    Of a grid that is `late` they are those of equal steps of (1 - T)^(1/late): narrow cells at the end of the phase.
    """
    if steps < 1:
        raise ValueError(f"steps: {steps}; DSTD needs at least one cell")
    if not 0.0 <= offset < 1.0 / steps:
        raise ValueError(f"offset: {offset} must lie in [0, 1/steps), here 1/{steps}")
    inner = [m / steps - offset for m in range(1, steps + 1) if 0.0 < m / steps - offset < 1.0]
    return [0.0, *(inner if late == 1.0 else [1.0 - (1.0 - point) ** late for point in inner]), 1.0]


def accumulate(
    t: Tensor,
    weight: Tensor,
    beta: Beta,
    kick: Tensor | None = None,
    *,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
    steps: int = 10,
    offset: float = 0.0,
    late: float = 1.0,
    moment: bool = False,
    interpolated_adjoint: bool = False,
    connection: Connection | None = None,
) -> Tensor:
    """v(1) before the synapses switch off; arguments and result as in `event_walk.accumulate`, or `image_walk.accumulate`.

    Args:
        steps: M, grid cells of the phase.
        offset: shift of the grid in [0, 1/steps); draw it anew per layer and mini-batch for the "random offset" of training.
        late: 1 for cells of one width, more for narrow ones at the end of the phase, where the spikes of deep networks are.
        moment, interpolated_adjoint: see the module.
        connection: `Dense` where None.

    A kick is shared between the two grid points beside its spike so that its mean time is right. What remains of its error is
    at most kick |beta w| / (4 steps): first order, but a kick is already a thousandth of the threshold.
    Under autocast the products of float32 are taken in its type, all else in the type of the weights.
    """
    return solve(
        t, weight, beta_of(beta, weight) * weight, kick, None, v_reset=v_reset, bias=bias, leak=leak, connection=connection,
        steps=steps, offset=offset, late=late, moment=moment, interpolated_adjoint=interpolated_adjoint,
    )  # fmt: skip


def solve(
    t: Tensor,
    weight: Tensor,
    conductance: Tensor,
    kick: Tensor | None,
    curvature: Tensor | None,
    *,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
    bend: Tensor | None = None,
    steps: int = 10,
    offset: Tensor | float = 0.0,
    late: float = 1.0,
    moment: bool = False,
    interpolated_adjoint: bool = False,
    connection: Connection | None = None,
) -> Tensor:
    """`accumulate`, of what an arriving input adds to g, f, v and q: weight, conductance, kick, curvature, each [out, ...].

    curvature and bend, q from t = 0 on, are None for straight currents. An offset may be a scalar on the device of the spikes.
    """
    device = t.device.type
    has_autocast = torch.amp.is_autocast_available(device)
    # As everywhere in torch, autocast leaves float64 alone.
    cast = has_autocast and torch.is_autocast_enabled(device) and weight.dtype != torch.float64
    reduced = torch.get_autocast_dtype(device) if cast else None
    with torch.autocast(device, enabled=False) if has_autocast else contextlib.nullcontext():
        if not t.is_cpu and curvature is None and bend is None and not interpolated_adjoint:
            points = all_cells.grid(steps, offset, weight, late)
            return all_cells.solve(
                t.to(weight.dtype), torch.cat([weight, conductance]), kick, bias, leak, points,
                v_reset=v_reset, moment=moment, connection=connection or Dense(), reduced=reduced,
            )  # fmt: skip
        scheme = (tuple(grid(steps, float(offset), late)), v_reset, moment, interpolated_adjoint, connection or Dense(), reduced)
        parts = [weight, conductance] if curvature is None else [weight, conductance, curvature]
        v: Tensor = _DSTD.apply(t.to(weight.dtype), torch.cat(parts), len(parts), kick, bias, leak, bend, *scheme)  # type: ignore[no-untyped-call]
    return v


class _DSTD(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, t: Tensor, all_synapses: Tensor, parts: int, kick: Tensor | None,
        bias: Tensor | None, leak: Tensor | None, bend: Tensor | None,
        points: tuple[float, ...], v_reset: float, moment: bool, interpolated: bool, connection: Connection,
        reduced: torch.dtype | None,
    ) -> Tensor:  # fmt: skip
        outputs = len(all_synapses) // parts
        shape = connection.output_shape(t.shape, all_synapses[:outputs].shape)
        t = t.movedim(1, -1).contiguous()
        synapses = Synapses(all_synapses, parts, kick, (bias, leak, bend)[:parts], connection, moment, reduced)
        v = all_synapses.new_full((len(t), shape[2:].numel(), outputs), v_reset)
        keep = any(ctx.needs_input_grad)
        ctx.kept = [forwards(t[at], synapses, points, v[at].flatten(0, 1), keep) for at in _in_turn(v)]
        ctx.save_for_backward(t, all_synapses, kick, bias, leak, bend, v)
        ctx.settings = (parts, points, moment, interpolated, connection, reduced)
        return v.view(len(t), *shape[2:], outputs).movedim(-1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, all_synapses, kick, *constants, v = ctx.saved_tensors
        parts, points, moment, interpolated, connection, reduced = ctx.settings
        synapses = Synapses(all_synapses, parts, kick, tuple(constants[:parts]), connection, moment, reduced)
        found = Gradients(synapses, t if ctx.needs_input_grad[0] else None, interpolated)
        v_grad = v_grad.movedim(1, -1).reshape(v.shape)
        for at, kept in zip(_in_turn(v), ctx.kept, strict=True):
            found.sweep(t[at], at, v[at].flatten(0, 1), v_grad[at].flatten(0, 1), points, kept)
        t_grad = None if found.t is None else found.t.movedim(-1, 1)
        each = zip_longest(constants, found.constant.chunk(parts))
        constants_grad = [None if given is None else grad for given, grad in each]
        return t_grad, found.synapses, None, found.kick, *constants_grad, *[None] * 6


def _in_turn(v: Tensor) -> list[slice]:
    """The samples of membranes [samples, positions, outputs] in groups that fit the cache of a CPU."""
    if not v.is_cpu:
        return [slice(0, len(v))]
    samples = max(1, _MEMBRANES_AT_ONCE // v[:1].numel()) if len(v) else 1
    return [slice(start, start + samples) for start in range(0, len(v), samples)]
