"""Weights at a few levels of each neuron, assigned after training and not fine-tuned: what is trained are real weights.

Until codes are assigned (`assign`) every weight is held at the nearest level. Levels lie on a grid, as a converter sets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.structures.assigned import Assigned
from training.structures.assignment import Codes, FloatArray, lloyd_levels, own_levels, rounded_to
from training.structures.code import Field, LayerCode
from training.structures.packing import bits_for
from training.structures.structure import Span

LEVEL_BITS = 10
"""Of a level, with its sign; a layer has one unit."""

LEAST = 1e-12
"""Of the largest level, where all weights are zero."""

MOST = (1 << (LEVEL_BITS - 1)) - 1


@dataclass(frozen=True, eq=False)
class Grid:
    """Levels in whole steps of a unit: zero, or a magnitude that the cell can do with either sign."""

    unit: np.float32
    least: int
    most: int

    @classmethod
    def of(cls, levels: FloatArray, span: Span) -> Grid:
        """The grid on which the largest of these levels is the last step."""
        largest = min(max(float(np.abs(levels).max(initial=0.0)), span.smallest, LEAST), span.largest)
        unit = np.float32(largest / MOST)
        return cls(unit, min(int(np.ceil(span.smallest / unit)), MOST), min(int(span.largest / unit), MOST))

    def steps(self, levels: FloatArray) -> NDArray[np.int64]:
        """The nearest steps; less than half of the smallest magnitude is off."""
        count = np.abs(levels) / self.unit
        there = np.clip(np.rint(count), self.least, self.most)
        return np.asarray(np.sign(levels) * np.where(2.0 * count < self.least, 0.0, there), dtype=np.int64)

    def __call__(self, levels: FloatArray) -> FloatArray:
        """The levels that there are, nearest to these."""
        return np.asarray((self.steps(levels).astype(np.float32) * self.unit).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Coded:
    """Codes [out, in] of the levels of each neuron [out, count], which lie on a grid."""

    codes: Codes
    levels: FloatArray
    grid: Grid


class Levels(Assigned[Coded]):
    """`count` levels of each neuron, and a code a weight."""

    kind: ClassVar = "levels"

    def __init__(self, shape: tuple[int, ...], span: Span, *, count: int = 4) -> None:
        super().__init__(shape, span)
        self.count = count

    def _assigned(self, weight: FloatArray, moments: FloatArray, seed: int) -> Coded:
        grid = Grid.of(_by_themselves(weight, self.count), self.span)
        return Coded(*own_levels(weight, self.count, moments, grid, seed), grid)

    def _nearest(self, weight: FloatArray) -> Coded:
        levels = _by_themselves(weight, self.count)
        grid = Grid.of(levels, self.span)
        return Coded(rounded_to(weight, grid(levels)), grid(levels), grid)

    def _weights(self, found: Coded) -> FloatArray:
        return np.take_along_axis(found.levels, found.codes.astype(np.intp), 1)

    def code(self, stored: Tensor) -> LayerCode:
        found = self._code_of(stored)
        steps = (found.grid.steps(found.levels) + MOST).astype(np.uint32).reshape(-1)
        return LayerCode(
            self.kind, self.shape, {"count": self.count},
            fields={"code": Field(found.codes.reshape(-1), bits_for(self.count)), "level": Field(steps, LEVEL_BITS)},
            reals={"unit": np.full(1, found.grid.unit, np.float32)},
        )  # fmt: skip

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        count, outputs = int(code.rule["count"]), code.shape[0]
        codes, steps = code.fields["code"].values, code.fields["level"].values
        if codes.size != code.weights or int(codes.max()) >= count:
            raise ValueError(f"code: are not {code.weights} numbers below {count}")
        if steps.size != outputs * count:
            raise ValueError(f"level: has {steps.size} numbers, {outputs} neurons of {count} levels have {outputs * count}")
        levels = (steps.reshape(outputs, count).astype(np.int64) - MOST).astype(np.float32) * code.reals["unit"]
        found = np.take_along_axis(levels, codes.reshape(outputs, -1).astype(np.intp), 1)
        return np.asarray(found.reshape(code.shape), dtype=np.float32)


def _by_themselves(weight: FloatArray, count: int) -> FloatArray:
    """Levels of each neuron with the least square error, [out, count]."""
    return np.stack([lloyd_levels(own, count) for own in weight])
