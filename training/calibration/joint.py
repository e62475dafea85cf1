"""All layers of dies at once: what the outputs do as codes and biases of any layer move.

Where every discharger has a bias of its own each neuron can do what the nominal one does, and nothing is gained by looking at
others. Where the dischargers of a layer share a line it cannot: then hidden spikes are moved so that the outputs are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from training.calibration.chip import ideal
from training.calibration.circuit import AsMade, LayerCircuit
from training.calibration.identify import Estimate
from training.calibration.least_squares import Residuals
from training.calibration.program import LayerProgram, Program
from training.calibration.reach import BIAS_REACH_V, HOLD, Freedom, Reach, on_devices, reach
from training.calibration.steps import on_steps
from training.hardware import FloatArray

COPIES, AROUND = 2, 0.15
"""Inputs that are like those that the network will see: so many copies of each, moved by this rms (phases). Hidden spikes that
may go anywhere otherwise fit the samples and nothing between them."""


def jointly(
    circuits: Sequence[LayerCircuit],
    estimates: Sequence[Estimate],
    nominal: Program,
    start: Program,
    samples: FloatArray,
    freedom: Freedom,
) -> Program:
    """Programs of dies with which their outputs do what the nominal ones do, whatever their hidden layers do for it.

    Args:
        estimates: of every layer.
        start: programs of the dies from which to look.
        samples: inputs that the network will see, [samples, in] in phases.
    """
    whole, inputs = Whole.of(circuits, estimates, nominal, freedom), around(samples)
    wanted = ideal(circuits, nominal, inputs)[-1].T[None]
    low, high = whole.ends()
    x = np.clip(whole.vector(start), low, high)
    residuals = partial(_residuals, whole, inputs, wanted, x)
    x = on_devices(residuals, x, low, high, whole.snapped, (20, 4)).x
    if not freedom.step_v:
        return whole.program(x)
    return _on_steps(whole, estimates, x, inputs, residuals)


def around(samples: FloatArray) -> FloatArray:
    """Samples [samples, in] and copies of them that are moved, within the phase; an input that is always the same stays."""
    draw = np.random.default_rng(0)
    moves = AROUND * (np.ptp(samples, axis=0) > 0)
    copies = [samples + moves * draw.standard_normal(samples.shape) for _ in range(COPIES)]
    return np.asarray(np.clip(np.concatenate([samples, *copies]), 0.0, 1.0))


def _residuals(
    whole: Whole, inputs: FloatArray, wanted: FloatArray, start: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Misses of the outputs, then what was moved, [dies, terms], and their derivatives."""
    spikes, slopes = whole.fire(x, inputs)
    miss, slope = missed(spikes[-1], wanted, slopes[-1])
    hold = HOLD * np.sqrt(len(inputs))
    held = np.broadcast_to(hold * np.eye(x.shape[1]), (*x.shape, x.shape[1]))
    return np.concatenate([miss, hold * (x - start)], 1), np.concatenate([slope, held], 1)


def missed(spike: FloatArray, wanted: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How much too late outputs are, [dies, outputs * samples], and the derivatives; what shall be silent is only never early.

    Args:
        spike: [dies, out, samples]; wanted broadcasts against it.
        slope: its derivatives, [dies, out, samples, unknowns].
    """
    miss = np.where(wanted < 1.0, spike - wanted, np.minimum(spike - 1.0, 0.0))
    tells = (wanted < 1.0) | (spike < 1.0)
    return miss.reshape(len(spike), -1), (slope * tells[..., None]).reshape(len(spike), -1, slope.shape[3])


def _on_steps(whole: Whole, estimates: Sequence[Estimate], x: FloatArray, inputs: FloatArray, residuals: Residuals) -> Program:
    """On the steps of converters: first the lines of all layers, then layer by layer the codes, and each time what is left makes
    up for it."""
    low, high = whole.ends()
    x = whole.with_lines_on_steps(x)
    found, done = list[LayerProgram](), whole.is_line
    for number, (part, estimate) in enumerate(zip(whole.parts, estimates, strict=True)):
        x = on_devices(residuals, x, np.where(done, x, low), np.where(done, x, high), whole.snapped, (8, 4)).x
        times = np.broadcast_to(inputs, (len(x), *inputs.shape))
        if number:
            times = np.minimum(whole.fire(x, inputs)[0][number - 1], 1.0).swapaxes(1, 2)
        found.append(on_steps(part.circuit, estimate.unknown, whole.program(x)[number], times, part.freedom))
        own = whole.place(number)
        x, done = x.copy(), done.copy()
        x[:, own], done[own] = part.vector(found[number]), True
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Part:
    """A layer of dies as a vector each: weights as made [out * in], then what its biases are moved by, in e-folds of the nominal
    discharger's current."""

    circuit: LayerCircuit
    made: AsMade
    nominal: LayerProgram
    freedom: Freedom

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.made.threshold), *self.nominal.sign.shape

    @cached_property
    def _reach(self) -> Reach:
        return reach(self.circuit, self.made, self.nominal, self.freedom)

    @cached_property
    def moves(self) -> FloatArray:
        """Volts of each discharger an e-fold of each bias, [biases, out]: each its own, or all of the layer one."""
        _, out, _ = self.shape
        lines = np.eye(out) if self.freedom.own_biases else np.ones((1, out))
        return lines / self.circuit.discharger.slope_per_v

    @property
    def size(self) -> int:
        return self.nominal.sign.size + len(self.moves)

    def vector(self, program: LayerProgram) -> FloatArray:
        """Of a program of the dies."""
        shift = np.where(program.sign > 0, self.made.plus_v, self.made.minus_v)
        weight = self.circuit.weight(program.sign, program.code_v + shift)
        moved = (program.bias_v - self.nominal.bias_v) @ np.linalg.pinv(self.moves)
        return np.concatenate([weight.reshape(len(weight), -1), moved], 1)

    def program(self, x: FloatArray) -> LayerProgram:
        weight, bias = self._taken_apart(x)
        return self.circuit.setting(self.made, weight, bias)

    def ends(self) -> tuple[FloatArray, FloatArray]:
        most = np.full((self.shape[0], len(self.moves)), BIAS_REACH_V * self.circuit.discharger.slope_per_v)
        weights = [end[:, :-1].reshape(len(most), -1) for end in (self._reach.low, self._reach.high)]
        return np.concatenate([weights[0], -most], 1), np.concatenate([weights[1], most], 1)

    def with_lines_on_steps(self, x: FloatArray) -> FloatArray:
        weights, step = self.nominal.sign.size, self.freedom.step_v
        bias = np.rint(self._taken_apart(x)[1] / step) * step
        return np.concatenate([x[:, :weights], (bias - self.nominal.bias_v) @ np.linalg.pinv(self.moves)], 1)

    def snapped(self, x: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        dies, out, inputs = self.shape
        weight = x[:, : out * inputs].reshape(dies * out, inputs)
        padded = np.concatenate([weight, np.zeros((dies * out, 1))], 1)
        found = [part[:, :-1].reshape(dies, -1) for part in self._reach.snapped(padded)]
        moved = x[:, out * inputs :]
        return np.concatenate([found[0], moved], 1), np.concatenate([found[1], np.zeros(moved.shape, bool)], 1)

    def fire(self, x: FloatArray, times: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Spikes at inputs [dies, samples, in], [dies, out, samples], and their derivatives by the vector
        [dies, out, samples, size] and by when inputs arrive [dies, out, samples, in]."""
        (dies, out, inputs), samples = self.shape, times.shape[1]
        weight, bias = self._taken_apart(x)
        current, step_v = self.circuit.current_of(self.made, bias), 1e-5
        slope = (self.circuit.current_of(self.made, bias + step_v) - current) / step_v
        weights, threshold, log_current = (
            np.repeat(a.reshape(dies * out, *a.shape[2:]), samples, 0) for a in (weight, self.made.threshold, current)
        )
        arrived = np.broadcast_to(times[:, None], (dies, out, samples, inputs)).reshape(-1, inputs)
        fired = self.circuit.fire_weights(weights, threshold, log_current, arrived)
        spike, by_weight, by_current, by_time = (a.reshape(dies, out, samples, *a.shape[1:]) for a in fired)
        own = np.zeros((dies, out, samples, out, inputs))
        own[:, range(out), :, range(out)] = by_weight.swapaxes(0, 1)
        by_bias = (by_current * slope[..., None])[..., None] * self.moves.T[:, None]
        return spike, np.concatenate([own.reshape(dies, out, samples, -1), by_bias], 3), by_time

    def _taken_apart(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        dies, out, inputs = self.shape
        return x[:, : out * inputs].reshape(dies, out, inputs), self.nominal.bias_v + x[:, out * inputs :] @ self.moves


@dataclass(frozen=True, eq=False)
class Whole:
    """The layers of dies as one vector each."""

    parts: Sequence[_Part]

    @classmethod
    def of(cls, circuits: Sequence[LayerCircuit], estimates: Sequence[Estimate], nominal: Program, freedom: Freedom) -> Whole:
        layers = zip(circuits, estimates, nominal, strict=True)
        return cls([_Part(c, c.as_made(e.unknown), layer, freedom) for c, e, layer in layers])

    def vector(self, program: Program) -> FloatArray:
        """Of a program of the dies, [dies, unknowns]."""
        return np.concatenate([part.vector(layer) for part, layer in zip(self.parts, program, strict=True)], 1)

    def program(self, x: FloatArray) -> Program:
        return tuple(part.program(own) for part, own in zip(self.parts, self._by_layer(x), strict=True))

    def ends(self) -> tuple[FloatArray, FloatArray]:
        """The least and the most, [dies, unknowns]."""
        low, high = zip(*(part.ends() for part in self.parts), strict=True)
        return np.concatenate(low, 1), np.concatenate(high, 1)

    def snapped(self, x: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The nearest that devices give, and whether that is another."""
        found = [part.snapped(own) for part, own in zip(self.parts, self._by_layer(x), strict=True)]
        there, other = zip(*found, strict=True)
        return np.concatenate(there, 1), np.concatenate(other, 1)

    def fire(
        self, x: FloatArray, samples: FloatArray, seen: Sequence[FloatArray] | None = None
    ) -> tuple[list[FloatArray], list[FloatArray]]:
        """Spikes of every layer [dies, out, samples], later than 1 where they come too late, and their derivatives by x.

        Args:
            samples: inputs [samples, in] in phases.
            seen: what a chip was seen to send, [dies, samples, out] of every layer; then the derivatives are at those spikes, and
                what they go on by to the next layer.
        """
        times = np.broadcast_to(samples, (len(x), *samples.shape))
        spikes, slopes, before = list[FloatArray](), list[FloatArray](), None
        for number, (part, own) in enumerate(zip(self.parts, self._by_layer(x), strict=True)):
            spike, by_own, by_time = part.fire(own, times)
            if before is not None:
                by_own = np.concatenate([np.einsum("dksi,disx->dksx", by_time, before, optimize=True), by_own], 3)
            spikes.append(spike)
            slopes.append(by_own)
            times = np.minimum(spike, 1.0).swapaxes(1, 2) if seen is None else seen[number]
            before = by_own * (times.swapaxes(1, 2) < 1.0)[..., None]
        return spikes, [np.pad(s, ((0, 0),) * 3 + ((0, x.shape[1] - s.shape[3]),)) for s in slopes]

    @cached_property
    def is_line(self) -> NDArray[np.bool_]:
        """Which of the unknowns are biases."""
        return np.concatenate([np.arange(part.size) >= part.nominal.sign.size for part in self.parts])

    def place(self, number: int) -> slice:
        """Where a layer, counted from 0, stands in the vectors."""
        start = sum(part.size for part in self.parts[:number])
        return slice(start, start + self.parts[number].size)

    def with_lines_on_steps(self, x: FloatArray) -> FloatArray:
        """The biases on the nearest steps of their converters."""
        layers = zip(self.parts, self._by_layer(x), strict=True)
        return np.concatenate([part.with_lines_on_steps(own) for part, own in layers], 1)

    def _by_layer(self, x: FloatArray) -> list[FloatArray]:
        return np.split(x, np.cumsum([part.size for part in self.parts])[:-1], 1)
