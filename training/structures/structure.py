"""What a structure is: a parametrisation of a layer's weight, with a code and its inverse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training.hardware import WeightRange
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.structures.code import LayerCode


class Span(NamedTuple):
    """Magnitudes that the cell can do with either sign."""

    smallest: float
    largest: float

    @classmethod
    def of(cls, cell: WeightRange) -> Span:
        return cls(max(cell.plus[0], cell.minus[0]), min(cell.plus[1], cell.minus[1]))


class Structure(nn.Module, ABC):
    """Makes the weights of one layer from what is trained, `stored`, which is shaped as the weight.

    What is trained are real weights always; the layer sees the nearest weights that the structure can hold, and the gradient goes
    straight through to the real ones (Hubara et al. 2016). They are of any scale: the unit of the structure follows their spread,
    which is the normalisation of their distribution.

    Args:
        shape: of the weight, [out, in, ...].
        span: magnitudes of the cell; every weight that is not zero lies within.
    """

    kind: ClassVar[str]
    links: Tensor | None
    """Which crossings have a device, [out, in, ...] of booleans; None: all."""

    def __init__(self, shape: tuple[int, ...], span: Span, links: Tensor | None = None) -> None:
        super().__init__()
        self.shape, self.span = tuple(shape), span
        self.register_buffer("links", links, persistent=False)

    def forward(self, stored: Tensor) -> Tensor:
        """The weights."""
        held = self.held(stored.detach())
        return held + (stored - stored.detach())

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What to train from given weights on: these."""
        return weight

    def drawn(self, weight: Tensor) -> Tensor:
        """What to train from where each of these weights was drawn by itself; first weights keep their spread in it."""
        return weight

    @abstractmethod
    def held(self, stored: Tensor) -> Tensor:
        """The weights that the structure can hold, nearest to those stored; without a gradient."""

    @abstractmethod
    def code(self, stored: Tensor) -> LayerCode:
        """The code of `held`."""

    @classmethod
    @abstractmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        """The weights of a code, bit by bit those of `held`. Raises ValueError for a code that the structure does not write."""

    def advance(self, progress: float) -> None:
        """Hear how far the training is, 0 .. 1: what is pruned gradually follows it."""


def structure_of(layer: nn.Module) -> Structure | None:
    """The structure of a layer's weight."""
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    found = layer.parametrizations.weight[0]  # type: ignore[union-attr, index]
    return found if isinstance(found, Structure) else None


def structures_of(network: RCSpikeNetwork) -> Iterator[tuple[RCSpikeLayer, Structure]]:
    """The layers that have one."""
    for layer in network:
        if (found := structure_of(layer)) is not None:
            yield layer, found


def advance(network: RCSpikeNetwork, progress: float) -> None:
    """Tell all structures of a network how far its training is, 0 .. 1."""
    for _, structure in structures_of(network):
        structure.advance(progress)
