"""The exact solution of the accumulation phase behind a convolution: `event_walk` with one sort an image and no patches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.solvers import image_kernels
from training.solvers.connection import Convolution
from training.solvers.reversal import Beta, beta_of
from training.solvers.threads import array, in_order, over_threads, sum_in_order, written, zeros_in_rows


def accumulate(
    t: Tensor,
    weight: Tensor,
    beta: Beta,
    kick: Tensor | None = None,
    *,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
    connection: Convolution | None = None,
) -> Tensor:
    """v(1) [batch, out, height, width] of spikes t [batch, in, height, width] behind weights [out, in, kernel, kernel].

    beta broadcasts to the weights, kick has their shape, bias and leak are [out]; all else as in `event_walk.accumulate`.
    """
    none = weight.new_zeros(len(weight))
    v: Tensor = _ImageWalk.apply(  # type: ignore[no-untyped-call]
        t.to(weight.dtype),
        weight,
        beta_of(beta, weight) * weight,
        kick,
        none if bias is None else bias,
        none if leak is None else leak,
        v_reset,
        connection or Convolution(),
    )
    return v


def _columns(weight: Tensor | None) -> Tensor | None:
    """[out, in, kernel, kernel] as [in kernel kernel, out]."""
    return None if weight is None else weight.flatten(1).T.contiguous()


class _ImageWalk(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        t: Tensor,
        weight: Tensor,
        conductance: Tensor,
        kick: Tensor | None,
        bias: Tensor,
        leak: Tensor,
        v_reset: float,
        connection: Convolution,
    ) -> Tensor:
        times, order = in_order(t.flatten(1))
        window = (*weight.shape[2:], connection.stride, connection.padding)
        positions = tuple(connection.output_shape(t.shape, weight.shape)[2:])
        geometry = (tuple(t.shape[2:]), window, positions)
        v, g, f = (weight.new_empty(len(t), positions[0] * positions[1], len(weight)) for _ in range(3))
        synapses = [array(_columns(x)) for x in (weight, conductance, kick)]
        given = (array(times), array(order), *synapses, array(bias), array(leak), v_reset, *geometry)
        found = [written(x) for x in (v, g, f)]
        over_threads(lambda first, last: image_kernels.walk(*given, *found, first, last), len(t), v.numel() * weight[0].numel())
        ctx.save_for_backward(t, times, order, weight, conductance, kick, leak, v, g, f)
        ctx.geometry = geometry
        return v.transpose(1, 2).reshape(len(t), len(weight), *positions)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, times, order, weight, conductance, kick, leak, v, g, f = ctx.saved_tensors
        columns = [_columns(x) for x in (weight, conductance, kick)]
        to_t, time_grad = ctx.needs_input_grad[0], zeros_in_rows(times)
        given = [array(x) for x in (times, order, *columns, leak)]
        states = [array(x) for x in (v, g, f, v_grad.flatten(2).transpose(1, 2))]
        wanted = [x for x in (*columns, leak, leak) if x is not None]
        shares: dict[int, list[Tensor]] = {}

        def sweep(first: int, last: int) -> None:
            shares[first] = [zeros_in_rows(x) for x in wanted]
            weight_grad, conductance_grad, *kick_grad, bias_grad, leak_grad = map(written, shares[first])
            found = (weight_grad, conductance_grad, *(kick_grad or [None]), bias_grad, leak_grad, written(time_grad))
            image_kernels.walk_back(*given, *ctx.geometry, *states, *found, to_t, first, last)

        over_threads(sweep, len(t), v.numel() * weight[0].numel())
        *columns_grad, bias_grad, leak_grad = map(sum_in_order, zip(*(shares[first] for first in sorted(shares)), strict=True))
        weight_grad, conductance_grad, *kick_grad = (x.T.view_as(weight) for x in columns_grad)
        t_grad = time_grad.view_as(t).mul_((t >= 0.0) & (t <= 1.0)) if to_t else None
        return t_grad, weight_grad, conductance_grad, kick_grad[0] if kick_grad else None, bias_grad, leak_grad, None, None
