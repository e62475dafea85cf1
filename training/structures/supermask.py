"""Signed supermasks of several coats: a magnitude is how many thresholds a score passes, and no coat is no link."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.structures.code import Field, LayerCode
from training.structures.masks import best_unit
from training.structures.packing import bits_for
from training.structures.structure import Span, Structure


class Supermask(Structure):
    """Weight = unit * S * M with M = 0 .. coats. A word is one of 2 coats + 1: the sign is stored with the coats."""

    kind: ClassVar = "supermask"

    def __init__(self, shape: tuple[int, ...], span: Span, *, coats: int = 7) -> None:
        super().__init__(shape, span)
        self.coats = coats
        self.unit_per_rms = best_unit(coats, or_none=True)

    def held(self, stored: Tensor) -> Tensor:
        coats, unit = self._signed_coats(stored)
        return coats * unit

    def _signed_coats(self, stored: Tensor) -> tuple[Tensor, Tensor]:
        largest = max(self.span.largest / self.coats, self.span.smallest)
        unit = (self.unit_per_rms * stored.square().mean().sqrt()).clamp(self.span.smallest, largest)
        coats = (stored.abs() / unit).add(0.5).floor().clamp(max=self.coats)
        return coats * stored.sign(), unit

    def code(self, stored: Tensor) -> LayerCode:
        coats, unit = self._signed_coats(stored)
        words = (coats + self.coats).reshape(-1).numpy().astype(np.uint8)
        thresholds = (np.arange(self.coats) + 0.5) * float(unit)
        return LayerCode(
            self.kind, self.shape, {"coats": self.coats},
            fields={"coats": Field(words, bits_for(2 * self.coats + 1))},
            reals={"unit": unit.float().numpy().reshape(1), "threshold": thresholds.astype(np.float32)},
        )  # fmt: skip

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        words, coats = code.fields["coats"].values, int(code.rule["coats"])
        if words.size != code.weights or int(words.max()) > 2 * coats:
            raise ValueError(f"coats: are not {code.weights} numbers up to {2 * coats}")
        signed = words.astype(np.float32) - np.float32(coats)
        return (signed * code.reals["unit"]).reshape(code.shape)
