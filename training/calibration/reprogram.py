"""Codes and biases with which the neurons of identified dies do what the nominal ones do, on the inputs that they will get.

Layer by layer: the inputs of a layer are what the die's own layer before it sends at its new codes. Each neuron by itself: least
squares over its codes and, where it has one, the bias of its discharger, within the range of the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.calibration.chip import layer_spikes, repeated, sent
from training.calibration.circuit import AsMade, LayerCircuit, Rows
from training.calibration.identify import Estimate
from training.calibration.least_squares import solve
from training.calibration.program import LayerProgram, Program
from training.hardware import FloatArray

HOLD = 1e-4
"""Phases: moving a weight by 1, or a current by an e-fold, weighs as much as so wrong a spike at every input, so that what the
spikes do not decide stays where it is."""

BIAS_REACH_V = 80e-3
"""How far a discharger may be moved."""

LINE_SHIFTS_V = (-8e-3, -4e-3, 0.0, 4e-3, 8e-3)
"""How far a line that the dischargers of a layer share is moved. Slow ones are made up for by positive weights, of which there
are more than of negative ones."""


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


def reprogram(
    circuits: Sequence[LayerCircuit],
    estimates: Sequence[Estimate],
    nominal: Program,
    samples: FloatArray,
    wanted: Sequence[FloatArray],
    freedom: Freedom,
) -> Program:
    """Of dies, one program each.

    Args:
        estimates: of every layer.
        nominal: what a die without mismatch is set to.
        samples: inputs that the network will see, [samples, in] in phases.
        wanted: spikes that every layer shall send then, [samples, out] (`ideal`).
    """
    dies = len(estimates[0].unknown)
    times, found = np.broadcast_to(samples, (dies, *samples.shape)), list[LayerProgram]()
    for circuit, estimate, layer, target in zip(circuits, estimates, nominal, wanted, strict=True):
        own = _layer(circuit, estimate.unknown, layer, times, target[None], freedom)
        found.append(own)
        times = np.minimum(layer_spikes(circuit, estimate.unknown, own, times), 1.0)
    return tuple(found)


def ideal(circuits: Sequence[LayerCircuit], nominal: Program, samples: FloatArray) -> list[FloatArray]:
    """What a die without mismatch sends, [samples, out] of every layer."""
    nothing = [np.zeros((1, *layer.bias_v.shape, c.unknowns)) for c, layer in zip(circuits, nominal, strict=True)]
    return [spikes[0] for spikes in sent(circuits, nothing, tuple(layer.of_dies(1) for layer in nominal), samples[None])]


def _layer(
    circuit: LayerCircuit, unknown: FloatArray, nominal: LayerProgram, times: FloatArray, target: FloatArray, freedom: Freedom
) -> LayerProgram:
    """A layer of dies. Where its dischargers share a line, that is moved in steps, and the best of them counts for each die."""
    made = circuit.as_made(unknown)
    lines = [nominal] if freedom.own_biases else [_on_line(nominal, by, freedom.step_v) for by in LINE_SHIFTS_V]
    tried = [_at_biases(circuit, made, line, times, target, freedom) for line in lines]
    best = np.argmin([cost for _, cost in tried], 0)
    program = LayerProgram(
        *(np.stack([getattr(tried[k][0], name)[die] for die, k in enumerate(best)]) for name in ("sign", "code_v", "bias_v"))
    )
    return _on_steps(circuit, unknown, program, times, freedom) if freedom.step_v else program


def _on_line(nominal: LayerProgram, shift_v: float, step_v: float) -> LayerProgram:
    """A layer whose dischargers all have another bias, on a step of its converter."""
    bias = nominal.bias_v + shift_v
    return replace(nominal, bias_v=np.rint(bias / step_v) * step_v if step_v else bias)


def _at_biases(
    circuit: LayerCircuit, made: AsMade, nominal: LayerProgram, times: FloatArray, target: FloatArray, freedom: Freedom
) -> tuple[LayerProgram, FloatArray]:
    """Programs of a layer of dies, from weights and currents that scale with its thresholds, and their cost [dies].

    A weight goes through zero from one device to the other. Between the smallest of either there is none: what ends there goes,
    one by one, the nearest first, to the nearest there is, or off, and the others make up for it.
    """
    dies = len(made.threshold)
    reach = _reach(circuit, made, nominal, freedom)
    goal = np.broadcast_to(target, (dies, *target.shape[1:])).swapaxes(1, 2).reshape(len(reach.low), -1)
    residuals = partial(_residuals, circuit, made, times, goal, reach.start)
    found = solve(residuals, reach.start, reach.low, reach.high, iterations=15, tolerance=1e-3)
    low, high = reach.low, reach.high
    for _ in range(circuit.inputs):
        there, between = reach.snapped(found.x)
        if not between.any():
            break
        away = np.where(between, np.abs(there - found.x), np.inf)
        first = between & (away == away.min(1, keepdims=True))
        low, high = np.where(first, there, low), np.where(first, there, high)
        found = solve(residuals, np.where(first, there, found.x), low, high, iterations=8, tolerance=1e-3)
    program = reach.program(circuit, made, reach.snapped(found.x)[0], nominal, freedom)
    return program, found.cost.reshape(dies, -1).sum(1)


@dataclass(frozen=True)
class _Reach:
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


def _reach(circuit: LayerCircuit, made: AsMade, nominal: LayerProgram, freedom: Freedom) -> _Reach:
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
    return _Reach(np.clip(joined(weights, current), low, high), low, high, plus, minus)


def _residuals(
    circuit: LayerCircuit, made: AsMade, times: FloatArray, goal: FloatArray, start: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Misses [neurons, samples], then what was moved, and their derivatives; one that shall be silent is only never early."""
    dies, samples, inputs = times.shape
    arrived = np.broadcast_to(times[:, None], (dies, len(x) // dies, samples, inputs)).reshape(-1, inputs)
    rows, threshold = np.repeat(x, samples, 0), np.repeat(made.threshold.ravel(), samples)
    spike, by_weight, by_current = circuit.fire_weights(rows[:, :-1].copy(), threshold, rows[:, -1].copy(), arrived)
    spike = spike.reshape(goal.shape)
    miss = np.where(goal < 1.0, spike - goal, np.minimum(spike - 1.0, 0.0))
    slope = np.concatenate([by_weight, by_current[:, None]], 1).reshape(*goal.shape, -1)
    slope = slope * ((goal < 1.0) | (spike < 1.0))[..., None]
    hold = HOLD * np.sqrt(samples)
    held = np.broadcast_to(hold * np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
    return np.concatenate([miss, hold * (x - start)], 1), np.concatenate([slope, held], 1)


def _on_steps(
    circuit: LayerCircuit, unknown: FloatArray, program: LayerProgram, times: FloatArray, freedom: Freedom
) -> LayerProgram:
    """Codes and biases on the steps of their converters, all of a neuron together."""
    dies, out, inputs = program.sign.shape
    fired = circuit.fire(repeated(unknown, times.shape[1]), Rows.of(program, times))
    slope = np.concatenate([fired.by_code, fired.by_bias[:, None]], 1) * (fired.spike < 1.0)[:, None]
    slope = slope.reshape(dies * out, -1, inputs + 1)
    normal = np.einsum("kti,ktj->kij", slope, slope) + 1e-6 * np.eye(inputs + 1)
    x = np.concatenate([program.code_v, program.bias_v[..., None]], 2).reshape(dies * out, -1)
    ends = [[circuit.code_range(sign)[k] + by for sign in (1, -1)] for k, by in ((0, -freedom.margin_v), (1, freedom.margin_v))]
    codes = [np.where(program.sign == 0, program.code_v, np.where(program.sign > 0, *end)) for end in ends]
    reach = BIAS_REACH_V if freedom.own_biases else 0.0
    low, high = (
        np.concatenate([own, program.bias_v[..., None] + by], 2).reshape(dies * out, -1)
        for own, by in zip(codes, (-reach, reach), strict=True)
    )
    y = np.stack([rounded(*one, freedom.step_v) for one in zip(x, normal, low, high, strict=True)]).reshape(dies, out, -1)
    return replace(program, code_v=y[..., :-1], bias_v=y[..., -1])


def rounded(x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float, orders: int = 24) -> FloatArray:
    """A point of the grid of `step` near x at which (y - x)' normal (y - x) is small, [unknowns].

    Rounded one by one, what is left moved to make up for it each time (Babai's nearest plane), in several orders, of which the
    best counts.
    """
    free = np.flatnonzero(high > low)
    draw = np.random.default_rng(0)
    best, least = x, np.inf
    for _ in range(orders):
        y = _rounded_in_order(x, normal, low, high, step, draw.permutation(free))
        cost = float((y - x) @ normal @ (y - x))
        if cost < least:
            best, least = y, cost
    return best


def _rounded_in_order(
    x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float, order: FloatArray
) -> FloatArray:
    y, left = x.copy(), list(map(int, order))
    while left:
        k = left.pop(0)
        grid = np.clip(np.rint(y[k] / step), np.ceil(low[k] / step - 1e-9), np.floor(high[k] / step + 1e-9)) * step
        moved, y[k] = grid - y[k], grid
        if left:
            # the rest to the minimum of the quadratic given all that is rounded so far
            y[left] -= np.linalg.solve(normal[np.ix_(left, left)], normal[left, k]) * moved
    return y
