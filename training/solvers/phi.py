"""The functions of the exponential step: phi1(x) = (1 - e^-x)/x and phi2(x) = (x - 1 + e^-x)/x^2.

A membrane under constant drive g and conductance f moves by d phi1(f d) (g - f v) in a time d,
and phi1 = 1 - x phi2, d phi1/dx = phi2 - phi1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Below this |x| the closed form of phi2 loses more digits to cancellation than five terms of its series lose by truncation.
_SERIES_BELOW = 0.03


def phi1_phi2(x: Tensor) -> tuple[Tensor, Tensor]:
    """phi1 and phi2 of ``x`` (any shape), to rounding near x = 0. Not differentiable: see `phi1`."""
    series = ((((-x / 5040 + 1 / 720) * x - 1 / 120) * x + 1 / 24) * x - 1 / 6) * x + 0.5
    small = x.abs() < _SERIES_BELOW
    closed = torch.expm1(-x).div_(-x)
    second = torch.where(small, series, (1 - closed) / x)
    return torch.where(small, 1 - x * series, closed), second


def phi1_value(x: Tensor) -> Tensor:
    """phi1 alone, without a gradient."""
    return torch.where(x == 0, 1.0, torch.expm1(-x).div_(-x))


class _Phi1(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        first, second = phi1_phi2(x)
        ctx.save_for_backward(second - first)
        return first

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        gradient: Tensor = grad * slope
        return gradient


def phi1(x: Tensor) -> Tensor:
    """phi1 of ``x`` with a gradient that is exact at x = 0 too."""
    value: Tensor = _Phi1.apply(x)  # type: ignore[no-untyped-call]
    return value
