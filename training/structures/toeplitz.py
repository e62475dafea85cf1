"""Block-Toeplitz weights: in every block of outputs and inputs (channels, for a convolution) a diagonal shares its kernel.

W[o, i] = K[o // B, i // B, o % B - i % B]. A block of B x B kernels holds 2 B - 1, so that B = 8 takes 4.3 times fewer
parameters, and a convolution stays the Toeplitz matrix in space that it is (`training.unrolling`). What is trained is projected
onto such weights by the mean of each diagonal, with its true gradient.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.structures.code import LayerCode
from training.structures.structure import Span, Structure


class Toeplitz(Structure):
    """One kernel a diagonal of every block of `block` outputs and inputs."""

    kind: ClassVar = "toeplitz"
    _diagonal: Tensor
    _length: Tensor

    def __init__(self, shape: tuple[int, ...], span: Span, *, block: int = 8) -> None:
        super().__init__(shape, span)
        self.block = block
        diagonal = diagonals(self.shape, block)
        self.register_buffer("_diagonal", torch.from_numpy(diagonal.reshape(-1)), persistent=False)
        self.register_buffer("_length", torch.from_numpy(np.bincount(diagonal.reshape(-1))), persistent=False)

    def forward(self, stored: Tensor) -> Tensor:
        return self._kernels(stored)[self._diagonal].view(self.shape)

    def drawn(self, weight: Tensor) -> Tensor:
        """Of each diagonal the first: the mean of n that are drawn has a root of n less spread."""
        first = np.unique(self._diagonal.cpu().numpy(), return_index=True)[1]
        return weight.reshape(len(self._diagonal), -1)[first][self._diagonal].view(self.shape)

    def held(self, stored: Tensor) -> Tensor:
        with torch.no_grad():
            weight: Tensor = self(stored)
            return weight

    def _kernels(self, stored: Tensor) -> Tensor:
        """The mean of each diagonal, [diagonals, weights of a kernel]."""
        kernels = stored.reshape(len(self._diagonal), -1)
        sums = kernels.new_zeros(len(self._length), kernels.shape[1]).index_add(0, self._diagonal, kernels)
        return sums / self._length[:, None]

    def code(self, stored: Tensor) -> LayerCode:
        values = self._kernels(stored.detach()).float().numpy().reshape(-1)
        return LayerCode(self.kind, self.shape, {"block": self.block}, reals={"kernel": values})

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        diagonal = diagonals(code.shape, int(code.rule["block"]))
        kernels = code.reals["kernel"].reshape(int(diagonal.max()) + 1, -1)
        return kernels[diagonal].reshape(code.shape)


def diagonals(shape: tuple[int, ...], block: int) -> NDArray[np.int64]:
    """The number of the diagonal that an output and an input, [out, in], lie on. Raises ValueError for a block that is none."""
    if block < 2:
        raise ValueError(f"block: {block}; a diagonal shares from 2 on")
    outputs, inputs = np.ogrid[: shape[0], : shape[1]]
    across = -(-shape[1] // block)
    number = ((outputs // block) * across + inputs // block) * (2 * block) + outputs % block - inputs % block + block
    return np.asarray(np.unique(number, return_inverse=True)[1].reshape(shape[:2]), dtype=np.int64)
