"""Codes and biases with which the neurons of identified dies do what the nominal ones do, on the inputs that they will get.

Layer by layer: the inputs of a layer are what the die's own layer before it sends at its new codes. Each neuron by itself: least
squares over its codes and, where it has one, the bias of its discharger, within the range of the cells. From there all layers
together, for the outputs: where dischargers share a line (`training.calibration.joint`), and on the steps of converters
(`training.calibration.outputs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from training.calibration.chip import layer_spikes
from training.calibration.circuit import AsMade, LayerCircuit
from training.calibration.identify import Estimate
from training.calibration.joint import jointly
from training.calibration.outputs import annealed_for_outputs
from training.calibration.program import LayerProgram, Program
from training.calibration.reach import HOLD, Freedom, on_devices, reach
from training.calibration.steps import Way, on_steps
from training.hardware import FloatArray


def reprogram(
    circuits: Sequence[LayerCircuit],
    estimates: Sequence[Estimate],
    nominal: Program,
    samples: FloatArray,
    wanted: Sequence[FloatArray],
    freedom: Freedom,
    ways: Sequence[Way] = (),
) -> Program:
    """Of dies, one program each.

    Args:
        estimates: of every layer.
        nominal: what a die without mismatch is set to.
        samples: inputs that the network will see, [samples, in] in phases.
        wanted: spikes that every layer shall send then, [samples, out] (`training.calibration.chip.ideal`).
        ways: onto the steps of converters, neuron by neuron and no further (`training.calibration.steps.on_steps`), where
            dischargers have biases of their own; for comparisons.
    """
    dies = len(estimates[0].unknown)
    times, found = np.broadcast_to(samples, (dies, *samples.shape)), list[LayerProgram]()
    for circuit, estimate, layer, target in zip(circuits, estimates, nominal, wanted, strict=True):
        own = _layer(circuit, estimate.unknown, layer, times, target[None], freedom, ways)
        found.append(own)
        times = np.minimum(layer_spikes(circuit, estimate.unknown, own, times), 1.0)
    program = tuple(found)
    if not freedom.own_biases:
        return jointly(circuits, estimates, nominal, program, samples, freedom)
    if not freedom.step_v or ways:
        return program
    return annealed_for_outputs(circuits, estimates, nominal, program, samples, freedom)


def _layer(
    circuit: LayerCircuit, unknown: FloatArray, nominal: LayerProgram, times: FloatArray, target: FloatArray, freedom: Freedom,
    ways: Sequence[Way],
) -> LayerProgram:  # fmt: skip
    """A layer of dies, from weights and currents that scale with its thresholds."""
    made, dies = circuit.as_made(unknown), len(unknown)
    within = reach(circuit, made, nominal, freedom)
    goal = np.broadcast_to(target, (dies, *target.shape[1:])).swapaxes(1, 2).reshape(len(within.low), -1)
    residuals = partial(_residuals, circuit, made, times, goal, within.start)
    found = on_devices(residuals, within.start, within.low, within.high, within.snapped, (15, 8))
    program = within.program(circuit, made, found.x, nominal, freedom)
    return on_steps(circuit, unknown, program, times, freedom, ways) if freedom.step_v and freedom.own_biases else program


def _residuals(
    circuit: LayerCircuit, made: AsMade, times: FloatArray, goal: FloatArray, start: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Misses [neurons, samples], then what was moved, and their derivatives; one that shall be silent is only never early."""
    dies, samples, inputs = times.shape
    arrived = np.broadcast_to(times[:, None], (dies, len(x) // dies, samples, inputs)).reshape(-1, inputs)
    rows, threshold = np.repeat(x, samples, 0), np.repeat(made.threshold.ravel(), samples)
    fired = circuit.fire_weights(rows[:, :-1], threshold, rows[:, -1], arrived)
    spike = fired.spike.reshape(goal.shape)
    miss = np.where(goal < 1.0, spike - goal, np.minimum(spike - 1.0, 0.0))
    slope = np.concatenate([fired.by_weight, fired.by_current[:, None]], 1).reshape(*goal.shape, -1)
    slope = slope * ((goal < 1.0) | (spike < 1.0))[..., None]
    hold = HOLD * np.sqrt(samples)
    held = np.broadcast_to(hold * np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
    return np.concatenate([miss, hold * (x - start)], 1), np.concatenate([slope, held], 1)
