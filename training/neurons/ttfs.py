"""Time to first spike: a neuron integrates as RC-Spike does, without phases, and fires when its membrane crosses 1."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.neurons import ttfs_kernels
from training.solvers.threads import array, gather_over_threads, in_order, over_threads, written, zeros_in_rows


class FirstSpikes(NamedTuple):
    """First spikes, each [batch, out].

    `spike_times` is the horizon for a neuron that stays silent. `weight_sum` is the sum of the weights whose inputs arrived
    before the spike (or the horizon), `bias` included; its gradient goes to the weights alone. A loss that rewards it brings
    silent neurons to fire.
    """

    spike_times: Tensor
    weight_sum: Tensor


def first_spikes(
    t: Tensor,
    weight: Tensor,
    beta: Tensor,
    *,
    horizon: float,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
) -> FirstSpikes:
    """First time at which v of dv/dt = bias - leak v + sum_j w_j (1 - beta_j v) step(t - t_j), v(0) = v_reset < 1, crosses 1.

    In the interval after spike j, with drive g and conductance f, the crossing is t_j - log1p(-f (1 - v_j)/(g - f v_j))/f, t_j +
    (1 - v_j)/g at f = 0 (Sakemi et al. 2025, arXiv 2412.09010). Exact, and so is the gradient to every tensor: dt = -dv/(g - f).
    A silent neuron has none.

    Args:
        t: input spike times, [batch, in], in units of the input window; at the horizon and later an input never arrives.
        weight: [out, in]; beta: 1/E with the sign of the weight, broadcasts to it.
        horizon: time at which the walk ends.
        bias, leak: drive and conductance from t = 0 on, [out]; None for none.

    Raises ValueError for a horizon that is not positive or a reset at the threshold.
    """
    if not horizon > 0.0 or not v_reset < 1.0:
        raise ValueError(f"horizon, v_reset: {horizon}, {v_reset}; need a positive horizon and a reset below the threshold 1")
    none = weight.new_zeros(len(weight))
    constants = (none if bias is None else bias, none if leak is None else leak)
    beta = beta.to(weight.dtype).expand_as(weight)
    return FirstSpikes(*_FirstSpikes.apply(t.to(weight.dtype), weight, beta, *constants, v_reset, horizon))  # type: ignore[no-untyped-call]


class _FirstSpikes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, t: Tensor, weight: Tensor, beta: Tensor, bias: Tensor, leak: Tensor, v_reset: float, horizon: float
    ) -> tuple[Tensor, Tensor]:
        times, order = in_order(t)
        synapses = [x.detach().cpu() for x in (weight, beta, bias, leak)]
        end, g, f = (times.new_empty(len(t), len(weight)) for _ in range(3))
        rank = order.new_empty(end.shape)
        given = (array(times), array(order), *map(array, synapses), v_reset, horizon)
        found = [written(x) for x in (end, g, f, rank)]
        over_threads(
            lambda first, last: ttfs_kernels.first_spikes(*given, *found, first, last), len(weight), t.shape[1] * end.numel()
        )
        end[times.isnan().any(1)] = torch.nan
        ctx.save_for_backward(t, times, order, *synapses[:2], synapses[3], end, g, f, rank)
        ctx.horizon = horizon
        return end.to(t.device), g.to(t.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, end_grad: Tensor, sum_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, times, order, weight, beta, leak, end, g, f, rank = ctx.saved_tensors
        given = [array(x) for x in (times, order, weight, beta, leak, end, g, f, rank, end_grad.cpu(), sum_grad.cpu())]
        weight_grad, beta_grad, bias_grad, leak_grad = map(zeros_in_rows, (weight, beta, leak, leak))
        found = [written(x) for x in (weight_grad, beta_grad, bias_grad, leak_grad)]
        t_grad = gather_over_threads(
            lambda share, first, last: ttfs_kernels.first_spikes_back(*given, *found, share, first, last),
            len(weight), times.shape[1] * end.numel(), times,
        )  # fmt: skip
        t_grad = t_grad.to(t.device).mul_(t >= 0.0)
        return t_grad, *(x.to(t.device) for x in (weight_grad, beta_grad, bias_grad, leak_grad)), None, None
