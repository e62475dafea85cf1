"""One die of a classifier in ngspice, calibrated by its spikes: `python -m benchmarks.classifier_chip RUN --patterns 8+4`.

RUN holds a trained network (`cosim train designs/digits_64_32_10.toml`, with own_discharger_bias = true under [neuron]). The die
is measured column by column, as [calibration] of its design says, and set. Then it gets --images test images in ngspice; and what
was found of its devices says how all test images would be classified, as it was made and as it is set: dies that the estimate
allows are drawn, since the right one is not known. A line goes to benchmarks/results/classifier_chip.csv; simulations are kept in
RUN, and the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import check_has, exit_code
from benchmarks.dies import nominal_of
from benchmarks.figure import Figure, machine
from cosim.calibration.dies import Judged, told
from cosim.calibration.nominal import Nominal
from cosim.pipeline.calibrate import Asked, circuit_chip, prepared, settings_for
from cosim.runs.progress import Monitor
from training.calibration.calibrate import Calibrated, calibrate
from training.calibration.chip import NoisyChip, sent
from training.calibration.program import Program
from training.hardware import FloatArray, HardwareModel
from training.study.table import GrowingTable

TABLE = Path(__file__).parent / "results" / "classifier_chip.csv"
COLUMNS = (
    "design", "die", "patterns", "images", "rmse_s", "hidden_rmse_s", "labels", "accuracy", "expected_rmse_s", "used_share",
    "misfit", "all_images", "nominal_accuracy", "made_accuracy", "set_accuracy", "set_accuracy_low", "set_labels", "revision",
    "day",
)  # fmt: skip
DRAWS = 20
"""Dies that the estimate allows."""


def figures() -> Iterator[Figure]:
    """Those of the line that was added last; none where there is none."""
    rows = GrowingTable(TABLE, COLUMNS).rows() if TABLE.exists() else []
    if not rows:
        return
    row = rows[-1]
    named = {name: float(row[name]) for name in COLUMNS if name not in ("design", "revision", "day")}
    how = f"{row['design']}, die {row['die']} in ngspice column by column, {row['patterns']} patterns, {row['day']}"
    seen, asked = f"{row['images']} images in ngspice", f"{row['all_images']} images on {DRAWS} dies that its estimate allows"
    yield Figure(
        "dies.classifier_rmse_s", named["rmse_s"], "s", "",
        f"{how}; {seen}, hidden {named['hidden_rmse_s']:.3g} s, expected {named['expected_rmse_s']:.3g} s",
    )  # fmt: skip
    yield Figure("dies.classifier_labels", named["labels"], "", "", f"as nominal, {seen}; {how}")
    yield Figure(
        "dies.classifier_accuracy", named["set_accuracy"], "", f"at least {named['nominal_accuracy'] - 0.005:.4f}",
        f"{asked}, the worst {named['set_accuracy_low']:.4f}; as made {named['made_accuracy']:.4f}, "
        f"nominal {named['nominal_accuracy']:.4f}; {how}",
    )  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input, 3 where a simulation failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classifier_chip", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("run", type=Path, help="run directory of a trained network")
    parser.add_argument("--die", type=int, default=1, help="its seed")
    parser.add_argument("--patterns", default="", help="of each round, such as 8+4, instead of calibration.patterns")
    parser.add_argument("--images", type=int, default=2, help="test images, the first ones, in ngspice")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--table", type=Path, default=TABLE, help="where the line is added")
    arguments = parser.parse_args(words)
    return exit_code(lambda: _measure(arguments))


def _measure(asked: argparse.Namespace) -> None:
    file = asked.run / "design.toml"
    check_has(asked.run, "design.toml", "hardware.json", "network.safetensors", made_by="cosim train designs/NAME.toml")
    every = nominal_of(asked.run, all_tests=True)
    with prepared(file, asked.run, asked.jobs, "", Monitor(), "", samples=asked.images) as (space, bench, nominal):
        design = Asked(asked.patterns).of(space.design)
        chip = circuit_chip(bench, bench.cells_of_layers(HardwareModel.load(space.run / "hardware.json")), asked.die)
        settings = settings_for(design, nominal)
        seen = NoisyChip(chip, settings.jitter, asked.die)
        found = calibrate([seen], nominal.circuits, nominal.program, nominal.samples, settings)
        program = tuple(layer.die(0) for layer in found.program)
        judged = Judged.of(chip.observe(program, nominal.tests), nominal)
    row = {"design": design.name, "die": asked.die, "images": len(nominal.tests)}
    row["patterns"] = sum(own.shape[1] for own in found.patterns)
    row |= {**told(found, nominal), **vars(judged), **on_all(found, program, every)}
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    GrowingTable(asked.table, COLUMNS).append({**row, "revision": dict(machine(()))["revision"], "day": day})


def on_all(found: Calibrated, program: Program, every: Nominal, draws: int = DRAWS) -> dict[str, Any]:
    """How all test images are classified by dies that the estimate allows: as made, and set to `program`."""
    made, set_right = (
        [Judged.of(spikes, every) for spikes in _sent_by(found, own, every, draws)] for own in (every.program, program)
    )
    accuracies = [one.accuracy for one in set_right]
    return {
        "all_images": len(every.tests), "nominal_accuracy": Judged.of(every.wanted, every).accuracy,
        "made_accuracy": float(np.mean([one.accuracy for one in made])), "set_accuracy": float(np.mean(accuracies)),
        "set_accuracy_low": min(accuracies), "set_labels": float(np.mean([one.labels for one in set_right])),
    }  # fmt: skip


def _sent_by(found: Calibrated, program: Program, every: Nominal, draws: int) -> Iterator[list[FloatArray]]:
    """What dies that the estimate allows send for all test inputs, one die after another."""
    draw = np.random.default_rng(0)
    for _ in range(draws):
        unknown = [estimate.allowed(1, draw) for estimate in found.estimates]
        yield [spikes[0] for spikes in sent(every.circuits, unknown, tuple(one.of_dies(1) for one in program), every.tests[None])]


if __name__ == "__main__":
    sys.exit(main())
