"""Codes and biases on the steps of their converters: all of a neuron are set together, so that one makes up for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.calibration.chip import repeated
from training.calibration.circuit import LayerCircuit, Rows
from training.calibration.program import LayerProgram
from training.calibration.reach import BIAS_REACH_V, Freedom
from training.hardware import FloatArray
from training.structures.assignment import Assignment, annealed, greedy

Way = Callable[[FloatArray, FloatArray, FloatArray, FloatArray, float], FloatArray]
"""From what is wanted, what an error of it costs, the least and the most there is, and a step, to a point of the grid."""

ABOUT, FIRST_SHARE = 3, 0.3
"""Steps to either side among which codes are annealed, and the first temperature over what a step costs."""


def on_steps(
    circuit: LayerCircuit,
    unknown: FloatArray,
    program: LayerProgram,
    times: FloatArray,
    freedom: Freedom,
    ways: Sequence[Way] = (),
) -> LayerProgram:
    """Codes and biases on the steps of their converters, all of a neuron together.

    Every way minimises, or leaves alone, the errors of the neuron's spikes to first order; of each neuron the one counts whose
    spikes are nearest on the die as it was identified.

    Args:
        unknown: how the dies are off, [dies, out, unknowns].
        times: inputs of the layer, [dies, samples, in].
        ways: instead of `WAYS`.
    """
    dies, out, inputs = program.sign.shape
    known = repeated(unknown, times.shape[1])
    fired = circuit.fire(known, Rows.of(program, times))
    slope = np.concatenate([fired.by_code, fired.by_bias[:, None]], 1) * (fired.spike < 1.0)[:, None]
    slope = slope.reshape(dies * out, -1, inputs + 1)
    normal = np.einsum("kti,ktj->kij", slope, slope) + 1e-6 * np.eye(inputs + 1)
    x = np.concatenate([program.code_v, program.bias_v[..., None]], 2).reshape(dies * out, -1)
    low, high = (end.reshape(dies * out, -1) for end in code_ends(circuit, program, freedom))
    found, misses = list[FloatArray](), list[FloatArray]()
    for way in ways or WAYS:
        y = np.stack([way(*one, freedom.step_v) for one in zip(x, normal, low, high, strict=True)])
        set_to = _set_to(program, y)
        off = np.minimum(circuit.fire(known, Rows.of(set_to, times)).spike, 1.0) - np.minimum(fired.spike, 1.0)
        found.append(y)
        misses.append(np.square(off).reshape(dies * out, -1).sum(1))
    return _set_to(program, np.choose(np.argmin(misses, 0)[:, None], found))


def code_ends(circuit: LayerCircuit, program: LayerProgram, freedom: Freedom) -> tuple[FloatArray, FloatArray]:
    """The least and the most that the codes and the bias of each neuron can be set to (V), [dies, out, in + 1]."""
    ends = [[circuit.code_range(sign)[k] + by for sign in (1, -1)] for k, by in ((0, -freedom.margin_v), (1, freedom.margin_v))]
    codes = [np.where(program.sign == 0, program.code_v, np.where(program.sign > 0, *end)) for end in ends]
    reach = BIAS_REACH_V if freedom.own_biases else 0.0
    low, high = (np.concatenate([own, program.bias_v[..., None] + by], 2) for own, by in zip(codes, (-reach, reach), strict=True))
    return low, high


def _set_to(program: LayerProgram, y: FloatArray) -> LayerProgram:
    """Codes and biases [neurons, in + 1] in the place of a program's."""
    values = y.reshape(*program.bias_v.shape, -1)
    return replace(program, code_v=values[..., :-1], bias_v=values[..., -1])


def nearest(x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float) -> FloatArray:
    """Each by itself at the nearest point of the grid of `step`."""
    del normal
    return np.where(high > low, np.clip(np.rint(x / step), *_ends(low, high, step)) * step, x)


def by_single_changes(x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float) -> FloatArray:
    """From the nearest, as long as one more step of one lowers (y - x)' normal (y - x)."""
    return _assigned(x, normal, low, high, step, greedy)


def annealed_about(x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float) -> FloatArray:
    """Annealed over the nearest point and its neighbours, so near that first order holds."""
    return _assigned(x, normal, low, high, step, partial(annealed, first=FIRST_SHARE))


def _assigned(
    x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float, engine: Callable[..., Assignment]
) -> FloatArray:
    free, y = np.flatnonzero(high > low), x.copy()
    if len(free):
        grid = points_about(x[free], low[free], high[free], step, 1)
        y[free] = engine(x[free][None], grid[None], normal[np.ix_(free, free)]).weights[0]
    return y


def rounded(x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float, orders: int = 24) -> FloatArray:
    """A point of the grid of `step` near x at which (y - x)' normal (y - x) is small, [unknowns].

    Rounded one by one, what is left moved to make up for it each time (Babai's nearest plane), in several orders, of which the
    best counts; from there annealed over the points about it, and never above it.
    """
    free = np.flatnonzero(high > low)
    draw = np.random.default_rng(0)
    best, least = x, np.inf
    for _ in range(orders):
        y = _rounded_in_order(x, normal, low, high, step, draw.permutation(free))
        cost = float((y - x) @ normal @ (y - x))
        if cost < least:
            best, least = y, cost
    return _annealed(x, normal, low, high, step, best, free) if len(free) else best


def _annealed(
    x: FloatArray, normal: FloatArray, low: FloatArray, high: FloatArray, step: float, start: FloatArray, free: NDArray[np.intp]
) -> FloatArray:
    """From a point of the grid, the free unknowns among their `ABOUT` next points to either side; the others are those of x."""
    grid = points_about(start[free], low[free], high[free], step, ABOUT)
    codes = np.full((1, len(free)), ABOUT, np.uint8)
    found = annealed(x[free][None], grid[None], normal[np.ix_(free, free)], start=codes, first=FIRST_SHARE)
    y = start.copy()
    y[free] = found.weights[0]
    return y


def points_about(x: FloatArray, low: FloatArray, high: FloatArray, step: float, about: int) -> FloatArray:
    """The points of a grid about each x, [unknowns, 2 about + 1]; beyond the ends the last one."""
    at = np.rint(x / step)[:, None] + np.arange(-about, about + 1)
    return np.asarray(np.clip(at, *(end[:, None] for end in _ends(low, high, step))) * step)


def _ends(low: FloatArray, high: FloatArray, step: float) -> tuple[FloatArray, FloatArray]:
    """The first and the last step within."""
    return np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)


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


WAYS: tuple[Way, ...] = (rounded, annealed_about, by_single_changes, nearest)
