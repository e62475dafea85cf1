"""What the devices of dies can be set to: weights between the smallest and the largest of either sign, currents of dischargers.

Between the smallest weights of the two signs there is none but off: `on_devices` solves with that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.calibration.circuit import AsMade, LayerCircuit
from training.calibration.least_squares import Residuals, Solution, solve
from training.calibration.program import LayerProgram
from training.hardware import FloatArray

BIAS_REACH_V = 80e-3
"""How far a discharger may be moved."""

HOLD = 1e-4
"""Phases: moving a weight by 1, or a current by an e-fold, weighs as much as so wrong a spike at every input, so that what the
spikes do not decide stays where it is."""

Snapped = Callable[[FloatArray], tuple[FloatArray, NDArray[np.bool_]]]
"""x [problems, unknowns] -> the nearest that devices give, and whether that is another."""


@dataclass(frozen=True)
class Freedom:
    """What may be changed.

    Attributes:
        own_biases: the bias of each discharger; if not, of all of a layer together.
        step_v: of the converters; 0 where a code is any number.
        margin_v: by which a code may leave the range that was characterised: devices that are off need codes that are off.
    """

    own_biases: bool = True
    step_v: float = 0.0
    margin_v: float = 0.0


@dataclass(frozen=True)
class Reach:
    """Weights as made and ln of the discharger's current, [neurons, in + 1]: from where to look, the least and the most there is,
    and the smallest |w| of the device of either sign, [neurons, in]."""

    start: FloatArray
    low: FloatArray
    high: FloatArray
    plus: FloatArray
    minus: FloatArray

    def snapped(self, x: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The nearest there is, and whether that is another."""
        w = x[:, :-1]
        least = np.where(w > 0, self.plus, self.minus)
        between = np.abs(w) < least * (1 - 1e-9)
        nearest = np.where(np.abs(w) < least / 2, 0.0, np.sign(w) * least)
        nearest = np.clip(nearest, self.low[:, :-1], self.high[:, :-1])
        between &= nearest != w  # what is off already is there
        there = np.concatenate([np.where(between, nearest, w), x[:, -1:]], 1)
        return there, np.concatenate([between, np.zeros_like(between[:, :1])], 1)

    def program(
        self, circuit: LayerCircuit, made: AsMade, x: FloatArray, nominal: LayerProgram, freedom: Freedom
    ) -> LayerProgram:
        """The program that gives x; a discharger without a bias of its own keeps the nominal one, to the last digit."""
        dies, (out, inputs) = len(made.threshold), nominal.sign.shape
        bias = np.broadcast_to(nominal.bias_v, (dies, out))
        if freedom.own_biases:
            bias = circuit.bias_of(made, x[:, -1].reshape(dies, out))
        return circuit.setting(made, x[:, :-1].reshape(dies, out, inputs), bias.copy())


def reach(circuit: LayerCircuit, made: AsMade, nominal: LayerProgram, freedom: Freedom) -> Reach:
    dies, (out, inputs) = len(made.threshold), nominal.sign.shape
    neurons, shape = dies * out, (dies * out, inputs)
    weights = circuit.weight(nominal.sign, nominal.code_v) * made.threshold[..., None]
    (plus, most), (minus, least) = (
        (end.reshape(shape) for end in circuit.made_range(made, sign, freedom.margin_v)) for sign in (1, -1)
    )
    bias = np.broadcast_to(nominal.bias_v, (dies, out))
    current = circuit.current_of(made, bias)
    ends = [current, current]
    if freedom.own_biases:
        current = circuit.matching_current(made.threshold)
        ends = [circuit.current_of(made, bias + by) for by in (-BIAS_REACH_V, BIAS_REACH_V)]
        off = np.broadcast_to(nominal.sign == 0, (dies, out, inputs)).reshape(shape)
        most, least = np.where(off, 0.0, most), np.where(off, 0.0, least)

    def joined(w: FloatArray, log_current: FloatArray) -> FloatArray:
        return np.concatenate([w.reshape(shape), log_current.reshape(neurons, 1)], 1)

    low, high = joined(-least, ends[0]), joined(most, ends[1])
    return Reach(np.clip(joined(weights, current), low, high), low, high, plus, minus)


def on_devices(
    residuals: Residuals, start: FloatArray, low: FloatArray, high: FloatArray, snapped: Snapped, iterations: tuple[int, int]
) -> Solution:
    """The minimum of every problem that devices give.

    A weight goes through zero from one device to the other. What ends between the smallest of either goes to the nearest there
    is, or off, and the others make up for it: the nearest first, one by one, or of many a fifth at a time.

    Args:
        iterations: of the free problem, and after each weight that was snapped.
    """
    found = solve(residuals, start, low, high, iterations[0], tolerance=1e-3)
    for _ in range(start.shape[1]):
        there, between = snapped(found.x)
        if not between.any():
            break
        rank = np.argsort(np.argsort(np.where(between, np.abs(there - found.x), np.inf), axis=1), axis=1)
        first = between & (rank < np.maximum(1, between.sum(1, keepdims=True) // 5))
        low, high = np.where(first, there, low), np.where(first, there, high)
        found = solve(residuals, np.where(first, there, found.x), low, high, iterations[1], tolerance=1e-3)
    return replace(found, x=snapped(found.x)[0])
