"""Four signed strengths a neuron: rows of a crossbar have four types, a neuron one strength for each (Appuswamy et al. 2016).

A crossing is linked or not, and what a link weighs is said by its neuron and by the type of its row. Rows keep their types
whatever neuron looks at them, so a convolution, which looks at every row from many places, needs types and strengths that
commute with its shifts: the type of a pixel is the parity of its row and of its column, and a neuron one pixel further has the
same four strengths in another order. Then the block-Toeplitz matrix of the convolution is one that such tiles hold. Inputs of a
dense layer have the types 0, 1, 2, 3 in turn. A neuron with more inputs than a tile has rows has four strengths in each tile.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.structures.code import Field, LayerCode
from training.structures.structure import Span, Structure

TYPES = 4
"""Of a row of a tile: strengths of a neuron in it."""

STRENGTH_BITS = 10
"""Of a strength, with its sign; a layer has one unit."""

MOST = (1 << (STRENGTH_BITS - 1)) - 1


class Commuting(Structure):
    """One strength for the links of a neuron to the rows of a type, the best for those links that are worth one.

    Args:
        tile: rows of a crossbar.
    """

    kind: ClassVar = "commuting"
    _group: Tensor
    _places: Tensor

    def __init__(self, shape: tuple[int, ...], span: Span, *, tile: int = 256) -> None:
        super().__init__(shape, span)
        self.tile = tile
        group = groups(self.shape, tile)
        self.register_buffer("_group", torch.from_numpy(group), persistent=False)
        self.register_buffer("_places", torch.from_numpy(_places(group)), persistent=False)

    def held(self, stored: Tensor) -> Tensor:
        links, steps, unit = self._found(stored)
        return (links * (steps * unit)[:, self._group]).view(self.shape).to(stored)

    def _found(self, stored: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Links [out, in] of 0 and 1, strengths in steps [out, groups], and the unit.

        Of n links of one sign in a group, their sum squared over n is what the mean strength saves of the squared error.
        """
        rows = stored.flatten(1)
        padded = torch.cat([rows, rows.new_zeros(len(rows), 1)], 1)[:, self._places]  # [out, groups, longest]
        sizes = torch.stack([padded, -padded]).clamp(min=0.0).sort(-1, descending=True).values
        count = torch.arange(1, sizes.shape[-1] + 1, device=stored.device, dtype=stored.dtype)
        means = sizes.cumsum(-1) / count
        saved, best = (means.square() * count).max(-1)
        sign = saved.argmax(0, keepdim=True)
        strength = means.gather(-1, best[..., None])[..., 0].gather(0, sign)[0]
        least = sizes.gather(-1, best[..., None])[..., 0].gather(0, sign)[0]
        signs = 1.0 - 2.0 * sign[0]
        along, least = rows * signs[:, self._group], least[:, self._group]
        unit = (strength.max().clamp(max(self.span.smallest, 1e-12), self.span.largest) / MOST).float()
        smallest = float(torch.ceil(self.span.smallest / unit))
        steps = signs * (strength / unit).round().clamp(smallest, MOST)
        return ((along >= least) & (along > 0)).to(stored.dtype), steps.to(unit.dtype), unit

    def code(self, stored: Tensor) -> LayerCode:
        links, steps, unit = self._found(stored.detach())
        return LayerCode(
            self.kind, self.shape, {"tile": self.tile},
            fields={
                "link": Field(links.reshape(-1).numpy().astype(np.uint8), 1),
                "strength": Field((steps.reshape(-1).long() + MOST).numpy().astype(np.uint32), STRENGTH_BITS),
            },
            reals={"unit": unit.numpy().reshape(1)},
        )  # fmt: skip

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        group = groups(code.shape, int(code.rule["tile"]))
        outputs, count = code.shape[0], int(group.max()) + 1
        links, steps = code.fields["link"].values, code.fields["strength"].values
        if links.size != code.weights or steps.size != outputs * count:
            raise ValueError(f"strength: has {steps.size} numbers, {outputs} neurons of {count} strengths have {outputs * count}")
        strength = (steps.reshape(outputs, count).astype(np.int64) - MOST).astype(np.float32) * code.reals["unit"]
        return (links.reshape(outputs, -1).astype(np.float32) * strength[:, group]).reshape(code.shape)


def types_of_rows(height: int, width: int) -> NDArray[np.int64]:
    """The type of every pixel, [height, width]: the parities of its row and of its column."""
    return np.asarray(2 * (np.arange(height)[:, None] % 2) + np.arange(width) % 2, dtype=np.int64)


def groups(shape: tuple[int, ...], tile: int) -> NDArray[np.int64]:
    """Which strength of a neuron is that of each of its inputs, [in ...] flattened: by tile and type.

    Raises ValueError for a tile that holds not even the window of one channel.
    """
    window = int(np.prod(shape[2:])) if len(shape) > 2 else 1
    if tile < window:
        raise ValueError(f"tile: {tile} rows are fewer than the {window} of a window")
    at = np.arange(int(np.prod(shape[1:])))
    types = at % TYPES if len(shape) == 2 else np.tile(types_of_rows(*shape[2:]).reshape(-1), shape[1])
    of_tile = at // window // (tile // window)
    return np.asarray(np.unique(of_tile * TYPES + types, return_inverse=True)[1], dtype=np.int64)


def _places(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inputs of every group [groups, longest], filled up with one behind the last."""
    sizes = np.bincount(group)
    found = np.full((len(sizes), sizes.max()), len(group), np.int64)
    for number, size in enumerate(sizes):
        found[number, :size] = np.flatnonzero(group == number)
    return found
