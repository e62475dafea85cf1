"""Fine-tuning with a chip in the loop: its spikes go forward, the derivatives of a model of it go back.

The outputs' misses are those of the chip, and so are the spikes at which each layer's derivatives are taken; only the derivatives
themselves are the model's. A step is Levenberg and Marquardt's, kept where the chip is better for it. How far it gets is decided
by how well the model knows the die: an identified one points where the chip's own outputs go, a nominal one does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from training.calibration.chip import Chip
from training.calibration.joint import Whole, missed
from training.calibration.least_squares import FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING, step_within
from training.calibration.program import Program
from training.hardware import FloatArray

WITHIN = 0.1
"""Weights, and e-folds of currents, are believed within this of where the tuning starts: what a few noisy samples do not decide
stays there."""


@dataclass(frozen=True)
class Tuned:
    """The best program that a chip was seen with, and the rms of its outputs (phases) at the start and at each step."""

    program: Program
    seen_rmse: Sequence[float]


def fine_tuned(
    chip: Chip, whole: Whole, start: Program, inputs: FloatArray, wanted: FloatArray, steps: int, noise: float
) -> Tuned:
    """Change the codes and biases of one chip until its outputs are what they shall be.

    Args:
        whole: the model of the chip, a die of its own.
        start: the program to start from, of one die without its number in front.
        inputs: [samples, in] in phases, all of which are applied in every step.
        wanted: spikes of the outputs, [samples, out].
        steps: how often the chip is observed after the first time.
        noise: rms with which a spike is seen, phases.
    """
    low, high = whole.ends()
    x = whole.snapped(np.clip(whole.vector(tuple(layer.of_dies(1) for layer in start)), low, high))[0]
    see = partial(_Seen.of, chip, whole, inputs, wanted, x, noise / WITHIN)
    best, damping = see(x), FIRST_DAMPING
    rows = [best.rmse]
    for _ in range(steps):
        step = step_within(best.residual, best.slope, best.x, low, high, damping)
        tried = see(whole.snapped(np.clip(best.x + step, low, high))[0])
        rows.append(tried.rmse)
        better = tried.cost < best.cost
        damping = float(np.clip(damping * (0.2 if better else 8.0), LEAST_DAMPING, MOST_DAMPING))
        best = tried if better else best
    return Tuned(tuple(layer.die(0) for layer in whole.program(best.x)), rows)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A chip at a program: its misses and what was moved since the start [1, terms], and what the model says that they do with
    the program."""

    x: FloatArray
    residual: FloatArray
    slope: FloatArray
    rmse: float

    @property
    def cost(self) -> float:
        return float((self.residual**2).sum())

    @classmethod
    def of(
        cls, chip: Chip, whole: Whole, inputs: FloatArray, wanted: FloatArray, start: FloatArray, hold: float, x: FloatArray
    ) -> _Seen:
        seen = [spikes[None] for spikes in chip.observe(tuple(layer.die(0) for layer in whole.program(x)), inputs)]
        slopes = whole.fire(x, inputs, seen)[1]
        outputs = seen[-1].swapaxes(1, 2)
        residual, slope = missed(outputs, wanted.T, slopes[-1])
        moved, holding = hold * (x - start), hold * np.eye(x.shape[1])[None]
        rmse = float(np.sqrt((residual**2).mean()))
        return cls(x, np.concatenate([residual, moved], 1), np.concatenate([slope, holding], 1), rmse)
