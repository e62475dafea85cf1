"""What a layer does to every weight and every membrane by itself, as one operation each on devices that are no CPU.

Operators of torch (`torch.library`), of which compilers and captured graphs know the shapes. Values and gradients are those of
`training.layer` and `training.firing`. Results lie in memory as what they are made of.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from training.solvers.devices import BLOCK, kernels, programs


def clip(weight: Tensor, most_minus: float, least_minus: float, least_plus: float, most_plus: float) -> Tensor:
    """Weights clipped to most_minus .. most_plus, and 0 within least_minus .. least_plus."""
    clipped = weight.clamp(most_minus, most_plus)
    return clipped.masked_fill_((clipped > least_minus) & (clipped < least_plus), 0.0)


@torch.library.custom_op("cosim::clip_weight", mutates_args=())
def clip_weight(weight: Tensor, most_minus: float, least_minus: float, least_plus: float, most_plus: float) -> Tensor:
    """`clip`, with the gradient straight through."""
    bounds = (most_minus, least_minus, least_plus, most_plus)
    if (own := kernels(weight, "training.elementwise_kernels")) is None:
        return clip(weight, *bounds)
    result = torch.empty_like(weight)
    with torch.cuda.device_of(weight):  # type: ignore[no-untyped-call]
        own.clipped[programs(weight)](weight, result, weight.numel(), *bounds, BLOCK=BLOCK)
    return result


@clip_weight.register_fake
def _(weight: Tensor, most_minus: float, least_minus: float, least_plus: float, most_plus: float) -> Tensor:
    return torch.empty_like(weight)


clip_weight.register_autograd(lambda ctx, grad: (grad, None, None, None, None))


def on_curve(v: Tensor, curve_v: Tensor, curve_t: Tensor, curve_slope: Tensor) -> tuple[Tensor, Tensor]:
    """A curve of straight segments, continued at its ends, and its slope, at v of any shape."""
    segment = (torch.searchsorted(curve_v, v.contiguous(), right=True) - 1).clamp_(0, len(curve_slope) - 1)
    slope = curve_slope[segment]
    return curve_t[segment] + slope * (v - curve_v[segment]), slope


@torch.library.custom_op("cosim::fire", mutates_args=())
def fire(
    v: Tensor, curve_v: Tensor, curve_t: Tensor, curve_slope: Tensor, t_min: float, t_max: float, leak: float
) -> Tensor:  # fmt: skip
    """Spike times of membranes on a firing curve, clipped to t_min .. t_max; the gradient is never flatter than `leak`."""
    if (own := kernels(v, "training.elementwise_kernels")) is None:
        return torch.empty_like(v).copy_(on_curve(v, curve_v, curve_t, curve_slope)[0].clamp_(t_min, t_max))
    v = _dense(v)
    spikes = torch.empty_like(v)
    with torch.cuda.device_of(v):  # type: ignore[no-untyped-call]
        given = (curve_v, curve_t, curve_slope, spikes, v.numel(), len(curve_slope))
        own.fired[programs(v)](v, *given, t_min, t_max, LEVELS=_levels(curve_slope), BLOCK=BLOCK)
    return spikes


@fire.register_fake
def _(
    v: Tensor, curve_v: Tensor, curve_t: Tensor, curve_slope: Tensor, t_min: float, t_max: float, leak: float
) -> Tensor:  # fmt: skip
    return torch.empty_like(v)


@torch.library.custom_op("cosim::fire_back", mutates_args=())
def fire_back(
    v: Tensor, grad: Tensor, curve_v: Tensor, curve_t: Tensor, curve_slope: Tensor, t_min: float, t_max: float, leak: float
) -> Tensor:  # fmt: skip
    """Adjoint of `fire`."""
    if (own := kernels(v, "training.elementwise_kernels")) is None:
        t, slope = on_curve(v, curve_v, curve_t, curve_slope)
        return torch.empty_like(v).copy_(grad * torch.where((t > t_min) & (t < t_max), slope, 0.0).clamp_max_(-leak))
    v = _dense(v)
    v_grad = torch.empty_like(v)
    grad = grad if grad.stride() == v.stride() else torch.empty_like(v).copy_(grad)
    with torch.cuda.device_of(v):  # type: ignore[no-untyped-call]
        given = (curve_v, curve_t, curve_slope, v_grad, v.numel(), len(curve_slope))
        own.fired_back[programs(v)](v, grad, *given, t_min, t_max, leak, LEVELS=_levels(curve_slope), BLOCK=BLOCK)
    return v_grad


@fire_back.register_fake
def _(
    v: Tensor, grad: Tensor, curve_v: Tensor, curve_t: Tensor, curve_slope: Tensor, t_min: float, t_max: float, leak: float
) -> Tensor:  # fmt: skip
    return torch.empty_like(v)


def _keep_membranes(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.settings = inputs[4:]


def _to_membranes(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    v, *curve = ctx.saved_tensors
    return fire_back(v, grad, *curve, *ctx.settings), None, None, None, None, None, None


fire.register_autograd(_to_membranes, setup_context=_keep_membranes)


@torch.library.custom_op("cosim::jitter", mutates_args=())
def jitter(t: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """sigma * noise on the spikes there are; none leaves its phase, a silent neuron stays silent. The gradient is that of t."""
    if (own := kernels(t, "training.elementwise_kernels")) is None or t.stride() != noise.stride():
        return torch.empty_like(t).copy_(torch.where(t < 1.0, (t + sigma * noise).clamp_(0.0, 1.0), t))
    t, moved = _dense(t), torch.empty_like(t)
    with torch.cuda.device_of(t):  # type: ignore[no-untyped-call]
        own.jittered[programs(t)](t, noise, moved, t.numel(), sigma, BLOCK=BLOCK)
    return moved


@jitter.register_fake
def _(t: Tensor, noise: Tensor, sigma: float) -> Tensor:
    return torch.empty_like(t)


jitter.register_autograd(lambda ctx, grad: (grad, None, None))


def _levels(curve_slope: Tensor) -> int:
    """Halvings that find one of the segments of a curve."""
    return (len(curve_slope) - 1).bit_length()


def _dense(x: Tensor) -> Tensor:
    """The tensor without holes or repetitions in memory, in any order of its axes."""
    return x if x.is_contiguous() or (x.dim() > 1 and x.movedim(1, -1).is_contiguous()) else x.contiguous()
