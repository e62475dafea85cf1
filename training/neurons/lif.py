"""Leaky integrate-and-fire neurons with a membrane and a synapse time constant, at most one spike each, within a window."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.neurons import lif_kernels
from training.solvers.threads import array, gather_over_threads, in_order, over_threads, written, zeros_in_rows


def first_spikes(
    t: Tensor, weight: Tensor, *, tau_membrane: float, tau_synapse: float, window: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """First time within the window at which v is at the threshold 1; its end for a silent neuron. [batch, out].

    tau_m dv/dt = -v + i, tau_s di/dt = -i + sum_j w_j delta(t - t_j), v(0) = i(0) = 0; the time constants may be equal. Exact,
    and so is the gradient to t and weight: dt = -dv tau_m/(i - 1). A neuron that is silent, or above threshold when the window
    opens, has none.

    Args:
        t: input spike times, [batch, in]; an input at the end of the window or later never arrives, t < 0 counts as 0.
        weight: [out, in].
        tau_membrane, tau_synapse: time constants, in the unit of the times.
        window: when the neurons may spike.

    Raises ValueError for a time constant that is not positive or a window that is empty.
    """
    opens, closes = window
    if not (tau_membrane > 0.0 and tau_synapse > 0.0):
        raise ValueError(f"tau_membrane, tau_synapse: {tau_membrane}, {tau_synapse} must be positive")
    if not 0.0 <= opens < closes:
        raise ValueError(f"window: {window} must open at 0 or later and close after that")
    spike_times: Tensor = _FirstSpikes.apply(t.to(weight.dtype), weight, tau_membrane, tau_synapse, opens, closes)  # type: ignore[no-untyped-call]
    return spike_times


class _FirstSpikes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, t: Tensor, weight: Tensor, tau_m: float, tau_s: float, opens: float, closes: float) -> Tensor:
        times, order = in_order(t)
        w = weight.detach().cpu()
        end, current = times.new_empty(len(t), len(weight)), times.new_empty(len(t), len(weight))
        rank = order.new_empty(end.shape)
        # As the times are rounded: the end of the window is the mark of a silent neuron.
        opens, closes = times.new_tensor([opens, closes]).tolist()
        given = (array(times), array(order), array(w), tau_m, tau_s, opens, closes)
        found = [written(x) for x in (end, current, rank)]
        over_threads(lambda first, last: lif_kernels.first_spikes(*given, *found, first, last), len(w), t.shape[1] * end.numel())
        end[times.isnan().any(1)] = torch.nan
        ctx.save_for_backward(t, times, order, w, end, current, rank)
        ctx.constants = tau_m, tau_s
        return end.to(t.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, end_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, times, order, weight, end, current, rank = ctx.saved_tensors
        weight_grad = zeros_in_rows(weight)
        given = (*map(array, (times, order, weight)), *ctx.constants, *map(array, (end, current, rank, end_grad.cpu())))
        t_grad = gather_over_threads(
            lambda share, first, last: lif_kernels.first_spikes_back(*given, written(weight_grad), share, first, last),
            len(weight), times.shape[1] * end.numel(), times,
        )  # fmt: skip
        t_grad = t_grad.to(t.device).mul_(t >= 0.0)
        return t_grad, weight_grad.to(t.device), None, None, None, None
