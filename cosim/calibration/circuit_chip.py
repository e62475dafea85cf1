"""A chip that is a circuit: a mismatch die in ngspice, column by column, of which the spikes alone are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.bench.bench import Accuracy, Bench
from cosim.errors import CosimError
from cosim.mapping.engine import engine_of, simulate_networks
from cosim.mapping.network import MappedNetwork, NetworkRun
from netlists.crossbar import Cells
from netlists.network import layer_name
from netlists.synapse import SynapseSetting
from training.calibration.program import LayerProgram, Program
from training.hardware import FloatArray


class DieFailedError(CosimError):
    """A simulation of a die failed: nothing is known of the die."""

    exit_code = 3


@dataclass(frozen=True, eq=False)
class CircuitChip:
    """See `training.calibration.chip.Chip`.

    Attributes:
        cells: of each layer.
        die: the seed of its mismatch; None is the nominal circuit.
        loosely: `cosim.mapping.network.NetworkRun`.
    """

    bench: Bench
    cells: Sequence[Cells]
    die: int | None
    accuracy: Accuracy
    loosely: float = 1.0

    def observe(self, program: Program, patterns: FloatArray) -> list[FloatArray]:
        """Raises `DieFailedError` where a simulation failed."""
        mapped = mapped_program(program)
        condition = {"die": self.die, "corner": str(self.bench.design.process.corner), "reltol": self.accuracy.reltol}
        runs = [
            NetworkRun(mapped, times, {"pattern": number, **condition}, self.accuracy, self.die, loosely=self.loosely)
            for number, times in enumerate(patterns)
        ]
        rows = simulate_networks(self.bench, self.cells, runs, engine_of(self.bench.design))
        found = [row for row in rows if row is not None]
        if len(found) < len(rows):
            raise DieFailedError(f"die {self.die}: {len(rows) - len(found)} of {len(rows)} patterns could not be simulated")
        phase = self.cells[0].timing.phase_s
        names = [f"{layer_name(layer)}_spike_s" for layer in range(1, len(self.cells) + 1)]
        return [np.stack([row[name] for row in found]) / phase for name in names]


def mapped_program(program: Program) -> MappedNetwork:
    """Codes and biases as the netlist takes them."""
    biases = tuple(tuple(float(bias) for bias in layer.bias_v) for layer in program)
    return MappedNetwork("calibration", tuple(map(_settings, program)), biases_v=biases)


def _settings(layer: LayerProgram) -> tuple[tuple[SynapseSetting | None, ...], ...]:
    return tuple(
        tuple(
            SynapseSetting(1 if sign > 0 else -1, float(code)) if sign else None for sign, code in zip(signs, codes, strict=True)
        )
        for signs, codes in zip(layer.sign, layer.code_v, strict=True)
    )
