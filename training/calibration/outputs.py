"""Codes and biases on the steps of their converters, those of all layers together, annealed on what the outputs are off by.

A neuron has few devices that can make up for each other, a network has all of them. Where the program is, the outputs' errors
are linear in what the codes are moved by; codes among the next steps are annealed on that, and of each die what brings its
outputs nearest on the model as it is stays. Then again from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.calibration.chip import ideal
from training.calibration.circuit import LayerCircuit
from training.calibration.identify import Estimate
from training.calibration.joint import Whole, around, missed
from training.calibration.program import LayerProgram, Program
from training.calibration.reach import Freedom
from training.calibration.steps import FIRST_SHARE, code_ends, points_about
from training.hardware import FloatArray
from training.structures.assignment import annealed

TURNS = 6

HELD = 1e-3
"""Share of what a code does in the mean that a code which does nothing is taken to do, so that it stays where it is."""


def annealed_for_outputs(
    circuits: Sequence[LayerCircuit],
    estimates: Sequence[Estimate],
    nominal: Program,
    start: Program,
    samples: FloatArray,
    freedom: Freedom,
) -> Program:
    """Programs of dies on the same steps, whose outputs are off by no more than those of `start` for inputs about the samples.

    Args:
        estimates: of every layer.
        start: programs of the dies, on steps; dischargers have biases of their own.
        samples: inputs that the network will see, [samples, in] in phases.
    """
    inputs = around(samples)
    network = _Network(Whole.of(circuits, estimates, nominal, freedom), inputs, ideal(circuits, nominal, inputs)[-1])
    volts, ends = _volts(start), [_ends(*one, freedom) for one in zip(circuits, start, strict=True)]
    low, high = (np.concatenate(end, 1) for end in zip(*ends, strict=True))
    misses, slopes = network.off(volts, start)
    for turn in range(TURNS):
        found = np.stack([moved(*one, freedom.step_v, turn) for one in zip(volts, low, high, misses, slopes, strict=True)])
        new_misses, new_slopes = network.off(found, start)
        better = np.square(new_misses).sum(1) < np.square(misses).sum(1)
        volts = np.where(better[:, None], found, volts)
        misses, slopes = (
            np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
            for new, old in ((new_misses, misses), (new_slopes, slopes))
        )
    return _set_to(start, volts)


@dataclass(frozen=True, eq=False)
class _Network:
    """Dies, the inputs [samples, in] that they are programmed for, and what their outputs shall send then [samples, out]."""

    whole: Whole
    inputs: FloatArray
    wanted: FloatArray

    def off(self, volts: FloatArray, of: Program) -> tuple[FloatArray, FloatArray]:
        """How much too late the outputs are, [dies, terms], and the derivatives by every code and bias (1/V)."""
        step_v = 1e-5
        x, ahead = (self.whole.vector(_set_to(of, volts + by)) for by in (0.0, step_v))
        spikes, by_x = self.whole.fire(x, self.inputs)
        misses, slopes = missed(spikes[-1], self.wanted.T[None], by_x[-1])
        return misses, slopes * ((ahead - x) / step_v)[:, None]


def moved(
    volts: FloatArray, low: FloatArray, high: FloatArray, misses: FloatArray, slopes: FloatArray, step_v: float, seed: int
) -> FloatArray:
    """Volts of one die among the next steps of each with little of |misses + slopes (there - volts)|^2."""
    free = np.flatnonzero(high > low)
    slope = slopes[:, free]
    normal = slope.T @ slope
    normal += HELD * np.trace(normal) / len(free) * np.eye(len(free))
    best = volts[free] - np.linalg.solve(normal, slope.T @ misses)
    grid = points_about(volts[free], low[free], high[free], step_v, 1)
    stay = np.ones((1, len(free)), np.uint8)
    there = volts.copy()
    there[free] = annealed(best[None], grid[None], normal, seed, first=FIRST_SHARE, start=stay).weights[0]
    return there


def _ends(circuit: LayerCircuit, layer: LayerProgram, freedom: Freedom) -> tuple[FloatArray, FloatArray]:
    """As `_volts` of the layer has them."""
    low, high = (_flat(replace(layer, code_v=end[..., :-1], bias_v=end[..., -1])) for end in code_ends(circuit, layer, freedom))
    return low, high


def _volts(program: Program) -> FloatArray:
    """Codes and biases of all layers, [dies, unknowns], in the order of `Whole.vector`."""
    return np.concatenate([_flat(layer) for layer in program], 1)


def _flat(layer: LayerProgram) -> FloatArray:
    return np.concatenate([layer.code_v.reshape(len(layer.code_v), -1), layer.bias_v], 1)


def _set_to(program: Program, volts: FloatArray) -> Program:
    """These volts in the place of a program's."""
    found, at = list[LayerProgram](), 0
    for layer in program:
        codes, biases = layer.code_v[0].size, layer.bias_v.shape[1]
        code_v = volts[:, at : at + codes].reshape(layer.code_v.shape)
        found.append(replace(layer, code_v=code_v, bias_v=volts[:, at + codes : at + codes + biases]))
        at += codes + biases
    return tuple(found)
