"""Codes and biases on the steps of their converters: all of a neuron are rounded together, so that one makes up for another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.calibration.chip import repeated
from training.calibration.circuit import LayerCircuit, Rows
from training.calibration.program import LayerProgram
from training.calibration.reach import BIAS_REACH_V, Freedom
from training.hardware import FloatArray


def on_steps(
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
