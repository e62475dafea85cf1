"""Which patterns to apply: those after which the spikes of the inputs that the network will see are known best.

The expected variance of a neuron at those inputs is tr(M S), with S the covariance of its unknowns and M the mean of g g' over
the inputs, g the derivative of the spike there. A pattern with the derivative j turns S into S - S j j' S/(sigma^2 + j' S j);
the planner takes, one after another, the pattern after which the sum over the neurons is least (I-optimal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.calibration.chip import repeated, sent
from training.calibration.circuit import LayerCircuit, Rows
from training.calibration.identify import EARLIEST, HIGHEST_MEMBRANE, LOWEST_MEMBRANE, Estimate
from training.calibration.program import Program
from training.hardware import FloatArray

CANDIDATES, DRAWS = 300, 4
"""Patterns to choose from, and dies that the estimate allows on which each is tried."""

NEVER = 0.25
"""Share of the inputs of a candidate that stay silent."""

ROUNDING = 1e-9
"""A time that is nearer to the end of the phase is its end (phases)."""

STEP = 1e-3
"""Of the times of a pattern, where nothing is said of it (phases)."""


@dataclass(frozen=True)
class Plan:
    """Patterns [patterns, in], and the rms error (phases) that is expected of the spikes of every layer before each and at the
    end, [patterns + 1, layers]."""

    patterns: FloatArray
    expected: FloatArray


def candidates(inputs: int, samples: FloatArray, seed: int, step: float = STEP) -> FloatArray:
    """Random patterns, and some of the samples (phases); their times are multiples of `step` below 1, so that a bench can make
    them, or 1: silent."""
    draw = np.random.default_rng(seed)
    times = np.where(draw.random((CANDIDATES, inputs)) < NEVER, 1.0, draw.random((CANDIDATES, inputs)))
    times = np.concatenate([times, samples[:20]])
    rounded = np.rint(times / step) * step
    return np.where((times >= 1.0) | (rounded > 1.0 - ROUNDING), 1.0, rounded)


def plan(
    circuits: Sequence[LayerCircuit],
    estimates: Sequence[Estimate],
    program: Program,
    target: Program,
    samples: FloatArray,
    count: int,
    noise: float,
    seed: int = 0,
    step: float = STEP,
) -> Plan:
    """`count` patterns to measure one die by.

    Args:
        estimates: what is known of the die, one die each.
        program: what it is set to while it is measured.
        target: what it will be set to when it works.
        samples: inputs that it will see, [samples, in].
        noise: rms of a spike (phases).
        step: to which the times of patterns are rounded (phases).
    """
    tried = candidates(samples.shape[1], samples, seed, step)
    draw = np.random.default_rng(seed + 1)
    drawn = [estimate.allowed(DRAWS, draw) for estimate in estimates]
    seen = [_derivatives(*one) for one in _layers(circuits, drawn, program, tried)]
    wanted = [_derivatives(*one)[0] for one in _layers(circuits, [e.unknown for e in estimates], target, samples[:100])]
    importance = [np.einsum("dkpi,dkpj->kij", g, g) / g.shape[2] for g in wanted]
    covariance = [np.broadcast_to(e.covariance, (DRAWS, *e.covariance.shape[1:])).copy() for e in estimates]
    chosen, expected = list[int](), [_expected(importance, covariance)]
    for _ in range(count):
        gain = sum(_gain(m, s, *j, noise) for m, s, j in zip(importance, covariance, seen, strict=True))
        gain[chosen] = -np.inf  # type: ignore[index]
        chosen.append(int(np.argmax(gain)))
        covariance = [
            _after(s, j[:, :, chosen[-1]], ok[:, :, chosen[-1]], noise) for s, (j, ok) in zip(covariance, seen, strict=True)
        ]
        expected.append(_expected(importance, covariance))
    return Plan(tried[chosen], np.array(expected))


def _layers(
    circuits: Sequence[LayerCircuit], unknown: Sequence[FloatArray], program: Program, patterns: FloatArray
) -> list[tuple[LayerCircuit, FloatArray, Rows]]:
    """Each layer of dies behind what the dies send: circuit, unknowns, rows."""
    dies = len(unknown[0])
    of_dies = tuple(layer.of_dies(dies) for layer in program)
    times = np.broadcast_to(patterns, (dies, *patterns.shape))
    behind = [times, *sent(circuits, unknown, of_dies, times)[:-1]]
    return [(c, u, Rows.of(layer, t)) for c, u, layer, t in zip(circuits, unknown, of_dies, behind, strict=True)]


def _derivatives(circuit: LayerCircuit, unknown: FloatArray, rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Of the spikes by the unknowns, [dies, out, patterns, unknowns], zero where there is none; and 1 where the model holds."""
    dies, out = unknown.shape[:2]
    given = repeated(unknown, len(rows.times) // (dies * out))
    fired = circuit.fire(given, rows)
    low, high = circuit.reached(given, rows)
    holds = (low > LOWEST_MEMBRANE) & (high < HIGHEST_MEMBRANE) & (fired.spike > EARLIEST) & (fired.spike < 1.0)
    shape = (dies, out, -1)
    slope = fired.by_unknown * (fired.spike < 1.0)[:, None]
    return slope.reshape(*shape[:2], -1, circuit.unknowns), holds.reshape(shape).astype(float)


def _gain(importance: FloatArray, covariance: FloatArray, slope: FloatArray, holds: FloatArray, noise: float) -> FloatArray:
    """By how much each pattern lowers the expected variance, [patterns], mean over the draws and summed over the neurons."""
    moved = np.einsum("dkij,dkpj->dkpi", covariance, slope)
    variance = noise**2 + np.einsum("dkpi,dkpi->dkp", slope, moved)
    lowered = np.einsum("dkpi,kij,dkpj->dkp", moved, importance, moved, optimize=True) / variance
    return np.asarray((lowered * holds).sum((0, 1)) / len(slope))


def _after(covariance: FloatArray, slope: FloatArray, holds: FloatArray, noise: float) -> FloatArray:
    moved = np.einsum("dkij,dkj->dki", covariance, slope)
    variance = noise**2 + np.einsum("dki,dki->dk", slope, moved)
    return np.asarray(covariance - np.einsum("dki,dkj->dkij", moved, moved) * (holds / variance)[..., None, None])


def _expected(importance: Sequence[FloatArray], covariance: Sequence[FloatArray]) -> list[float]:
    return [float(np.sqrt(np.einsum("kij,dkji->dk", m, s).mean())) for m, s in zip(importance, covariance, strict=True)]
