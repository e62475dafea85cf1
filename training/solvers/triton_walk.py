"""The event walk on a GPU, by the kernels of `triton_kernels`. Import it only where triton is installed."""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.solvers import triton_kernels

# Neurons per program: one or two per thread of four warps.
_BLOCK = 128


def _constants(dtype: torch.dtype, kick: Tensor | None) -> dict[str, Any]:
    # Terms of the series of phi2 up to 1/TERMS!: below the rounding of each type at x = 1.
    return {"KICKED": kick is not None, "TERMS": 19 if dtype == torch.float64 else 12, "BLOCK": _BLOCK}


class TritonWalk(torch.autograd.Function):
    """v(1) of t [batch, in], weight, conductance and kick (or None) [out, in], bias and leak [out], v_reset."""

    @staticmethod
    def forward(
        ctx: Any, t: Tensor, weight: Tensor, conductance: Tensor, kick: Tensor | None, bias: Tensor, leak: Tensor, v_reset: float
    ) -> Tensor:
        # torch sorts into the order in which t lies in memory; the kernels want it sample by sample.
        times, order = t.contiguous().sort(dim=1)
        times.clamp_(min=0.0)
        rows = [None if x is None else x.T.contiguous() for x in (weight, conductance, kick)]
        v = weight.new_full((len(t), len(weight)), v_reset)
        g, f = torch.empty_like(v), torch.empty_like(v)
        blocks = (len(t), triton.cdiv(len(weight), _BLOCK))
        constants = _constants(weight.dtype, kick)
        given = (times, order, rows[0], rows[1], rows[0] if kick is None else rows[2], bias.contiguous(), leak.contiguous())
        # Triton starts a kernel on the current device, whatever its arguments lie on.
        with torch.cuda.device_of(t):  # type: ignore[no-untyped-call]
            triton_kernels.walk[blocks](*given, v, g, f, t.shape[1], len(weight), **constants)
        ctx.save_for_backward(t, times, order, *rows, v, g, f)
        return v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, times, order, weight, conductance, kick, v, g, f = ctx.saved_tensors
        # A kernel needs some memory where there are no kicks; it does not touch it.
        kick_grad = weight.new_zeros(1) if kick is None else torch.zeros_like(kick)
        weight_grad, conductance_grad, time_grad = map(torch.zeros_like, (weight, conductance, times))
        bias_grad, leak_grad = weight.new_zeros(weight.shape[1]), weight.new_zeros(weight.shape[1])
        blocks = (len(t), triton.cdiv(weight.shape[1], _BLOCK))
        given = (times, order, weight, conductance, weight if kick is None else kick, v, g, f, v_grad.contiguous())
        found = (weight_grad, conductance_grad, kick_grad, bias_grad, leak_grad, time_grad)
        constants = _constants(weight.dtype, kick)
        with torch.cuda.device_of(t):  # type: ignore[no-untyped-call]
            triton_kernels.walk_back[blocks](*given, *found, t.shape[1], weight.shape[1], **constants)
        time_grad *= (t >= 0.0) & (t <= 1.0)
        synapses = weight_grad.T, conductance_grad.T, None if kick is None else kick_grad.T
        return time_grad, *synapses, bias_grad, leak_grad, None
