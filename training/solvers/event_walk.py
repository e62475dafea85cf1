"""The exact solution of the accumulation phase, by walking the sorted input spikes.

Between two spikes dv/dt = g - f v with constant g = sum of the arrived w and f = sum of the arrived beta w. The walk keeps
(g, f, v) of all outputs: time O(inputs x outputs), memory O(outputs) per sample. The gradient is the exact adjoint, additive and
walked backwards without a stored trajectory: lambda = dL/dv(t) and y = lambda v obey dlambda/dt = f lambda, dy/dt = lambda g, and

    dL/dw_j = int_{t_j}^1 lambda dt,   dL/d(beta w)_j = -int_{t_j}^1 lambda v dt,   dL/dkick_j = lambda(t_j),
    dL/dt_j = sum over outputs of lambda (-w_j + (beta w)_j v(t_j+) + f(t_j-) kick_j).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.solvers import torch_walk, walk_kernels
from training.solvers.connection import Dense
from training.solvers.reversal import Beta, BySign, beta_of
from training.solvers.threads import array, gather_over_threads, in_order, over_threads, written, zeros_in_rows


def accumulate(
    t: Tensor,
    weight: Tensor,
    beta: Beta,
    kick: Tensor | None = None,
    *,
    v_reset: float = 0.0,
    bias: Tensor | None = None,
    leak: Tensor | None = None,
) -> Tensor:
    """Membrane at the end of accumulation: dv/dt = bias - leak v + sum_j w_j (1 - beta_j v) step(t - t_j), v(0) = v_reset.

    Args:
        t: input spike times in phases, [batch, in]. An input at t >= 1 never arrives; t < 0 counts as 0.
        weight: [out, in].
        beta: 1/E with the sign of the weight, so that beta * weight >= 0; broadcast to [out, in]. `BySign` saves time and memory.
        kick: jump of v when input j arrives, [out, in]; None for none.
        v_reset: membrane at t = 0.
        bias: drive from t = 0 on, [out]: weight of a spike at t = 0; None for none.
        leak: conductance from t = 0 on, [out]: of a leak, and beta times `bias`; None for none.

    Returns:
        v(1) of shape [batch, out], before the synapses switch off. Gradients to every tensor. At t = 1 exactly the time gradient
        is the one from below, so that an input which just fails to arrive can be pulled in; beyond it is 0.
    """
    Dense().output_shape(t.shape, weight.shape)
    none = weight.new_zeros(len(weight))
    constants = (none if bias is None else bias, none if leak is None else leak, v_reset)
    t = t.to(weight.dtype)
    if not t.is_cpu:
        conductance = (beta_of(beta, weight) * weight).to(weight.dtype)
        v: Tensor = _walk_elsewhere().apply(t, weight, conductance, kick, *constants)
    elif isinstance(beta, BySign):
        signs = [x.to(weight.dtype).expand(len(weight)) for x in (beta.plus, beta.minus)]
        v = _EventWalk.apply(t, weight, None, *signs, kick, *constants)  # type: ignore[no-untyped-call]
    else:
        v = _EventWalk.apply(t, weight, beta.to(weight.dtype).expand_as(weight), none, none, kick, *constants)  # type: ignore[no-untyped-call]
    return v


def _walk_elsewhere() -> Any:
    """The walk for a device that is no CPU: compiled by triton, which torch brings along for CUDA, or in torch operations."""
    if find_spec("triton") is None:
        return torch_walk.TorchWalk
    from training.solvers.triton_walk import TritonWalk

    return TritonWalk


class _EventWalk(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, t: Tensor, weight: Tensor, beta: Tensor | None, plus: Tensor, minus: Tensor, kick: Tensor | None,
        bias: Tensor, leak: Tensor, v_reset: float,
    ) -> Tensor:  # fmt: skip
        times, order = in_order(t)
        v, g, f = (weight.new_empty(len(t), len(weight)) for _ in range(3))
        synapses = (array(x) for x in (weight, beta, plus, minus, kick, bias, leak))
        given = (array(times), array(order), *synapses, v_reset, *map(written, (v, g, f)))
        over_threads(lambda first, last: walk_kernels.walk(*given, first, last), len(weight), t.shape[1] * v.numel())
        ctx.save_for_backward(t, times, order, weight, beta, plus, minus, kick, leak, v, g, f)
        return v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v_grad: Tensor) -> tuple[Tensor | None, ...]:
        t, times, order, weight, beta, plus, minus, kick, leak, v, g, f = ctx.saved_tensors
        synapses = (weight, beta, plus, minus, kick)
        given = [array(x) for x in (times, order, *synapses, leak, v, g, f, v_grad)]
        # [out, in] are written and [out] added to.
        matrices = [None if x is None else weight.new_empty(weight.shape) for x in (weight, beta, kick)]
        vectors = [zeros_in_rows(leak) for _ in range(4)]
        gradients = [*matrices[:2], *vectors[:2], matrices[2], *vectors[2:]]
        found = [written(x) for x in gradients]
        to_t = ctx.needs_input_grad[0]
        t_grad = gather_over_threads(
            lambda share, first, last: walk_kernels.walk_back(*given, *found, share, to_t, first, last),
            len(weight), t.shape[1] * v.numel(), t,
        )  # fmt: skip
        t_grad.mul_((t >= 0.0) & (t <= 1.0))
        return t_grad if to_t else None, *gradients, None
