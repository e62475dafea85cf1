"""Two bits a weight without fine tuning: `python -m benchmarks.structure_annealed --data FOLDER`.

The dense networks of `python -m benchmarks.structure_rows dense`: four levels of every neuron, codes by rounding, by single
changes and by annealing with the levels in turns (`annealed_2bit` of `cosim train --structure`), on what all training images let
a layer see, each for itself; and the sum of binary products that takes as many bits (`factorised_2bit`). Errors are those of 2000
test images. A seed of a structure adds a line to benchmarks/results/structures.annealed.csv.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.command import exit_code
from benchmarks.structure_rows import RUNS, SAMPLES, Row, untrained
from training.data.catalogue import load
from training.data.spikes import SpikeData, reduced
from training.evaluation import accuracy
from training.network import RCSpikeNetwork
from training.storage import load_weights
from training.structures.assignment import FloatArray, greedy, lloyd_levels, rounded, second_moments
from training.structures.code import Compression
from training.structures.network import assign, encode, put_structure, settle
from training.structures.plan import NAMED
from training.study.table import GrowingTable

TABLE = Path(__file__).parent / "results" / "structures.annealed.csv"
COLUMNS = (
    "structure", "network", "train_samples", "seed", "dense_accuracy", "rounded_accuracy", "greedy_accuracy", "test_accuracy",
    "bits_per_weight", "compression", "error_gain_vs_rounding", "error_gain_vs_greedy", "error_gain_vs_layer_rounding",
    "output_error_gain_vs_rounding", "cpu_s", "command",
)  # fmt: skip
NAMES = ("annealed_2bit", "factorised_2bit")
COUNT, SEEN = 4, 2000


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure_annealed", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the official files; downloaded where not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=RUNS, help="where the dense networks are")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    return exit_code(lambda: _assign(arguments))


def _assign(asked: argparse.Namespace) -> None:
    """Add the lines that are not there."""
    table, data = GrowingTable(asked.table, COLUMNS), reduced(load("fashion-mnist", asked.data), SAMPLES)
    for seed, name in itertools.product(asked.seeds, NAMES):
        if not any((row["structure"], row["seed"]) == (name, str(seed)) for row in table.rows()):
            table.append(perform(name, seed, data, asked.runs))


def perform(name: str, seed: int, data: SpikeData, runs: Path) -> dict[str, object]:
    """The codes of one network, in every way."""
    started = time.process_time()
    dense, t = _dense(seed, data, runs), data.test_t[:SEEN]
    wanted, seen = _weights(dense), [_inputs(dense, number, t) for number in range(len(list(dense)))]
    moments = [second_moments(_inputs(dense, number, data.train_t[:SEEN])) for number in range(len(seen))]
    found = {"dense": dense, "annealed": _dense(seed, data, runs)}
    put_structure(found["annealed"], NAMED[name])
    assign(found["annealed"], data.train_t, seed, make_up=False)
    codes = encode(found["annealed"])
    settle(found["annealed"])
    for other, how in (("rounded", _rounded), ("greedy", _greedy), ("layer_rounded", _layer_rounded)):
        found[other] = _dense(seed, data, runs)
        for layer, own, of_layer in zip(found[other], wanted, moments, strict=True):
            layer.set_weight(torch.from_numpy(how(own, of_layer)).to(layer.weight))
    errors = {way: _errors(network, wanted, seen) for way, network in found.items()}
    outputs = {way: _membranes(network, t) for way, network in found.items()}
    off = {way: float(np.square(own - outputs["dense"]).mean()) for way, own in outputs.items()}
    accuracies, took = {way: _accuracy(network, data, seed) for way, network in found.items()}, Compression.of(codes)
    return {
        "structure": name, "network": "-".join(map(str, dense.sizes)), "train_samples": len(data.train_labels),
        "seed": seed, "dense_accuracy": accuracies["dense"], "rounded_accuracy": accuracies["rounded"],
        "greedy_accuracy": accuracies["greedy"], "test_accuracy": accuracies["annealed"],
        "bits_per_weight": took.bits_per_weight, "compression": took.ratio,
        **{f"error_gain_vs_{column}": _gain(errors[other], errors["annealed"])
           for column, other in (("rounding", "rounded"), ("greedy", "greedy"), ("layer_rounding", "layer_rounded"))},
        "output_error_gain_vs_rounding": (off["rounded"] / off["annealed"]) ** 0.5,
        "cpu_s": time.process_time() - started, "command": "python -m benchmarks.structure_annealed",
    }  # fmt: skip


def _rounded(weight: FloatArray, moments: FloatArray) -> FloatArray:
    """At four levels of each neuron with the least square error."""
    return rounded(weight, _levels(weight), moments).weights


def _greedy(weight: FloatArray, moments: FloatArray) -> FloatArray:
    return greedy(weight, _levels(weight), moments).weights


def _levels(weight: FloatArray) -> FloatArray:
    levels = np.stack([lloyd_levels(own, COUNT) for own in weight])
    return np.repeat(levels[:, None], weight.shape[1], 1)


def _layer_rounded(weight: FloatArray, moments: FloatArray) -> FloatArray:
    """At four levels that all neurons of the layer share."""
    return rounded(weight, lloyd_levels(weight, COUNT), moments).weights


def _weights(network: RCSpikeNetwork) -> list[FloatArray]:
    return [layer.weight.detach().double().numpy() for layer in network]


def _errors(network: RCSpikeNetwork, wanted: list[FloatArray], seen: list[FloatArray]) -> list[float]:
    """What the membranes of each layer are off by, squared, for what the dense network lets them see."""
    remaining = [np.clip(1.0 - own, 0.0, 1.0) for own in seen]
    pairs = zip(wanted, _weights(network), remaining, strict=True)
    return [float(np.square(own @ (weight - other).T).mean()) for weight, other, own in pairs]


def _membranes(network: RCSpikeNetwork, t: torch.Tensor) -> FloatArray:
    """Of the outputs at the end of accumulation."""
    with torch.no_grad():
        return np.asarray(network.eval()(t)[-1].membrane.double().numpy())


def _dense(seed: int, data: SpikeData, runs: Path) -> RCSpikeNetwork:
    network = untrained(Row(), data)
    load_weights(runs / f"dense-{seed}.safetensors", "ode", network)
    for layer in network:
        layer.spike_time_noise, layer.noise_in_evaluation = 0.01, True
    return network


def _inputs(network: RCSpikeNetwork, number: int, t: torch.Tensor) -> FloatArray:
    """Spike times into a layer."""
    with torch.no_grad():
        return np.asarray((t if number == 0 else network.eval()(t)[number - 1].spike_times).double().numpy())


def _accuracy(network: RCSpikeNetwork, data: SpikeData, seed: int) -> float:
    noise = torch.Generator().manual_seed(seed)
    return accuracy(network, data.test_t, data.test_labels, data.classes, generator=noise)


def _gain(other: list[float], own: list[float]) -> float:
    """How many times the rms error of a neuron's membrane is smaller, in the geometric mean over the layers."""
    return float(np.exp(0.5 * np.mean(np.log(np.array(other) / np.array(own)))))


if __name__ == "__main__":
    sys.exit(main())
