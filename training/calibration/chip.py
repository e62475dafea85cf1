"""What a chip is to a calibration: something that is set to a program and shows its spikes; and a chip that is the model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.calibration.circuit import LayerCircuit, Rows
from training.calibration.program import LayerProgram, Program
from training.hardware import FloatArray


class Chip(Protocol):
    """One die."""

    def observe(self, program: Program, patterns: FloatArray) -> list[FloatArray]:
        """Spikes of every layer [patterns, out] after the start of its firing phase, in phases (1: none), of a die that is set to
        `program`, for input spikes [patterns, in] in phases (1 or more: none)."""
        ...


@dataclass(frozen=True)
class ModelDie:
    """A die of the model: how far its neurons are off, of every layer [out, unknowns] (`training.calibration.circuit`)."""

    circuits: Sequence[LayerCircuit]
    unknown: Sequence[FloatArray]

    @classmethod
    def drawn(cls, circuits: Sequence[LayerCircuit], outputs: Sequence[int], seed: int) -> ModelDie:
        """A die off by the prior of its circuits; the same seed is the same die."""
        draw = np.random.default_rng(seed)
        return cls(circuits, [draw.standard_normal((n, c.unknowns)) for n, c in zip(outputs, circuits, strict=True)])

    def observe(self, program: Program, patterns: FloatArray) -> list[FloatArray]:
        alone = tuple(layer.of_dies(1) for layer in program)
        return [spikes[0] for spikes in sent(self.circuits, [own[None] for own in self.unknown], alone, patterns[None])]


@dataclass
class NoisyChip:
    """A chip whose spikes are seen with a jitter, rms in phases. Its own layers get them as they are, what is silent stays so."""

    chip: Chip
    jitter: float
    seed: int = 0

    def __post_init__(self) -> None:
        self._noise = np.random.default_rng([self.seed, 1])

    def observe(self, program: Program, patterns: FloatArray) -> list[FloatArray]:
        return [self._seen(spikes) for spikes in self.chip.observe(program, patterns)]

    def _seen(self, spikes: FloatArray) -> FloatArray:
        moved = np.clip(spikes + self.jitter * self._noise.standard_normal(spikes.shape), 0.0, 1.0)
        return np.where(spikes < 1.0, moved, 1.0)


def sent(
    circuits: Sequence[LayerCircuit], unknown: Sequence[FloatArray], program: Program, patterns: FloatArray
) -> list[FloatArray]:
    """What the layers of dies send: [dies, patterns, out] of every layer, in phases; 1: none.

    Args:
        unknown: of every layer, [dies, out, unknowns].
        program: of that many dies.
        patterns: input spikes, [dies, patterns, in].
    """
    found, times = list[FloatArray](), patterns
    for circuit, own, layer in zip(circuits, unknown, program, strict=True):
        times = np.minimum(layer_spikes(circuit, own, layer, times), 1.0)
        found.append(times)
    return found


def ideal(circuits: Sequence[LayerCircuit], nominal: Program, samples: FloatArray) -> list[FloatArray]:
    """What a die without mismatch sends, [samples, out] of every layer."""
    nothing = [np.zeros((1, *layer.bias_v.shape, c.unknowns)) for c, layer in zip(circuits, nominal, strict=True)]
    return [spikes[0] for spikes in sent(circuits, nothing, tuple(layer.of_dies(1) for layer in nominal), samples[None])]


def layer_spikes(circuit: LayerCircuit, unknown: FloatArray, layer: LayerProgram, times: FloatArray) -> FloatArray:
    """Spikes of a layer of dies, [dies, patterns, out], later than 1 where they come too late."""
    dies, out = unknown.shape[:2]
    spikes = circuit.spikes(repeated(unknown, times.shape[1]), Rows.of(layer, times))
    return spikes.reshape(dies, out, -1).swapaxes(1, 2)


def repeated(unknown: FloatArray, patterns: int) -> FloatArray:
    """[dies, out, unknowns] for the rows of `Rows.of`, [rows, unknowns]."""
    return np.repeat(unknown.reshape(-1, unknown.shape[-1]), patterns, axis=0)
