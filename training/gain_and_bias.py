"""Normalisation in the forms that a circuit has: a gain per neuron, and a bias spike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SMALLEST_GAIN = 1e-3


class NeuronGain(nn.Module):
    """A gain > 0 per neuron, learnt: it multiplies all weights of the neuron.

    In the circuit it is no part of its own. It folds into the weights (`RCSpikeLayer.fold_gain`), or into the capacitor, whose
    inverse scales all weights of a neuron alike: w = I T/(C V_th).

    Args:
        outputs: neurons.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.ones(outputs))

    def reset_parameters(self) -> None:
        nn.init.ones_(self.value)

    def of(self, weight: Tensor) -> Tensor:
        """The gains in a shape that broadcasts against weights [out, ...]."""
        return self.value.view(-1, *[1] * (weight.dim() - 1))

    def forward(self, weight: Tensor) -> Tensor:
        """Weights [out, ...] of the neurons with their gain."""
        return self.of(weight) * weight

    @torch.no_grad()
    def project(self, weight: Tensor, low: float, high: float) -> None:
        """Keep the gains positive, and the stored weights [out, ...] so that gain times weight lies in low .. high."""
        self.value.clamp_min_(_SMALLEST_GAIN)
        gain = self.of(weight)
        weight.copy_(torch.minimum(torch.maximum(weight, low / gain), high / gain))


class BiasSpike(nn.Module):
    """An input that spikes at t = 0 for every sample: one synapse per neuron, learnt, in the same cell as the others.

    It is on before the reset is released, so its charge of switching on is lost in the reset; that of switching off is not.

    Args:
        outputs: neurons.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
