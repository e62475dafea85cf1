"""What the spikes of dies say of their devices: a maximum a posteriori estimate, each neuron by itself.

Its inputs are observed, so that a neuron is a function of its own unknowns alone:

    minimise  sum of rho([t_model - t_seen]/sigma) + |x|^2      over x, in standard deviations of the prior,

with Huber's rho. A neuron that was silent says only that its spike comes no earlier than the end of the phase. What lies outside
what the cells were measured over is left out: a membrane that left it spoils the whole neuron.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from training.calibration.chip import repeated
from training.calibration.circuit import LayerCircuit, Rows, joined
from training.calibration.least_squares import solve
from training.calibration.program import LayerProgram
from training.hardware import FloatArray

LOWEST_MEMBRANE, HIGHEST_MEMBRANE, EARLIEST = -0.33, 0.95, 0.09
"""Membranes (thresholds) and spikes (phases) over which a model of the cells holds."""

HUBER = 2.5
"""Standard deviations from which on an observation counts linearly."""

ROUNDS = 5
"""At most, in which observations are weighed anew."""

SETTLED = 0.02
"""Weights that change by less change no estimate."""


@dataclass(frozen=True)
class Observed:
    """A layer of dies at some patterns: the program, what came in [dies, patterns, in] and what it sent [dies, patterns, out]."""

    program: LayerProgram
    arrived: FloatArray
    sent: FloatArray

    def rows(self) -> Rows:
        return Rows.of(self.program, self.arrived)

    def spikes(self) -> FloatArray:
        """[dies, out, patterns]."""
        return self.sent.swapaxes(1, 2)


@dataclass(frozen=True)
class Estimate:
    """A layer of dies: the unknowns [dies, out, unknowns] in standard deviations of their prior, and their covariance [dies, out,
    unknowns, unknowns].

    `used` is the share of the observations that count, `misfit` the rms of their residuals over the noise.
    """

    unknown: FloatArray
    covariance: FloatArray
    used: float = 1.0
    misfit: float = 0.0

    @classmethod
    def prior(cls, circuit: LayerCircuit, dies: int, out: int) -> Estimate:
        """Before anything was observed."""
        n = circuit.unknowns
        return cls(np.zeros((dies, out, n)), np.broadcast_to(np.eye(n), (dies, out, n, n)).copy())

    def allowed(self, dies: int, draw: np.random.Generator) -> FloatArray:
        """Dies that the estimate of one allows, [dies, out, unknowns]."""
        root = np.linalg.cholesky(self.covariance[0])
        normal = draw.standard_normal((dies, *self.unknown.shape[1:]))
        return np.asarray(self.unknown[0] + np.einsum("kij,dkj->dki", root, normal))


def identify(circuit: LayerCircuit, observed: Sequence[Observed], noise: float, start: FloatArray | None = None) -> Estimate:
    """The devices of a layer of dies.

    Args:
        observed: rounds of patterns, each with its own program.
        noise: rms of a spike (phases): jitter, and what the model is off.
        start: unknowns from where to look; the prior's where None.
    """
    dies, out = observed[0].program.bias_v.shape
    neurons, shape = dies * out, (dies, out, circuit.unknowns)
    seen = np.concatenate([one.spikes().reshape(neurons, -1) for one in observed], 1)
    rows = joined([one.rows() for one in observed], neurons)
    x = np.zeros((neurons, circuit.unknowns)) if start is None else start.reshape(neurons, -1)
    weight = np.ones_like(seen)
    for _ in range(ROUNDS):
        counts = _within_range(circuit, x, rows, seen)
        found = solve(partial(_residuals, circuit, rows, seen, counts * weight / noise), x, iterations=6, tolerance=1e-3)
        x = found.x
        spike = circuit.spikes(repeated(x[None], seen.shape[1]), rows).reshape(seen.shape)
        residual = _misses(spike, seen) / noise
        heavy, weight = weight, np.sqrt(np.minimum(1.0, HUBER / np.maximum(np.abs(residual), 1e-9)))
        if np.abs(weight - heavy).max() < SETTLED:
            break
    misfit = float(np.sqrt((residual**2 * counts).sum() / max(counts.sum(), 1.0)))
    covariance = np.asarray(np.linalg.inv(found.normal), dtype=float).reshape(*shape, circuit.unknowns)
    return Estimate(x.reshape(shape), covariance, float(counts.mean()), misfit)


def _misses(spike: FloatArray, seen: FloatArray) -> FloatArray:
    """How much too late the model is; of a neuron that was silent only how much too early."""
    return np.where(seen < 1.0, spike - seen, np.minimum(spike - 1.0, 0.0))


def _residuals(
    circuit: LayerCircuit, rows: Rows, seen: FloatArray, weight: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weighed misses [neurons, patterns] and then the prior, and their derivatives."""
    fired = circuit.fire(repeated(x[None], seen.shape[1]), rows)
    spike, slope = fired.spike.reshape(seen.shape), fired.by_unknown.reshape(*seen.shape, -1)
    tells = weight * ((seen < 1.0) | (spike < 1.0))
    residual = np.concatenate([weight * _misses(spike, seen), x], 1)
    prior = np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
    return residual, np.concatenate([tells[..., None] * slope, prior], 1)


def _within_range(circuit: LayerCircuit, x: FloatArray, rows: Rows, seen: FloatArray) -> FloatArray:
    """1 for the observations that count, [neurons, patterns]."""
    low, high = circuit.reached(repeated(x[None], seen.shape[1]), rows)
    holds = (low > LOWEST_MEMBRANE) & (high < HIGHEST_MEMBRANE)
    return (holds.reshape(seen.shape) & (seen > EARLIEST)).astype(float)
