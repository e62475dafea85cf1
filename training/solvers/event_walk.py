"""The exact solution of the accumulation phase, by walking the sorted input spikes.

Between two spikes dv/dt = g - f v with constant g = sum of the arrived w and f = sum of the arrived beta w. The walk keeps
(g, f, v) of all outputs: time O(inputs x outputs), memory O(outputs) per sample. The gradient is the exact adjoint, additive and
walked backwards without a stored trajectory: lambda = dL/dv(t) and y = lambda v obey dlambda/dt = f lambda, dy/dt = lambda g, and

    dL/dw_j = int_{t_j}^1 lambda dt,   dL/d(beta w)_j = -int_{t_j}^1 lambda v dt,   dL/dkick_j = lambda(t_j),
    dL/dt_j = sum over outputs of lambda (-w_j + (beta w)_j v(t_j+) + f(t_j-) kick_j).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from training.solvers.phi import phi1_phi2, phi1_value


def accumulate(t: Tensor, weight: Tensor, beta: Tensor, kick: Tensor | None = None, *, v_reset: float = 0.0) -> Tensor:
    """Membrane at the end of accumulation: dv/dt = sum_j w_j (1 - beta_j v) step(t - t_j), v(0) = v_reset.

    Args:
        t: input spike times in phases, [batch, in]. An input at t >= 1 never arrives; t < 0 counts as 0.
        weight: [out, in].
        beta: 1/E with the sign of the weight, so that beta * weight >= 0; broadcast to [out, in].
        kick: jump of v when input j arrives, [out, in]; None for none.
        v_reset: membrane at t = 0.

    Returns:
        v(1) of shape [batch, out], before the synapses switch off. Gradients to t, weight, beta and kick. At t = 1 exactly the
        time gradient is the one from below, so that an input which just fails to arrive can be pulled in; beyond it is 0.
    """
    kick = torch.zeros_like(weight) if kick is None else kick
    v: Tensor = _EventWalk.apply(t, weight, beta * weight, kick, v_reset)  # type: ignore[no-untyped-call]
    return v


def _sorted(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Spike times in order [batch, in, 1], the input each belongs to [in, batch], and 1 where it arrives [batch, in, 1]."""
    times, order = t.clamp(0.0, 1.0).sort(dim=1)
    return times.unsqueeze(2), order.T.contiguous(), (times < 1.0).to(t.dtype).unsqueeze(2)


class _EventWalk(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, t: Tensor, weight: Tensor, conductance: Tensor, kick: Tensor, v_reset: float) -> Tensor:
        outputs, inputs = weight.shape
        synapses = torch.cat([weight, conductance, kick]).T.contiguous()
        times, order, arrived = _sorted(t)
        drive_conductance = t.new_zeros(t.shape[0], 2 * outputs)
        drive, total = drive_conductance.tensor_split(2, 1)
        v = t.new_full((t.shape[0], outputs), v_reset)
        for j in range(inputs):
            if j:
                d = times[:, j] - times[:, j - 1]
                v = v + d * phi1_value(total * d) * (drive - total * v)
            arriving = synapses[order[j]]
            v = v + arriving[:, 2 * outputs :] * arrived[:, j]
            drive_conductance += arriving[:, : 2 * outputs]
        d = 1.0 - times[:, -1]
        v = v + d * phi1_value(total * d) * (drive - total * v)
        ctx.save_for_backward(t, synapses, times, order, arrived, v)
        return v

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        t, synapses, times, order, arrived, v = ctx.saved_tensors
        drive, total, _ = synapses.sum(0).expand(t.shape[0], -1).tensor_split(3, 1)
        costate, y = grad, grad * v
        integral, integral_v = torch.zeros_like(v), torch.zeros_like(v)
        synapse_grad, time_grad = torch.zeros_like(synapses), torch.empty_like(t)
        end: Tensor | float = 1.0
        for j in reversed(range(len(synapses))):
            d = end - times[:, j]
            first, second = phi1_phi2(total * d)
            held = costate * d
            integral_v = integral_v + d * (y - drive * held * second)
            part = held * first
            integral = integral + part
            y = y - drive * part
            costate = costate - total * part
            weight_j, conductance_j, kick_j = synapses[order[j]].tensor_split(3, 1)
            kick_j = kick_j * arrived[:, j]
            drive, total = drive - weight_j, total - conductance_j
            time_grad[:, j] = (conductance_j * y + costate * (total * kick_j - weight_j)).sum(1)
            synapse_grad.index_add_(0, order[j], torch.cat([integral, -integral_v, costate * arrived[:, j]], 1))
            y = y - costate * kick_j
            end = times[:, j]
        in_phase = (t >= 0.0) & (t <= 1.0)
        t_grad = torch.zeros_like(t).scatter_(1, order.T, time_grad) * in_phase
        weight_grad, conductance_grad, kick_grad = synapse_grad.T.tensor_split(3)
        return t_grad, weight_grad, conductance_grad, kick_grad, None
