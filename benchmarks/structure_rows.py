"""Networks whose weights have a structure: `python -m benchmarks.structure_rows NAME... --data FOLDER`.

784-400-400-10 on 10 000 images of Fashion-MNIST, six epochs, the whole test set, |E| = 3.3 and spike-time noise of 0.01 as in the
reduced row of benchmarks.accuracy: what a processor does in a minute. Each training adds a line to
benchmarks/results/structures.rows.csv, and the same command goes on where it was stopped. A row is a structure, or `dense`.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.command import exit_code
from training.checkpoint import continued
from training.data.catalogue import load
from training.data.spikes import SpikeData, reduced
from training.evaluation import accuracy
from training.hardware import NormalisedModel
from training.models import convolutional, fully_connected
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.storage import save_networks
from training.structures.code import FLOAT_BITS, Compression, save_code
from training.structures.network import encode, put_structure, settle
from training.structures.plan import NAMED, AnyStructure, MasksPlan
from training.structures.spike_times import with_counters
from training.structures.spike_vectors import with_vectors
from training.structures.structure import advance
from training.study.table import GrowingTable
from training.trainer import Epoch, train

TABLE = Path(__file__).parent / "results" / "structures.rows.csv"
RUNS = Path("runs/structures")
COLUMNS = (
    "structure", "dataset", "network", "train_samples", "epochs", "seed", "test_accuracy", "bits_per_weight", "compression",
    "compression_with_table", "whole_network_compression", "coded_weights", "weights", "devices", "train_cpu_s", "command",
)  # fmt: skip

SAMPLES, HIDDEN, REVERSAL, NOISE = 10_000, (400, 400), 3.3, 0.01
RECIPE = Recipe(
    epochs=6, batch=50, learning_rate=2e-3, schedule="one_cycle", noise_in_evaluation=True, temporal_penalty=0.0,
    weight_penalty=0.0, early_spike_penalty=0.0, spike_time_noise=NOISE,
)  # fmt: skip


SPREAD = 0.7
"""Of the first weights of convolutional rows, as in benchmarks.accuracy: small ones take most of the epochs to grow."""


@dataclass(frozen=True)
class Picture:
    """A convolutional network: on which pictures, on how many of them for how long and at what rate."""

    dataset: str
    pool: int
    samples: int
    epochs: int
    learning_rate: float
    channels: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]


SMALL = Picture("fashion-mnist", 2, 10_000, 12, 6e-3, ((16,), (32,)), (64,))
"""What a processor trains in minutes."""

CIFAR = Picture("cifar-10", 1, 50_000, 50, 2e-3, ((64, 64), (128, 128), (256, 256)), (512,))
"""The published 8-layer network: for a GPU."""


@dataclass(frozen=True)
class Row:
    """A structure of the weights, or so many bits of the spike times, or words of so many bits of so many of them, or nothing."""

    plan: AnyStructure | None = None
    spike_bits: int = 0
    vector: tuple[int, int] | None = None
    trained: bool = True
    picture: Picture | None = None


ROWS = {
    "dense": Row(),
    "ternary_8_2": Row(NAMED["ternary_8_2"].model_copy(update={"layers": "inner"})),
    "ternary_16_4": Row(NAMED["ternary_16_4"].model_copy(update={"layers": "inner"})),
    "ternary_8_2_all": Row(NAMED["ternary_8_2"]),
    **{name: Row(plan) for name, plan in NAMED.items() if plan.kind not in ("ternary", "levels", "factors")},
    "fixed_topology": Row(MasksPlan(learn=""), trained=False),
    **{f"spike_{bits}bit": Row(spike_bits=bits) for bits in (4, 6, 8)},
    "spike_vectors_2bit": Row(vector=(8, 4)),
    **{
        f"{prefix}_{name}": Row(NAMED.get(plan), picture=picture)
        for prefix, picture in (("cnn", SMALL), ("cifar", CIFAR))
        for name, plan in (
            ("dense", ""),
            ("block_toeplitz", "block_toeplitz"),
            ("commuting_pairs", "commuting_pairs"),
            ("ternary_8_2", "ternary_8_2"),
        )
    },
}


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    arguments = _parser().parse_args(words)
    torch.set_num_threads(1)
    return exit_code(lambda: _train(arguments))


def _train(asked: argparse.Namespace) -> None:
    """Add the rows that are asked for and not there."""
    console, table = Console(stderr=True), GrowingTable(asked.table, COLUMNS)
    for name, seed in itertools.product(asked.rows, asked.seeds):
        if any((row["structure"], row["seed"]) == (name, str(seed)) for row in table.rows()):
            continue
        say = partial(_say, console, name, seed)
        line = perform(name, seed, _data(ROWS[name], asked.data), asked.runs, say, asked.device)
        table.append(line)
        console.print(f"{name}, seed {seed}: {line['test_accuracy']:.4f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure_rows", description=__doc__)
    parser.add_argument("rows", nargs="+", choices=sorted(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--data", type=Path, help="folder of the official files; downloaded where not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=RUNS, help="networks, codes and checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    return parser


def _say(console: Console, name: str, seed: int, epoch: Epoch) -> None:
    console.print(f"{name}, seed {seed}: epoch {epoch.epoch}, loss {epoch.loss:.4f}, training {epoch.train_accuracy:.4f}")


@lru_cache(maxsize=2)
def _loaded(dataset: str, folder: Path | None) -> SpikeData:
    return load(dataset, folder)


def _data(row: Row, folder: Path | None) -> SpikeData:
    if row.picture is None:
        return reduced(_loaded("fashion-mnist", folder), SAMPLES)
    data = reduced(_loaded(row.picture.dataset, folder), row.picture.samples)
    return data.pooled(row.picture.pool).as_images()


def untrained(row: Row, data: SpikeData) -> RCSpikeNetwork:
    """The network of a row."""
    model, picture = NormalisedModel.constant(REVERSAL, -REVERSAL), row.picture
    if picture is None:
        network = fully_connected(data.inputs, data.classes, model, hidden=HIDDEN)
    else:
        assert data.image is not None
        how: dict[str, Any] = {"channels": picture.channels, "hidden": picture.hidden, "solver": "dstd", "steps": 4}
        network = convolutional(data.image, data.classes, model, **how)
    if row.plan is not None:
        put_structure(network, row.plan)
    if row.vector is not None:
        return with_vectors(network, *row.vector)
    return with_counters(network, row.spike_bits) if row.spike_bits else network


def _recipe(row: Row) -> Recipe:
    if (picture := row.picture) is None:
        return RECIPE
    return RECIPE.but(epochs=picture.epochs, learning_rate=picture.learning_rate, initial_spread=SPREAD)


def perform(name: str, seed: int, data: SpikeData, runs: Path, say: partial[None], device: str = "cpu") -> dict[str, object]:
    """Train and evaluate one row with one seed; leaves network and code in the folder `runs`."""
    row = ROWS[name]
    recipe = _recipe(row).but(seed=seed)
    network, started = untrained(row, data).to(device), time.process_time()
    data = data if device == "cpu" else data.to(torch.device(device))
    if row.trained:
        checkpoint = runs / "checkpoints" / f"{name}-{seed}.safetensors"
        work = partial(train, network, data, recipe, say, checkpoint, evaluate_every=None, checkpoint_every=1)
        continued(work, checkpoint)
    else:
        network.reset_parameters(torch.Generator().manual_seed(seed), recipe.initial_spread)
    spent, noise = time.process_time() - started, torch.Generator(device).manual_seed(seed)
    advance(network, 1.0)
    found = accuracy(network, data.test_t, data.test_labels, data.classes, generator=noise)
    codes = encode(network.cpu())
    settle(network)
    save_code(runs / f"{name}-{seed}.code.safetensors", codes)
    save_networks(runs / f"{name}-{seed}.safetensors", {"ode": network}, {})
    weights = sum(layer.weight.numel() for layer in network)
    line: dict[str, object] = {
        "structure": name, "dataset": row.picture.dataset if row.picture else "fashion-mnist",
        "network": "-".join(map(str, network.sizes)),
        "train_samples": len(data.train_labels), "epochs": recipe.epochs, "seed": seed, "test_accuracy": found,
        "bits_per_weight": float(FLOAT_BITS), "compression": 1.0, "compression_with_table": 1.0,
        "whole_network_compression": 1.0, "coded_weights": 0, "weights": weights,
        "devices": network.devices(),
        "train_cpu_s": spent, "command": shlex.join(["python", "-m", "benchmarks.structure_rows", name]),
    }  # fmt: skip
    if row.plan is not None:
        took = Compression.of(codes)
        line |= {
            "bits_per_weight": took.bits_per_weight, "compression": took.ratio, "coded_weights": took.coded_weights,
            "compression_with_table": took.ratio_with_table, "whole_network_compression": took.whole_ratio,
        }  # fmt: skip
    return line


if __name__ == "__main__":
    sys.exit(main())
