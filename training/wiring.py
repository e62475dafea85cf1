"""Which input lines the neurons of a layer hang on, where that is not all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

Lines = NDArray[np.intp]
"""The input line of every synapse, [neurons, synapses]."""


class Block(NamedTuple):
    """Neurons that hang on the same lines: a dense crossbar by itself."""

    neurons: NDArray[np.intp]
    lines: NDArray[np.intp]


def by_blocks(lines: Lines, found: Callable[[NDArray[np.intp], NDArray[np.intp]], FloatArray]) -> FloatArray:
    """What is found of each block, `found(neurons, lines)`, [..., neurons of the block], put together for all neurons."""
    parts = [(block.neurons, found(*block)) for block in blocks(lines)]
    whole = np.empty((*parts[0][1].shape[:-1], len(lines)))
    for neurons, part in parts:
        whole[..., neurons] = part
    return whole


def blocks(lines: Lines) -> Iterator[Block]:
    """The dense crossbars that a layer is made of."""
    own, of_neuron = np.unique(lines, axis=0, return_inverse=True)
    return (Block(np.flatnonzero(of_neuron.ravel() == k), row) for k, row in enumerate(own))
