"""Dies of a classifier that its model draws, calibrated: `python -m benchmarks.classifier_dies RUN [--dies 3]`.

RUN holds a trained network (`cosim train designs/digits_64_32_10.toml`). A die is calibrated by the patterns of the design's
section [calibration], and then gets every test image. Each adds a line to benchmarks/results/classifier_dies.csv; the same
command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from benchmarks.command import check_has, exit_code
from benchmarks.dies import nominal_of
from benchmarks.figure import Figure, machine
from cosim.bench.lines import rms
from cosim.calibration.dies import Judged, settings_of
from cosim.calibration.nominal import Nominal
from cosim.design import Design, load_design
from training.calibration.calibrate import calibrate
from training.calibration.chip import ModelDie
from training.study.table import GrowingTable

TABLE = Path(__file__).parent / "results" / "classifier_dies.csv"
COLUMNS = (
    "design", "biases", "die", "patterns", "images", "nominal_accuracy", "before_accuracy", "after_accuracy", "after_labels",
    "before_rmse_s", "after_rmse_s", "cpu_s", "revision", "day",
)  # fmt: skip
OWN, SHARED = "own", "codes alone"


def figures(design: str) -> Iterator[Figure]:
    """Those of the dies of a design that are stored; none where there are none."""
    found = GrowingTable(TABLE, COLUMNS).rows() if TABLE.exists() else []
    rows = pd.DataFrame([row for row in found if row["design"] == design and row["biases"] == OWN], columns=list(COLUMNS))
    if not len(rows):
        return
    numbers = rows.drop(columns=["design", "biases", "revision", "day"]).astype(float)
    many, patterns = f"{len(rows)} dies of the model, {numbers.images.iloc[0]:.0f} images each", numbers.patterns.iloc[0]
    yield Figure(
        "digits.mismatch_accuracy", numbers.after_accuracy.mean(), "", "at least 0.97",
        f"{many}, calibrated by {patterns:.0f} patterns: worst {numbers.after_accuracy.min():.4f}; as made "
        f"{numbers.before_accuracy.mean():.4f}, nominal {numbers.nominal_accuracy.iloc[0]:.4f}",
    )  # fmt: skip
    yield Figure(
        "digits.calibrated_rmse_s", rms(numbers.after_rmse_s), "s", "",
        f"{many}; as made {rms(numbers.before_rmse_s):.3g} s, {numbers.cpu_s.mean():.0f} s of CPU a die",
    )  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classifier_dies", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("run", type=Path, help="run directory of a trained network")
    parser.add_argument("--dies", type=int, default=3, help="so many in all, those that are in the table included")
    parser.add_argument("--codes-alone", action="store_true", help="dischargers share a line, as they do in the design")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    arguments = parser.parse_args(words)
    table, console = GrowingTable(arguments.table, COLUMNS), Console(stderr=True)
    return exit_code(lambda: _calibrate(arguments.run, arguments.dies, arguments.codes_alone, table, console))


def _calibrate(run: Path, dies: int, codes_alone: bool, table: GrowingTable, console: Console) -> None:
    check_has(run, "design.toml", "hardware.json", "network.safetensors", made_by="cosim train designs/NAME.toml")
    design, nominal = load_design(run / "design.toml"), nominal_of(run, all_tests=True)
    biases, revision = SHARED if codes_alone else OWN, dict(machine(()))["revision"]
    done = {int(row["die"]) for row in table.rows() if (row["design"], row["biases"]) == (design.name, biases)}
    with Progress(console=console) as progress:
        asked = [die for die in range(1, dies + 1) if die not in done]
        for die in progress.track(asked, description=f"{design.name}, die by die"):
            row = {"design": design.name, "biases": biases, **row_of_die(design, nominal, die, codes_alone=codes_alone)}
            table.append({**row, "revision": revision, "day": f"{datetime.now(UTC):%Y-%m-%d}"})


def row_of_die(design: Design, nominal: Nominal, die: int, *, codes_alone: bool) -> dict[str, Any]:
    """A die of the model before and after its calibration, on all test images."""
    chip = ModelDie.drawn(nominal.circuits, [len(layer.bias_v) for layer in nominal.program], die)
    settings = settings_of(design.calibration, not codes_alone, nominal.phase_s)
    before = time.process_time()
    found = calibrate([chip], nominal.circuits, nominal.program, nominal.samples, settings)
    spent = time.process_time() - before
    programs = (nominal.program, tuple(layer.die(0) for layer in found.program))
    made, set_right = (Judged.of(chip.observe(program, nominal.tests), nominal) for program in programs)
    return {
        "die": die, "patterns": sum(own.shape[1] for own in found.patterns), "images": len(nominal.tests),
        "nominal_accuracy": Judged.of(nominal.wanted, nominal).accuracy, "before_accuracy": made.accuracy,
        "after_accuracy": set_right.accuracy, "after_labels": set_right.labels, "before_rmse_s": made.rmse_s,
        "after_rmse_s": set_right.rmse_s, "cpu_s": round(spent, 1),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
