"""What a die is measured against: the network as designed, its codes, the inputs that it will see and what it does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cosim.calibration.discharger import OFFSETS_V
from cosim.design import Design
from cosim.errors import InputError
from training.calibration.chip import ideal
from training.calibration.circuit import DischargerCurve, LayerCircuit
from training.calibration.program import LayerProgram, Program
from training.data.spikes import SpikeData
from training.hardware import FloatArray, HardwareModel, columns_of_layers, normalise
from training.hardware_aware.variation import Mismatch

NEARLY = 1e-6
"""By how much, relative, a weight that a code gives may be another than was asked for, and still is that."""

MOST_SAMPLES = 100
"""Training inputs on which neurons are programmed, and patterns planned."""


@dataclass(frozen=True)
class MissedWeights:
    """Weights of a network that the cells of a condition do not have: so many of how many, and by what factor the one that is
    farthest off is too large there, or below 1 too small."""

    weights: int
    of: int
    factor: float

    def __str__(self) -> str:
        return (
            f"{self.weights} of {self.of} weights are out of the range of the cells there and set to its end, the farthest "
            f"{self.factor:.3g} times as large as it should be"
        )


@dataclass(frozen=True)
class Nominal:
    """The network without mismatch.

    Attributes:
        samples: inputs that dies are programmed on, [samples, in] in phases.
        tests, labels: inputs that they are judged on, and their classes.
        wanted: spikes of every layer on `tests`, [tests, out] in phases; the first `classes` outputs are the classes.
    """

    circuits: Sequence[LayerCircuit]
    program: Program
    samples: FloatArray
    tests: FloatArray
    labels: NDArray[np.int_]
    wanted: Sequence[FloatArray]
    classes: int
    phase_s: float

    @classmethod
    def of(
        cls,
        design: Design,
        hardware: HardwareModel,
        discharger: FloatArray,
        weights: Sequence[FloatArray],
        data: SpikeData,
        tests: int,
    ) -> Nominal:
        """The trained network of a design on its hardware model.

        Args:
            discharger: `cosim.calibration.discharger.discharger_current`.
            weights: of every layer, [out, in].
            tests: test samples to judge by, the first ones.

        Raises `InputError` for cells that no bias programs.
        """
        check_programmable(hardware, design)
        circuits = layer_circuits(design, hardware, discharger)
        program = tuple(
            circuit.program(matrix, circuit.discharger.nominal_v) for circuit, matrix in zip(circuits, weights, strict=True)
        )
        judged = data.test_t[:tests].numpy()
        return cls(
            circuits, program, data.train_t[:MOST_SAMPLES].numpy(), judged,
            data.test_labels[:tests].numpy(), ideal(circuits, program, judged), data.classes, hardware.phase_s,
        )  # fmt: skip

    @property
    def weights(self) -> list[FloatArray]:
        """Of every layer, [out, in], as its cells have them."""
        return [circuit.weight(layer.sign, layer.code_v) for circuit, layer in zip(self.circuits, self.program, strict=True)]

    def at(self, circuits: Sequence[LayerCircuit]) -> Nominal:
        """The same network for cells at another condition: their own codes of its weights, the spikes that it was trained for."""
        program = tuple(c.program(w, c.discharger.nominal_v) for c, w in zip(circuits, self.weights, strict=True))
        return replace(self, circuits=circuits, program=tuple(map(_within, circuits, program)))

    def missed_by(self, there: Nominal) -> MissedWeights:
        """What the same network for other cells (`at`) has not of these weights."""
        wanted, found = (np.concatenate([np.abs(own).ravel() for own in one.weights]) for one in (self, there))
        factor = found[wanted > 0] / wanted[wanted > 0]
        off = np.abs(np.log(factor))
        farthest = float(factor[off.argmax()]) if len(off) else 1.0
        return MissedWeights(int((off > NEARLY).sum()), len(off), farthest)


def _within(circuit: LayerCircuit, layer: LayerProgram) -> LayerProgram:
    ends = [np.where(layer.sign > 0, *(circuit.code_range(sign)[k] for sign in (1, -1))) for k in (0, 1)]
    return replace(layer, code_v=np.where(layer.sign == 0, layer.code_v, np.clip(layer.code_v, *ends)))


def check_programmable(hardware: HardwareModel, design: Design) -> None:
    """Raises `InputError` for cells whose weight no bias sets, and for devices that are set together."""
    if design.network.convolutions:
        raise InputError(
            "network.convolutions: the neurons of a channel share their codes, so that they cannot be programmed one by one; "
            "calibrate a design without convolutions"
        )
    if any(own < lines for own, lines in zip(design.shape.linked, design.shape.dense_lines, strict=False)):
        raise InputError(
            f"structure.kind: {design.structure and design.structure.kind} leaves out links, and a die is programmed over all of "
            "its crossings; calibrate a design whose structure leaves every link"
        )
    if hardware.plus.code_unit != "V":
        raise InputError(
            f"synapse.kind: {hardware.cell} has no gate bias that sets its weights ({hardware.plus.code_name}), so that a die "
            "cannot be programmed anew; calibrate a design with biased cells, such as current_source"
        )


def layer_circuits(design: Design, hardware: HardwareModel, discharger: FloatArray) -> list[LayerCircuit]:
    """The neurons of every layer; they spread as the hardware model's dies do, or by default.

    Each is identified by itself, so that what lies between those of a layout is not among what is known of them.
    """
    mismatch = Mismatch() if hardware.variation is None else Mismatch.of(hardware.variation).of_devices()
    shape = design.shape
    columns = columns_of_layers(hardware.model_copy(update={"places": ()}), shape.crossbars)
    biases = [column.neuron.discharger_bias.value for column in columns]
    return [
        LayerCircuit(normalise(column), DischargerCurve(OFFSETS_V + bias, discharger, bias), mismatch, inputs, fan_out)
        for column, bias, inputs, fan_out in zip(columns, biases, shape.dense_lines, shape.fan_outs, strict=True)
    ]
