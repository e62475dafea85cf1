"""A classifier trained from one seed after another: `python -m benchmarks.classifier_seeds RUN [--seeds 3] [--held-out]`.

RUN holds a characterised design (`cosim train designs/digits_64_32_10.toml`). Each training adds a line to
benchmarks/results/classifier_seeds.csv: the last epoch's accuracy on the test images or, with `--held-out`, on a fifth of the
training images, which then are not trained on. A recipe is chosen by the latter. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.progress import Progress

from benchmarks.command import check_has, exit_code
from benchmarks.figure import Figure, machine
from cosim.design import Design, load_design
from cosim.networks.training import ODE, recipe_of, spike_data, untrained_network
from training.checkpoint import continued
from training.data.names import network_shape
from training.data.spikes import SpikeData, held_out
from training.evaluation import evaluate
from training.hardware import HardwareModel
from training.study.table import GrowingTable
from training.trainer import History, train
from training.trainer import Progress as Tell

TABLE = Path(__file__).parent / "results" / "classifier_seeds.csv"
COLUMNS = ("design", "recipe", "seed", "judged_on", "images", "accuracy", "revision", "day")
TEST, HELD_OUT = "test images", "held-out training images"
HELD_OUT_SHARE = 5
"""One in so many training images is held out."""


def figures(design: str) -> Iterator[Figure]:
    """Mean and best test accuracy of a design over its stored seeds, of the recipe that was stored last; none without any."""
    found = GrowingTable(TABLE, COLUMNS).rows() if TABLE.exists() else []
    rows = pd.DataFrame([row for row in found if row["design"] == design], columns=list(COLUMNS))
    of_test = rows[rows.judged_on == TEST]
    if not len(of_test):
        return
    own = rows[rows.recipe == of_test.recipe.iloc[-1]]
    test, chosen = (own[own.judged_on == where].accuracy.astype(float) for where in (TEST, HELD_OUT))
    spread = f", sd {test.std():.4f}" if len(test) > 1 else ""
    held = f"; {chosen.mean():.4f} of held-out training images ({len(chosen)} seeds)" if len(chosen) else ""
    told = f"{own[own.judged_on == TEST].images.iloc[0]} test images, {len(test)} seeds{spread}{held}"
    yield Figure("digits.accuracy_model", test.mean(), "", "at least 0.981", told)
    yield Figure("digits.accuracy_model_best", test.max(), "", "at least 0.986", f"best of {len(test)} seeds")


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classifier_seeds", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("run", type=Path, help="run directory of a characterised design")
    parser.add_argument("--seeds", type=int, default=3, help="so many in all, those that are in the table included")
    parser.add_argument("--held-out", action="store_true", help="judged on a fifth of the training images")
    parser.add_argument("--checkpoints", type=Path, help="an interrupted training goes on from there (RUN/seeds)")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    arguments = parser.parse_args(words)
    folder, table = arguments.checkpoints or arguments.run / "seeds", GrowingTable(arguments.table, COLUMNS)
    console = Console(stderr=True)
    return exit_code(lambda: _train_seeds(arguments.run, arguments.seeds, arguments.held_out, folder, table, console))


def _train_seeds(run: Path, seeds: int, is_held_out: bool, folder: Path, table: GrowingTable, console: Console) -> None:
    check_has(run, "design.toml", "hardware.json", made_by="cosim characterize designs/NAME.toml")
    design, hardware = load_design(run / "design.toml"), HardwareModel.load(run / "hardware.json")
    known = {
        "design": design.name, "recipe": recipe_digest(design, run / "hardware.json"),
        "judged_on": HELD_OUT if is_held_out else TEST,
    }  # fmt: skip
    done = {int(row["seed"]) for row in table.rows() if known.items() <= row.items()}
    asked, revision = [seed for seed in range(seeds) if seed not in done], dict(machine(()))["revision"]
    data = judged_data(design, is_held_out)
    with Progress(console=console) as progress:
        epochs = progress.add_task(f"{design.name}, seed by seed", total=len(asked) * design.training.epochs)
        for seed in asked:
            checkpoint = folder / f"{known['recipe']}_{'held_out' if is_held_out else 'test'}_{seed}.safetensors"
            accuracy = trained_accuracy(design, hardware, data, seed, checkpoint, lambda _: progress.advance(epochs))
            row = {**known, "seed": seed, "images": len(data.test_labels), "accuracy": accuracy}
            table.append({**row, "revision": revision, "day": f"{datetime.now(UTC):%Y-%m-%d}"})


def recipe_digest(design: Design, hardware_file: Path) -> str:
    """Of all that decides what is trained but the seed: the network, the recipe, and the hardware model's file."""
    sections: dict[str, Any] = {
        "network": design.network.model_dump(mode="json"),
        "training": design.training.model_dump(mode="json", exclude={"seed"}),
    }
    told = json.dumps(sections, sort_keys=True).encode()
    return hashlib.sha256(hardware_file.read_bytes() + told).hexdigest()[:12]


def judged_data(design: Design, is_held_out: bool) -> SpikeData:
    """The data of a design, with its test images or with training images in their place."""
    data = spike_data(design.network)
    return held_out(data, len(data.train_labels) // HELD_OUT_SHARE) if is_held_out else data


def trained_accuracy(design: Design, hardware: HardwareModel, data: SpikeData, seed: int, checkpoint: Path, tell: Tell) -> float:
    """Share of the test images that the network of a seed gets right after its last epoch."""
    torch.set_num_threads(1)  # layers of a few neurons are too small for more
    network = untrained_network(ODE, network_shape(design.network), hardware, design.training.conventional_reversal)
    recipe = recipe_of(design.training).but(seed=seed)

    def training() -> History:
        return train(network, data, recipe, tell, checkpoint)

    continued(training, checkpoint)
    return evaluate(network, data.test_t, data.test_labels, data.classes).accuracy


if __name__ == "__main__":
    sys.exit(main())
