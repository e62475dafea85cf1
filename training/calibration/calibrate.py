"""A die calibrated: patterns chosen, spikes seen, devices identified, codes and biases set, and once more at those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from training.calibration.chip import Chip, ideal
from training.calibration.circuit import LayerCircuit
from training.calibration.identify import Estimate, Observed, identify
from training.calibration.in_the_loop import Tuned, fine_tuned
from training.calibration.joint import Whole
from training.calibration.plan import STEP, Plan, plan
from training.calibration.program import LayerProgram, Program
from training.calibration.reach import Freedom
from training.calibration.reprogram import reprogram
from training.hardware import FloatArray


@dataclass(frozen=True)
class Settings:
    """How dies are measured and set.

    Attributes:
        rounds: patterns of each round. In the first all dischargers are raised by `boost_v`, so that slow neurons fire; the
            others measure at the codes that the round before gave.
        jitter: rms noise of the spikes as they are seen, in phases.
        model_error: rms of what the model is off, in phases.
        pattern_step: to which the times of patterns are rounded, in phases.
        loop: steps of fine-tuning with the chip in the loop, on `loop_samples` of the samples; 0: none.
        identified: whether the devices of the dies are found first; if not, no pattern is applied, and the model of the loop is
            that of the network without mismatch.
    """

    rounds: tuple[int, ...] = (10, 6)
    boost_v: float = 14e-3
    jitter: float = 0.0
    model_error: float = 5e-4
    pattern_step: float = STEP
    freedom: Freedom = field(default_factory=Freedom)
    loop: int = 0
    loop_samples: int = 16
    identified: bool = True

    @property
    def noise(self) -> float:
        return float(np.hypot(self.jitter, self.model_error))


@dataclass(frozen=True)
class Calibrated:
    """Dies after a calibration: their programs, what is known of them, and how many patterns that took; and of those that were in
    a loop the rms of the outputs (phases) as it was seen step by step, [dies][steps + 1]."""

    program: Program
    estimates: Sequence[Estimate]
    patterns: Sequence[FloatArray]
    expected: Sequence[FloatArray]
    loop_rmse: Sequence[Sequence[float]] = ()


def calibrate(
    chips: Sequence[Chip],
    circuits: Sequence[LayerCircuit],
    nominal: Program,
    samples: FloatArray,
    settings: Settings,
    seed: int = 0,
) -> Calibrated:
    """Calibrate dies side by side.

    Args:
        nominal: what a die without mismatch is set to.
        samples: inputs that the network will see, [samples, in] in phases.
        seed: of the patterns to choose from.
    """
    dies = len(chips)
    program, wanted = tuple(layer.of_dies(dies) for layer in nominal), ideal(circuits, nominal, samples)
    estimates = [Estimate.prior(c, dies, len(layer.bias_v)) for c, layer in zip(circuits, nominal, strict=True)]
    seen: list[list[Observed]] = [[] for _ in circuits]
    patterns, expected = list[FloatArray](), list[FloatArray]()
    for number, count in enumerate(settings.rounds if settings.identified else ()):
        measured = tuple(layer.boosted(0.0 if number else settings.boost_v) for layer in program)
        own, errors = _plans(circuits, estimates, measured, program, samples, count, settings, seed + number, not number)
        spikes = [chip.observe(tuple(layer.die(k) for layer in measured), own[k]) for k, chip in enumerate(chips)]
        _see(circuits, estimates, seen, measured, own, spikes, settings.noise)
        program = reprogram(circuits, estimates, nominal, samples, wanted, settings.freedom)
        patterns.append(own)
        expected.append(errors)
    found = Calibrated(program, estimates, patterns, expected)
    return _in_the_loop(chips, circuits, nominal, samples, found, settings, seed) if settings.loop else found


def _in_the_loop(
    chips: Sequence[Chip],
    circuits: Sequence[LayerCircuit],
    nominal: Program,
    samples: FloatArray,
    found: Calibrated,
    settings: Settings,
    seed: int,
) -> Calibrated:
    """Fine-tune each die, on samples that are drawn once."""
    own = np.random.default_rng(seed).permutation(len(samples))[: settings.loop_samples]
    inputs, wanted, tuned = samples[own], ideal(circuits, nominal, samples[own])[-1], list[Tuned]()
    for k, chip in enumerate(chips):
        known = [replace(e, unknown=e.unknown[k : k + 1], covariance=e.covariance[k : k + 1]) for e in found.estimates]
        whole = Whole.of(circuits, known, nominal, settings.freedom)
        start = tuple(layer.die(k) for layer in found.program)
        tuned.append(fine_tuned(chip, whole, start, inputs, wanted, settings.loop, settings.noise))
    program = tuple(LayerProgram.side_by_side(layers) for layers in zip(*(one.program for one in tuned), strict=True))
    applied = np.broadcast_to(inputs, (len(chips), *inputs.shape))
    patterns = [*found.patterns, *[applied] * (settings.loop + 1)]
    return replace(found, program=program, patterns=patterns, loop_rmse=[one.seen_rmse for one in tuned])


def _see(
    circuits: Sequence[LayerCircuit],
    estimates: list[Estimate],
    seen: Sequence[list[Observed]],
    measured: Program,
    patterns: FloatArray,
    spikes: Sequence[Sequence[FloatArray]],
    noise: float,
) -> None:
    """Take in a round, [dies][layer][patterns, out], layer by layer behind what the one before it sent."""
    arrived = patterns
    for layer, (circuit, rounds) in enumerate(zip(circuits, seen, strict=True)):
        sent = np.stack([one[layer] for one in spikes])
        rounds.append(Observed(measured[layer], arrived, sent))
        estimates[layer] = identify(circuit, rounds, noise, estimates[layer].unknown)
        arrived = sent


def _plans(
    circuits: Sequence[LayerCircuit],
    estimates: Sequence[Estimate],
    measured: Program,
    target: Program,
    samples: FloatArray,
    count: int,
    settings: Settings,
    seed: int,
    shared: bool,
) -> tuple[FloatArray, FloatArray]:
    """Patterns of every die, [dies, count, in], and the errors that are expected; before anything is known all get the same."""
    plans, dies = list[Plan](), len(estimates[0].unknown)
    for k in range(1 if shared else dies):
        own = [Estimate(e.unknown[k : k + 1], e.covariance[k : k + 1]) for e in estimates]
        now, then = (tuple(layer.die(k) for layer in program) for program in (measured, target))
        plans.append(plan(circuits, own, now, then, samples, count, settings.noise, seed, settings.pattern_step))
    patterns, expected = np.stack([one.patterns for one in plans]), np.stack([one.expected for one in plans])
    return np.broadcast_to(patterns, (dies, *patterns.shape[1:])), expected
