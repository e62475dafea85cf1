"""Neurons by their places in a layout: what hangs on each membrane, and what lies between the membranes of a layer.

With C the capacitance of the column, the membrane of neuron k obeys

    C_k dv_k/dt + sum_l c_kl (dv_k/dt - dv_l/dt) = i_k(v_k),   or   (1 + Lambda) C_k dv/dt = i,

Lambda = (diag(sum_l c_kl) - c)/C_k row by row: a charge that reaches one membrane moves all, by the rows of (1 + Lambda)^-1.
What they move by goes on flowing off through the synapses of each, which the walk does (`training.solvers.autograd_walk`).

In the firing phase every discharger drives k/b (1 - b v) for as long as it has voltage, with b = 1/e_dis, k = -ln(1 - b). What
reaches a neuron from its neighbours by its spike is, as if it had been there at the start (k/b (1 - b v) e^{k t} dt of a membrane
that moves by the law is constant in time),

    sum_l Lambda_kl of k/b (1 - b v_l) min(t, T_l),   T_l = ln((1 - b v_l)/(1 - b v_discharged))/k.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.hardware import NormalisedModel
from training.synapses import Synapses


class Places(nn.Module):
    """The places of a layer's neurons, held in buffers that are not saved.

    Attributes:
        capacitance: of each membrane beyond the column's, over it, [out].
        between: from membrane to membrane, over it, [out, out].
        kick: of an arriving spike, [out, in].
        delay: of the output spikes, [out].
        falling, crosstalk: capacitance of falling lines, [in], and more for each other input, [in, in], over that of the column.
        off, tail: charge of switching off with it, of positive and negative weights, and its tail, [2].
        has_capacitance, has_kick, has_delay, has_coupling: whether there is any.

    Raises ValueError where the model is of a layer of another shape.
    """

    capacitance: Tensor
    between: Tensor
    kick: Tensor
    delay: Tensor
    falling: Tensor
    crosstalk: Tensor
    off: Tensor
    tail: Tensor

    def __init__(self, model: NormalisedModel, shape: torch.Size) -> None:
        super().__init__()
        places = model.places
        if places is not None and places.kick.shape != shape:
            raise ValueError(f"places: of {list(places.kick.shape)} synapses, the layer has {list(shape)}")
        for name in ("capacitance", "between", "kick", "delay", "falling", "crosstalk", "off", "tail"):
            values = torch.zeros(0) if places is None else torch.as_tensor(getattr(places, name).copy())
            self.register_buffer(name, values, persistent=False)
        self.has_capacitance = bool(self.capacitance.any())
        self.has_coupling, self.has_kick, self.has_delay = (bool(x.any()) for x in (self.between, self.kick, self.delay))
        self.has_falling = bool(self.falling.any() or self.crosstalk.any())
        self.b, self.v_discharged = 1.0 / model.e_dis, model.v_discharged

    def kicked(self, synapses: Synapses) -> Synapses:
        """Synapses with the kicks of their places; a line that falls takes back what it gave."""
        if not self.has_kick:
            return synapses
        return synapses._replace(kick_on=synapses.kick_on + self.kick, kick_off=synapses.kick_off - self.kick)

    def fallen(self, arrived: Tensor, weight: Tensor, each: Tensor, capacitance: Tensor | None) -> Tensor:
        """What falling lines of another length leave on membranes, [batch, out].

        Args:
            arrived: 1 for each input that has, else 0, [batch, in].
            weight: of the synapses, [out, in].
            each: `off` or `tail`.
            capacitance: of the neurons over that of the column, [out].
        """
        charge = torch.where(weight > 0, each[0], torch.where(weight < 0, each[1], 0.0))
        moved = (arrived * (self.falling + arrived @ self.crosstalk.T)) @ charge.T
        return moved if capacitance is None else moved / capacitance

    def delayed(self, spike_times: Tensor) -> Tensor:
        """Spikes [batch, out] on lines that are loaded otherwise than the column's; one that does not come, does not come."""
        if not self.has_delay:
            return spike_times
        return torch.where(spike_times < 1.0, (spike_times + self.delay).clamp_max(1.0), spike_times)

    def coupling(self, capacitance: Tensor | None) -> Tensor:
        """Lambda, [out, out], of membranes with so many times the column's capacitance, [out]."""
        laplacian = self.between.sum(1).diag() - self.between
        return laplacian if capacitance is None else laplacian / capacitance[:, None]

    def mixing(self, capacitance: Tensor | None) -> Tensor | None:
        """(1 + Lambda)^-1, [out, out]; None where nothing couples."""
        if not self.has_coupling:
            return None
        coupling = self.coupling(capacitance)
        mixing: Tensor = torch.linalg.inv(torch.eye(len(coupling), dtype=coupling.dtype, device=coupling.device) + coupling)
        return mixing

    def firing(self, v: Tensor, spike_times: Tensor, capacitance: Tensor | None) -> Tensor:
        """What dischargers of neighbours move firing membranes by, [batch, out], as if it had been there at the start.

        Args:
            v, spike_times: at the start of the phase, and of the neurons, [batch, out].
            capacitance: of the neurons over that of the column, [out].
        """
        rate = -math.log1p(-self.b)
        drive = (rate / self.b if rate else 1.0) * (1.0 - self.b * v)
        times = spike_times if capacitance is None else spike_times / capacitance
        if math.isinf(self.v_discharged):
            moved = drive[:, None, :] * times[:, :, None]
        else:
            moved = drive[:, None, :] * torch.minimum(times[:, :, None], self._discharged_after(v, rate)[:, None, :])
        return -torch.einsum("kl,bkl->bk", self.coupling(capacitance), moved)

    def _discharged_after(self, v: Tensor, rate: float) -> Tensor:
        """When a membrane has come to ground, in phases."""
        if not rate:
            return (self.v_discharged - v).clamp_min(0.0)
        left = max(1.0 - self.b * self.v_discharged, 1e-6)
        return (((1.0 - self.b * v) / left).clamp_min(1.0)).log() / rate
