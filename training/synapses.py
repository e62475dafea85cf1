"""What a hardware model says of the synapses of a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from training.hardware import NormalisedModel, SynapseTable, constant_beta
from training.solvers.reversal import BySign


class Synapses(NamedTuple):
    """Effective synapses of a layer, each shaped as its weight; `RCSpikeLayer.synapses` gives beta as a tensor always."""

    weight: Tensor
    beta: Any
    kick_on: Tensor
    kick_off: Tensor
    kick_off_tail: Tensor
    load: Tensor
    lift: Tensor
    gamma: Tensor
    leakage: Tensor
    kick_off_drift: Tensor

    def wired(self, links: Tensor) -> Synapses:
        """Without the devices that are not there, shaped as the weight: what noise or an idle one does, these do not.

        The bend of a current, beta and gamma, is that of no current there.
        """
        return self._replace(**{name: getattr(self, name) * links for name in self._fields if name not in ("beta", "gamma")})


class SynapseCells(nn.Module):
    """Cells of a hardware model, looked up by their weight: linear between its points, differentiable.

    The model is held in buffers that are not saved.

    Attributes:
        has_kick_on, has_kick_off, has_tail: whether any cell has such a charge.
        has_load: whether the capacitance of a membrane depends on the weights.
        has_curvature, has_leakage: whether any current is bent, and whether any cell that is off leaks.
    """

    knots: Tensor
    table: Tensor
    idle: Tensor

    def __init__(self, model: NormalisedModel) -> None:
        super().__init__()
        table = SynapseTable.of(model)
        for name, values in (("knots", table.weight), ("table", table.values), ("idle", table.idle)):
            self.register_buffer(name, torch.as_tensor(values.copy()), persistent=False)
        self.has_kick_on, self.has_kick_off, self.has_tail = (
            bool(np.any(table.values[:, i]) or np.any(table.idle[i])) for i in ([1], [2], [3, 8])
        )
        self.has_load = bool(np.any(table.values[:, 4:6]))
        self.has_curvature = bool(np.any(table.values[:, 6]))
        self.has_leakage = bool(np.any(table.values[:, 7]) or table.idle[7])
        self._constant_beta = constant_beta(model)

    def forward(self, weight: Tensor) -> Synapses:
        """Synapses of effective weights of any shape."""
        if self._constant_beta is not None:
            by_sign = BySign(*(weight.new_full((), beta) for beta in self._constant_beta))
            nothing = weight.new_zeros(()).expand_as(weight)
            return Synapses(weight, by_sign, *[nothing] * 8)
        with torch.no_grad():
            below = (torch.searchsorted(self.knots, weight, right=True) - 1).clamp_(0, len(self.knots) - 2)
            start, width = self.knots[below], (self.knots[below + 1] - self.knots[below]).clamp_min_(1e-12)
            low = self.table[below]
            rise = self.table[below + 1] - low
        fraction = ((weight - start) / width).clamp(0.0, 1.0)
        values = torch.where((weight == 0.0)[..., None], self.idle, low + fraction[..., None] * rise)
        return Synapses(weight, *values.unbind(-1))
