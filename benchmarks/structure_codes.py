"""Codes on the steps of a coarse converter, chosen for what the circuit sends: `python -m benchmarks.structure_codes RUN`.

RUN is a run directory as `python -m benchmarks.dies` takes it. Codes and biases of the nominal circuit, of dies that are
identified from their spikes in ngspice, and of dies of the model go onto steps in three ways: each to the nearest, by single
changes on the errors of every neuron's spikes, and annealed as `cosim calibrate` does, layer by layer and then all codes together
on what the outputs are off by. Each adds a line to benchmarks/results/structures.codes.csv, with the errors that are then seen;
the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.command import check_has, exit_code
from benchmarks.dies import nominal_of
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.calibration.circuit_chip import CircuitChip
from cosim.calibration.dies import Judged, settings_of
from cosim.calibration.nominal import Nominal
from cosim.design import load_design
from cosim.pipeline.calibrate import circuit_chip
from cosim.simulator import Store, WorkerPool
from training.calibration.calibrate import Settings, calibrate
from training.calibration.chip import ModelDie, NoisyChip, ideal, layer_spikes, sent
from training.calibration.identify import Estimate
from training.calibration.program import LayerProgram, Program
from training.calibration.reach import Freedom
from training.calibration.reprogram import reprogram
from training.calibration.steps import Way, by_single_changes, nearest, on_steps
from training.hardware import FloatArray, HardwareModel
from training.study.table import GrowingTable

TABLE = Path(__file__).parent / "results" / "structures.codes.csv"
COLUMNS = ("die", "way", "step_v", "judged", "rmse_s", "hidden_rmse_s", "labels", "command")
MODEL_DIES = 10


WAYS: dict[str, Way | None] = {"nearest": nearest, "greedy": by_single_changes, "annealed": None}
"""The last as dies are programmed (`reprogram`)."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure_codes", description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of a design with own_discharger_bias = true")
    parser.add_argument("--dies", type=int, nargs="*", default=[1], help="in ngspice, beside the nominal circuit")
    parser.add_argument("--step", type=float, default=3e-3, help="of the converters (V)")
    parser.add_argument("--flowers", type=int, default=6, help="simulated of each; 0: dies of the model alone")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    arguments = parser.parse_args(words)
    return exit_code(lambda: _judge(arguments))


def _judge(asked: argparse.Namespace) -> None:
    """Add the lines that are not there."""
    check_has(asked.run, "design.toml", "hardware.json", "network.safetensors", made_by="cosim train designs/NAME.toml")
    study = Study(nominal_of(asked.run), asked.step, GrowingTable(asked.table, COLUMNS))
    study.of_the_model()
    if not asked.flowers:
        return
    design, hardware = load_design(asked.run / "design.toml"), HardwareModel.load(asked.run / "hardware.json")
    with Store(asked.run / "points.sqlite") as store, WorkerPool(jobs=1, timeout_s=design.accuracy.timeout_s) as pool:
        bench = Bench(design, design.process.pdk(), store, jobs=1, pool=pool)
        settings = settings_of(design.calibration, True, study.nominal.phase_s)
        for die in (None, *asked.dies):
            chip = circuit_chip(bench, bench.cells_of_layers(hardware), die)
            study.of_the_circuit(chip, f"ngspice, die {die}" if die else "ngspice, nominal", settings, asked.flowers)


@dataclass(frozen=True)
class Study:
    """One network on converters of one step."""

    nominal: Nominal
    step_v: float
    table: GrowingTable

    def of_the_model(self) -> None:
        """Dies of the model whose devices are known."""
        name, outputs = f"model, {MODEL_DIES} dies", [len(layer.bias_v) for layer in self.nominal.program]
        if not (missing := self._missing(name)):
            return
        dies = [ModelDie.drawn(self.nominal.circuits, outputs, seed) for seed in range(1, MODEL_DIES + 1)]
        unknown = [np.stack([die.unknown[layer] for die in dies]) for layer in range(len(outputs))]
        for way, program in self._programs(unknown, missing):
            tests = np.broadcast_to(self.nominal.tests, (len(dies), *self.nominal.tests.shape))
            sent_by = sent(self.nominal.circuits, unknown, program, tests)
            self._add(name, way, [Judged.of([own[k] for own in sent_by], self.nominal) for k in range(len(dies))], len(dies))

    def of_the_circuit(self, chip: CircuitChip, name: str, settings: Settings, flowers: int) -> None:
        """The nominal circuit, or a die of it that is identified from its spikes."""
        if not (missing := self._missing(name)):
            return
        circuits, program = self.nominal.circuits, self.nominal.program
        unknown = [np.zeros((1, len(layer.bias_v), own.unknowns)) for own, layer in zip(circuits, program, strict=True)]
        if chip.die is not None:
            seen = NoisyChip(chip, settings.jitter, chip.die) if settings.jitter else chip
            found = calibrate([seen], circuits, program, self.nominal.samples, settings)
            unknown = [estimate.unknown for estimate in found.estimates]
        few = replace(
            self.nominal, tests=self.nominal.tests[:flowers], labels=self.nominal.labels[:flowers],
            wanted=[own[:flowers] for own in self.nominal.wanted],
        )  # fmt: skip
        for way, own in self._programs(unknown, missing):
            spikes = chip.observe(tuple(layer.die(0) for layer in own), few.tests)
            self._add(name, way, [Judged.of(spikes, few)], flowers)

    def _missing(self, name: str) -> list[str]:
        done = {row["way"] for row in self.table.rows() if (row["die"], float(row["step_v"])) == (name, self.step_v)}
        return [way for way in WAYS if way not in done]

    def _programs(self, unknown: Sequence[FloatArray], ways: Sequence[str]) -> Iterator[tuple[str, Program]]:
        """What dies that are off like this are set to."""
        dies, known = len(unknown[0]), [Estimate(own, np.zeros((*own.shape, own.shape[-1]))) for own in unknown]
        circuits, samples = self.nominal.circuits, self.nominal.samples
        wanted = ideal(circuits, self.nominal.program, samples)
        asked, freedom = (circuits, known, self.nominal.program, samples, wanted), Freedom(True, self.step_v)
        free = reprogram(*asked, Freedom(own_biases=True))
        for name in ways:
            if (way := WAYS[name]) is None:
                yield name, reprogram(*asked, freedom)
                continue
            times, found = np.broadcast_to(samples, (dies, *samples.shape)), list[LayerProgram]()
            for circuit, own, layer in zip(circuits, unknown, free, strict=True):
                found.append(on_steps(circuit, own, layer, times, freedom, (way,)))
                times = np.minimum(layer_spikes(circuit, own, found[-1], times), 1.0)
            yield name, tuple(found)

    def _add(self, name: str, way: str, judged: Sequence[Judged], count: int) -> None:
        self.table.append(
            {
                "die": name, "way": way, "step_v": self.step_v, "judged": count,
                "rmse_s": rms(np.array([one.rmse_s for one in judged])),
                "hidden_rmse_s": rms(np.array([one.hidden_rmse_s for one in judged])),
                "labels": float(np.mean([one.labels for one in judged])), "command": "python -m benchmarks.structure_codes",
            }
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
