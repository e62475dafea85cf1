"""Structured sparse ternary code: at most K weights of +-1 unit in every N, and the index of each block in a table of all."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.structures.code import Field, LayerCode
from training.structures.packing import Whole, bits_for
from training.structures.plan import check_words
from training.structures.structure import Span, Structure

Digits = NDArray[np.int8]

WORTH_A_LINK = 0.3
"""A weight below this share of the mean magnitude is zero also where its block has room."""

DIGIT_BITS = 2
"""Of an entry of the decode table: -1, 0 or 1."""


class TernaryTable:
    """All blocks of N digits -1, 0, 1 with at most K that are not zero, in the order of their numbers to the base 3.

    Attributes:
        words: [words, N].
    """

    def __init__(self, block: int, nonzeros: int) -> None:
        self.words = np.concatenate([_words(block, k) for k in range(nonzeros + 1)])
        self._powers = 3 ** np.arange(block, dtype=np.int64)
        keys = self.words @ self._powers
        order = np.argsort(keys)
        self.words, self._keys = self.words[order], keys[order]

    @property
    def index_bits(self) -> int:
        return bits_for(len(self.words))

    def indices(self, digits: Digits) -> Whole:
        """Of blocks [blocks, N]. Raises ValueError for a block that is no word."""
        keys = np.zeros(len(digits), np.int64)
        for digit, power in zip(digits.T, self._powers, strict=True):
            keys += digit * power
        found = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        if not np.array_equal(self._keys[found], keys):
            raise ValueError("a block has more digits that are not zero than the code holds")
        return found.astype(np.uint32)

    def digits(self, indices: Whole) -> Digits:
        """Blocks [blocks, N]. Raises ValueError for an index behind the last word."""
        if indices.size and int(indices.max()) >= len(self.words):
            raise ValueError(f"index {indices.max()} of {len(self.words)} words")
        return self.words[indices]


@lru_cache(maxsize=8)
def ternary_table(block: int, nonzeros: int) -> TernaryTable:
    return TernaryTable(block, nonzeros)


def _words(block: int, nonzeros: int) -> Digits:
    """Those with exactly so many digits that are not zero."""
    places = np.array(list(combinations(range(block), nonzeros)), dtype=np.intp).reshape(comb(block, nonzeros), nonzeros)
    signs = 1 - 2 * ((np.arange(1 << nonzeros)[:, None] >> np.arange(nonzeros)) & 1).astype(np.int8)
    words = np.zeros((len(places), len(signs), block), np.int8)
    for k in range(nonzeros):
        words[np.arange(len(places))[:, None], np.arange(len(signs))[None], places[:, [k]]] = signs[:, k]
    return words.reshape(-1, block)


class Ternary(Structure):
    """At most `nonzeros` weights of +-1 unit in every `block` inputs of a neuron; the last block of a neuron may be shorter.

    The unit of a layer is the mean magnitude of the real weights that are kept. While `advance` has not reached `pruned_at`, more
    are kept: their number falls from all to `nonzeros` by the cubic schedule of Zhu and Gupta (2017).
    """

    kind: ClassVar = "ternary"

    def __init__(self, shape: tuple[int, ...], span: Span, *, block: int = 8, nonzeros: int = 2, pruned_at: float = 0.5) -> None:
        super().__init__(shape, span)
        self.block, self.nonzeros, self.pruned_at = block, nonzeros, pruned_at
        self.kept = nonzeros

    def advance(self, progress: float) -> None:
        left = max(1.0 - progress / self.pruned_at, 0.0)
        self.kept = self.nonzeros + round((self.block - self.nonzeros) * left**3)

    def held(self, stored: Tensor) -> Tensor:
        digits, unit = self._digits(stored, self.kept)
        return _as_weight(digits, self.shape).to(stored.dtype) * unit

    def _digits(self, stored: Tensor, kept: int) -> tuple[Tensor, Tensor]:
        """Blocks [blocks, N] of digits, and the unit."""
        rows = stored.flatten(1)
        blocks = F.pad(rows, (0, -rows.shape[1] % self.block)).reshape(-1, self.block)
        size = blocks.abs()
        inside = torch.zeros_like(blocks, dtype=torch.bool).scatter_(1, size.topk(kept, 1).indices, True)
        inside &= (size > WORTH_A_LINK * rows.abs().mean()) & (size > 0)
        unit = size[inside].mean() if bool(inside.any()) else size.new_zeros(())
        return blocks.sign() * inside, unit.clamp(*self.span)

    def code(self, stored: Tensor) -> LayerCode:
        digits, unit = self._digits(stored, self.nonzeros)
        table = ternary_table(self.block, self.nonzeros)
        return LayerCode(
            self.kind, self.shape, {"block": self.block, "nonzeros": self.nonzeros},
            fields={"index": Field(table.indices(digits.to(torch.int8).numpy()), table.index_bits)},
            reals={"unit": unit.float().numpy().reshape(1)},
            table_bits=DIGIT_BITS * table.words.size,
        )  # fmt: skip

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        block, nonzeros = int(code.rule["block"]), int(code.rule["nonzeros"])
        check_words(block, nonzeros)
        table = ternary_table(block, nonzeros)
        digits = table.digits(code.fields["index"].values)
        return _as_weight(torch.from_numpy(digits), code.shape).numpy() * code.reals["unit"]


def _as_weight(blocks: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Blocks in the place of the weights; what fills up the last block of a neuron is left out."""
    inputs = int(np.prod(shape[1:]))
    return blocks.reshape(shape[0], -1)[:, :inputs].reshape(shape)
