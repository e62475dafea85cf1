"""Biases that a board makes by itself: replicas of the cells, whose currents and whose time it holds over supply and temperature.

A reference cell of each sign, at its middle code, keeps its current, and the codes of its sign move as its own does; what
starves the sensing inverter keeps its current; a replica of a neuron at rest keeps firing after one phase, and all dischargers
move as its own. So four voltages follow what all devices share, and nothing of the network is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cosim.bench.bench import Bench
from cosim.calibration.conditions import cells_at
from cosim.calibration.held import curves_of, fires_after_a_phase, held
from cosim.characterize.named_weights import SIDES
from cosim.design.condition import Condition
from netlists.crossbar import Cells
from netlists.synapse import SIGNS
from training.calibration.program import LayerProgram, Program
from training.hardware import HardwareModel


@dataclass(frozen=True, eq=False)
class Replicas:
    """A condition whose biases are held by replicas: a bench there, its cells layer by layer, and by how much codes of either
    sign and dischargers moved (V)."""

    bench: Bench
    cells: Sequence[Cells]
    plus_v: float
    minus_v: float
    discharger_v: float

    @classmethod
    def of(cls, bench: Bench, condition: Condition, hardware: HardwareModel) -> Replicas:
        """Raises `HeldError` where a current cannot be held."""
        here, there = (curves_of(one) for one in (bench, cells_at(bench, condition, hardware)[0]))
        neuron = bench.design.neuron
        fields = {
            f"neuron.{name}": held(here, there, device, getattr(neuron, name)) for device, name in neuron.followed_biases.items()
        }
        moved, cells = cells_at(bench, condition.with_parameters(fields), hardware)
        synapse = bench.cells().synapse
        middles = [float(synapse.codes(sign, 3)[1]) for sign in SIGNS]
        plus, minus = (held(here, there, SIDES[sign], code) - code for sign, code in zip(SIGNS, middles, strict=True))
        bias = hardware.neuron.discharger_bias.value
        shift = fires_after_a_phase(moved, held(here, there, "discharger", bias)) - bias
        return cls(moved, cells, plus, minus, shift)

    def program(self, nominal: Program) -> Program:
        """What a network that is set to `nominal` is set to there."""
        return tuple(self._moved(layer) for layer in nominal)

    def _moved(self, layer: LayerProgram) -> LayerProgram:
        by = np.where(layer.sign > 0, self.plus_v, np.where(layer.sign < 0, self.minus_v, 0.0))
        return replace(layer, code_v=layer.code_v + by, bias_v=layer.bias_v + self.discharger_v)
