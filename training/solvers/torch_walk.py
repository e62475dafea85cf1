"""The event walk in torch operations, a few per spike and with the exact adjoint: for a device that has no kernel of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.solvers.phi import phi1_phi2, phi1_value


class TorchWalk(torch.autograd.Function):
    """v(1) of t [batch, in], weight, conductance and kick (or None) [out, in], bias and leak [out], v_reset."""

    @staticmethod
    def forward(
        ctx: Any, t: Tensor, weight: Tensor, conductance: Tensor, kick: Tensor | None, bias: Tensor, leak: Tensor, v_reset: float
    ) -> Tensor:
        outputs, inputs = weight.shape
        synapses = torch.cat([weight, conductance, torch.zeros_like(weight) if kick is None else kick]).T.contiguous()
        times, order = t.sort(dim=1)
        arrived = (times < 1.0).to(t.dtype).unsqueeze(2)
        times, order = times.clamp_(0.0, 1.0).unsqueeze(2), order.T.contiguous()
        both = torch.cat([bias, leak]).repeat(len(t), 1)
        g, f = both.tensor_split(2, 1)
        v, now = weight.new_full((len(t), outputs), v_reset), torch.zeros_like(times[:, 0])
        for j in range(inputs):
            d = times[:, j] - now
            v = v + d * phi1_value(f * d) * (g - f * v)
            arriving = synapses[order[j]] * arrived[:, j]
            v = v + arriving[:, 2 * outputs :]
            both += arriving[:, : 2 * outputs]
            now = times[:, j]
        d = 1.0 - now
        v = v + d * phi1_value(f * d) * (g - f * v)
        ctx.save_for_backward(t, synapses, times, order, arrived, both, v)
        ctx.kicked = kick is not None
        return v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        t, synapses, times, order, arrived, both, v = ctx.saved_tensors
        g, f = both.tensor_split(2, 1)
        lam, y = grad, grad * v
        p, q = torch.zeros_like(v), torch.zeros_like(v)
        synapse_grad, time_grad = torch.zeros_like(synapses), torch.empty_like(t)
        now = torch.ones_like(times[:, 0])

        def retreat(to: Tensor) -> None:
            nonlocal lam, y, p, q
            d = now - to
            first, second = phi1_phi2(f * d)
            held = lam * d
            part = held * first
            q = q + d * (y - g * held * second)
            p, y, lam = p + part, y - g * part, lam - f * part

        for j in reversed(range(len(synapses))):
            retreat(times[:, j])
            on, now = arrived[:, j], times[:, j]
            weight, conductance, kick = synapses[order[j]].tensor_split(3, 1)
            kick = kick * on
            g, f = g - weight * on, f - conductance * on
            time_grad[:, j] = (conductance * y + lam * (f * kick - weight)).sum(1)
            synapse_grad.index_add_(0, order[j], torch.cat([p, -q, lam], 1) * on)
            y = y - lam * kick
        retreat(torch.zeros_like(now))
        in_phase = (t >= 0.0) & (t <= 1.0)
        t_grad = torch.zeros_like(t).scatter_(1, order.T, time_grad) * in_phase
        weight_grad, conductance_grad, kick_grad = synapse_grad.T.tensor_split(3)
        return t_grad, weight_grad, conductance_grad, kick_grad if ctx.kicked else None, p.sum(0), -q.sum(0), None
