"""Biases that a board makes by itself: replicas of the cells, whose currents and whose time it holds over supply and temperature.

A reference cell of each sign, at its middle code, keeps its current, and the codes of its sign move as its own does; what
starves the sensing inverter keeps its current; a replica of a neuron at rest keeps firing after one phase, and all dischargers
move as its own. So four voltages follow what all devices share, and nothing of the network is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.calibration.conditions import cells_at
from cosim.characterize.discharger import bias_for_phase
from cosim.characterize.measurements import firing_time
from cosim.characterize.measurements.bias_curves import bias_curves
from cosim.characterize.named_weights import SIDES
from cosim.design.condition import Condition
from cosim.errors import CosimError, InputError
from netlists.crossbar import Cells
from netlists.synapse import SIGNS
from training.calibration.program import LayerProgram, Program
from training.hardware import FloatArray, HardwareModel

AROUND_V = (40e-3 * np.linspace(-1.0, 1.0, 5), 3e-3 * np.linspace(-1.0, 1.0, 3))
"""Biases at which the replica of a neuron is fired: about the one that keeps its current, then about what these say. Where its
threshold moves too, they are 20 mV apart (ff, 85 C)."""

TINY_A = 1e-18
"""Below it a current is leakage and says nothing of a bias."""

Curve = tuple[FloatArray, FloatArray]
"""Gate bias (V) and current (A)."""


class ReplicaError(CosimError):
    """A replica does not work at a condition."""

    exit_code = 3


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
        """Raises `ReplicaError` where a current cannot be held."""
        here, there = (_curves(one) for one in (bench, cells_at(bench, condition, hardware)[0]))
        neuron = bench.design.neuron
        fields = {
            f"neuron.{name}": held(here, there, device, getattr(neuron, name)) for device, name in neuron.followed_biases.items()
        }
        moved, cells = cells_at(bench, condition.with_parameters(fields), hardware)
        synapse = bench.cells().synapse
        middles = [float(synapse.codes(sign, 3)[1]) for sign in SIGNS]
        plus, minus = (held(here, there, SIDES[sign], code) - code for sign, code in zip(SIGNS, middles, strict=True))
        bias = hardware.neuron.discharger_bias.value
        shift = _fires_after_a_phase(moved, held(here, there, "discharger", bias)) - bias
        return cls(moved, cells, plus, minus, shift)

    def program(self, nominal: Program) -> Program:
        """What a network that is set to `nominal` is set to there."""
        return tuple(self._moved(layer) for layer in nominal)

    def _moved(self, layer: LayerProgram) -> LayerProgram:
        by = np.where(layer.sign > 0, self.plus_v, np.where(layer.sign < 0, self.minus_v, 0.0))
        return replace(layer, code_v=layer.code_v + by, bias_v=layer.bias_v + self.discharger_v)


def held(here: Mapping[str, Curve], there: Mapping[str, Curve], device: str, bias_v: float) -> float:
    """The bias (V) that gives a device there the current that it has here at `bias_v`. Raises `ReplicaError`."""
    from scipy.interpolate import PchipInterpolator
    from scipy.optimize import brentq

    own, other = (PchipInterpolator(*_in_logs(curves[device])) for curves in (here, there))
    wanted, ends = float(own(bias_v)), (float(other.x[0]), float(other.x[-1]))
    miss = [float(other(end)) - wanted for end in ends]
    if miss[0] * miss[1] > 0:
        raise ReplicaError(f"replica of {device}: no bias between {ends[0]:g} and {ends[1]:g} V keeps {np.exp(wanted):.3g} A")
    return float(brentq(lambda bias: float(other(bias)) - wanted, *ends, xtol=1e-7))


def _in_logs(curve: Curve) -> Curve:
    """Where there is a current."""
    bias, current = curve
    tells = current > TINY_A
    return bias[tells], np.log(current[tells])


def _curves(bench: Bench) -> dict[str, Curve]:
    points = list(bias_curves.points(bench))
    results = bench.run(points)
    rows = {str(point.condition["device"]): results.row(point) for point in points}
    if lost := [device for device, row in rows.items() if row is None]:
        raise ReplicaError(f"replica of {lost[0]}: could not be simulated")
    return {device: (np.asarray(row["bias_v"]), np.asarray(row["current_a"])) for device, row in rows.items() if row}


def _fires_after_a_phase(bench: Bench, about_v: float) -> float:
    """The bias of a replica of the first layer's neuron. Raises `ReplicaError` where none near it fires so."""
    for around in AROUND_V:
        biases = about_v + around
        points = list(firing_time.points(bench, ColumnSize.in_use(bench.design.shape)[0], biases))
        results = bench.run(points)
        rows = [results.row(point) for point in points]
        spikes = np.array([np.nan if row is None else row["spike_s"] for row in rows])
        try:
            about_v = bias_for_phase(biases, spikes, bench.design.timing.phase_s)
        except InputError:
            raise ReplicaError(
                f"replica of a neuron: at {biases[0]:.3f} to {biases[-1]:.3f} V at rest it does not fire after one phase"
            ) from None
    return about_v
