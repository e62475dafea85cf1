"""What a network is set to: codes of its synapses and biases of its dischargers, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.hardware import FloatArray


@dataclass(frozen=True)
class LayerProgram:
    """A layer of one die, or of many with their number in front of each shape.

    Attributes:
        sign: of the weights, [out, in]; 0 is off.
        code_v: gate bias of the device of that sign (V), [out, in]; any number where the synapse is off.
        bias_v: of each discharger (V), [out].
    """

    sign: NDArray[np.int_]
    code_v: FloatArray
    bias_v: FloatArray

    def boosted(self, by_v: float) -> LayerProgram:
        """All dischargers at a higher bias."""
        return replace(self, bias_v=self.bias_v + by_v)

    def die(self, number: int) -> LayerProgram:
        """That of one of many dies."""
        return LayerProgram(self.sign[number], self.code_v[number], self.bias_v[number])

    @classmethod
    def side_by_side(cls, dies: Sequence[LayerProgram]) -> LayerProgram:
        """Those of single dies as one of many."""
        return cls(*(np.stack([getattr(one, name) for one in dies]) for name in ("sign", "code_v", "bias_v")))

    def of_dies(self, dies: int) -> LayerProgram:
        """The same for many dies."""

        def repeat(x: NDArray[Any]) -> NDArray[Any]:
            return np.broadcast_to(x, (dies, *x.shape)).copy()

        return LayerProgram(repeat(self.sign), repeat(self.code_v), repeat(self.bias_v))


Program = tuple[LayerProgram, ...]
"""Of every layer, the outputs last."""
