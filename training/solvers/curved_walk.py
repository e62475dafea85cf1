"""The exact solution of the accumulation phase with a quadratic synapse current, by walking the sorted input spikes on a CPU.

As `event_walk`, with dv/dt = g - f v + q v^2 between two spikes, q the sum of the arrived gamma w, and the step of `riccati`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.solvers import curved_kernels
from training.solvers.threads import array, gather_over_threads, in_order, over_threads, written


def accumulate(
    t: Tensor,
    weight: Tensor,
    conductance: Tensor,
    curvature: Tensor,
    kick: Tensor | None = None,
    *,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
    bend: Tensor | None = None,
) -> Tensor:
    """v(1) [batch, out] before the synapses switch off. Gradients to every tensor, those of time as in `event_walk.accumulate`.

    Args:
        t: input spike times in phases, [batch, in].
        weight, conductance, curvature: what an arriving input adds to g, f, q, [out, in] each.
        kick: what it adds to v, [out, in]; None for nothing.
        v_reset: membrane at t = 0.
        bias, leak, bend: g, f and q from t = 0 on, [out]; None for 0.
    """
    none = weight.new_zeros(len(weight))
    constants = (*(none if x is None else x for x in (bias, leak, bend)), v_reset)
    v: Tensor = _CurvedWalk.apply(t.to(weight.dtype), weight, conductance, curvature, kick, *constants)  # type: ignore[no-untyped-call]
    return v


class _CurvedWalk(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, t: Tensor, weight: Tensor, conductance: Tensor, curvature: Tensor, kick: Tensor | None,
        bias: Tensor, leak: Tensor, bend: Tensor, v_reset: float,
    ) -> Tensor:  # fmt: skip
        times, order = in_order(t)
        v = weight.new_empty(len(t), len(weight))
        synapses = (array(x) for x in (weight, conductance, curvature, kick, bias, leak, bend))
        given = (array(times), array(order), *synapses, v_reset, written(v))
        over_threads(lambda first, last: curved_kernels.walk(*given, first, last), len(weight), t.shape[1] * v.numel())
        ctx.save_for_backward(t, times, order, weight, conductance, curvature, kick, bias, leak, bend)
        ctx.v_reset = v_reset
        return v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, times, order, *synapses = ctx.saved_tensors
        given = [*(array(x) for x in (times, order, *synapses)), ctx.v_reset, array(v_grad)]
        gradients = [None if x is None else x.new_empty(x.shape) for x in synapses]
        found = [written(x) for x in gradients]
        to_t = ctx.needs_input_grad[0]
        t_grad = gather_over_threads(
            lambda share, first, last: curved_kernels.walk_back(*given, *found, share, to_t, first, last),
            len(synapses[0]), t.shape[1] * v_grad.numel(), t,
        )  # fmt: skip
        t_grad.mul_((t >= 0.0) & (t <= 1.0))
        return t_grad if to_t else None, *gradients, None
