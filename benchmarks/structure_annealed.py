"""Two bits a weight without fine tuning: `python -m benchmarks.structure_annealed --data FOLDER`.

The dense networks of `python -m benchmarks.structure_rows dense`, layer by layer: four levels a layer, codes by rounding, by
single changes and by annealing on the second moments of 2000 training images (of what the layer before sends them), levels
fitted to the codes once. A seed adds a line to benchmarks/results/structures.annealed.csv.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.structure_rows import RUNS, SAMPLES, Row, untrained
from training.data.catalogue import load
from training.data.spikes import SpikeData, reduced
from training.evaluation import accuracy, evaluate
from training.network import RCSpikeNetwork
from training.storage import load_weights
from training.structures.assignment import (
    Assignment,
    annealed,
    greedy,
    levels_code,
    lloyd_levels,
    refitted,
    rounded,
    second_moments,
)
from training.structures.code import Compression, LayerCode
from training.study.table import GrowingTable

TABLE = Path(__file__).parent / "results" / "structures.annealed.csv"
COLUMNS = (
    "structure", "network", "train_samples", "seed", "dense_accuracy", "rounded_accuracy", "greedy_accuracy", "test_accuracy",
    "bits_per_weight", "compression", "error_gain_vs_rounding", "error_gain_vs_greedy", "cpu_s", "command",
)  # fmt: skip
COUNT, SEEN = 4, 2000


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure_annealed", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the official files; downloaded where not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=RUNS, help="where the dense networks are")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    table = GrowingTable(arguments.table, COLUMNS)
    data = reduced(load("fashion-mnist", arguments.data), SAMPLES)
    for seed in arguments.seeds:
        if not any(row["seed"] == str(seed) for row in table.rows()):
            table.append(perform(seed, data, arguments.runs))
    return 0


def perform(seed: int, data: SpikeData, runs: Path) -> dict[str, object]:
    """The codes of one network, all three ways."""
    started = time.process_time()
    found: dict[str, list[Assignment]] = {"rounded": [], "greedy": [], "annealed": []}
    accuracies, codes = {"dense": _accuracy(_dense(seed, data, runs), data, seed)}, list[LayerCode]()
    for name, own in found.items():
        network = _dense(seed, data, runs)
        for number, layer in enumerate(network):
            weight = layer.weight.detach().double().numpy()
            moments = second_moments(_inputs(network, number, data))
            levels = lloyd_levels(weight, COUNT)
            assigned = {"rounded": rounded, "greedy": greedy, "annealed": annealed}[name](weight, levels, moments)
            if name == "annealed":
                levels = refitted(weight, assigned.codes, COUNT, moments)
                assigned = annealed(weight, levels, moments, seed=1)
                codes.append(levels_code(assigned, levels))
            own.append(assigned)
            layer.set_weight(torch.from_numpy(assigned.weights).to(layer.weight))
        accuracies[name] = _accuracy(network, data, seed)
    took = Compression.of(codes)
    return {
        "structure": "annealed_2bit", "network": "-".join(map(str, network.sizes)), "train_samples": len(data.train_labels),
        "seed": seed, "dense_accuracy": accuracies["dense"], "rounded_accuracy": accuracies["rounded"],
        "greedy_accuracy": accuracies["greedy"], "test_accuracy": accuracies["annealed"],
        "bits_per_weight": took.bits_per_weight, "compression": took.ratio,
        "error_gain_vs_rounding": _gain(found, "rounded"), "error_gain_vs_greedy": _gain(found, "greedy"),
        "cpu_s": time.process_time() - started, "command": "python -m benchmarks.structure_annealed",
    }  # fmt: skip


def _dense(seed: int, data: SpikeData, runs: Path) -> RCSpikeNetwork:
    network = untrained(Row(), data)
    load_weights(runs / f"dense-{seed}.safetensors", "ode", network)
    for layer in network:
        layer.spike_time_noise, layer.noise_in_evaluation = 0.01, True
    return network


def _inputs(network: RCSpikeNetwork, number: int, data: SpikeData) -> np.ndarray:
    """Spike times into a layer, of the first training images."""
    t, labels = data.train_t[:SEEN], data.train_labels[:SEEN]
    if number == 0:
        return t.double().numpy()
    noise = torch.Generator().manual_seed(0)
    found = evaluate(network, t, labels, data.classes, generator=noise).layers[number - 1].spike_times
    return found.double().numpy()


def _accuracy(network: RCSpikeNetwork, data: SpikeData, seed: int) -> float:
    noise = torch.Generator().manual_seed(seed)
    return accuracy(network, data.test_t, data.test_labels, data.classes, generator=noise)


def _gain(found: dict[str, list[Assignment]], other: str) -> float:
    """How many times the rms error of a neuron's membrane is smaller, in the geometric mean over the layers."""
    ratios = [a.energy.sum() / b.energy.sum() for a, b in zip(found[other], found["annealed"], strict=True)]
    return float(np.exp(0.5 * np.mean(np.log(ratios))))


if __name__ == "__main__":
    sys.exit(main())
