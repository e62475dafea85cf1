"""Reversal potentials of the synapses, as beta = 1/E."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True)
class BySign:
    """beta by the sign of the weight, the same for all inputs of a neuron.

    Attributes:
        plus, minus: 1/E+ and 1/E-, a scalar for the layer or [out] for its neurons.
    """

    plus: Tensor
    minus: Tensor

    def of(self, weight: Tensor) -> Tensor:
        """beta of every synapse, shaped as `weight`, [out, ...]."""
        shape = (-1, *[1] * (weight.dim() - 1))
        plus, minus = (x.to(weight.dtype).expand(len(weight)).view(shape) for x in (self.plus, self.minus))
        return torch.where(weight >= 0.0, plus, minus)


Beta: TypeAlias = Tensor | BySign


def beta_of(beta: Beta, weight: Tensor) -> Tensor:
    """beta in a shape that broadcasts to the weight."""
    return beta.of(weight) if isinstance(beta, BySign) else beta
