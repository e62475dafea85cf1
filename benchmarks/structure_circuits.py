"""Digits networks with a structure in their circuits: `python -m benchmarks.structure_circuits NAME... [--images 20]`.

designs/digits_16_16_10.toml, or another with --design, as designs/digits_64_32_10_structures.toml. A network adds a line to
benchmarks/results/structures.circuits.csv, and each of its images, simulated column by column, one to
benchmarks/results/structures.images.csv; the same command goes on where it was stopped. All structures share one file of
simulated points, so that what they have in common is characterised once.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks import images
from benchmarks.command import exit_code
from benchmarks.figure import machine
from cosim.bench.bench import Bench
from cosim.cost.cells import CELL_ENERGIES, CellEnergies
from cosim.cost.figures import areas
from cosim.cost.predict import predicted_energies
from cosim.design import Design, load_design
from cosim.mapping.columns import simulate_columns
from cosim.mapping.network import MappedNetwork, NetworkRun, map_network
from cosim.networks.training import ODE, load_networks, recipe_of, spike_data, untrained_network
from cosim.pipeline.request import DENSE, Request
from cosim.pipeline.run import carry_out
from cosim.pipeline.stages import StageName
from cosim.runs.progress import Monitor
from cosim.simulator import Row
from netlists.crossbar import Cells
from netlists.network import layer_name
from training.evaluation import evaluate
from training.hardware import HardwareModel, columns_of_layers
from training.network import RCSpikeNetwork
from training.storage import load_weights, save_networks
from training.structures.spike_times import SpikeCounter, with_counters
from training.study.table import GrowingTable
from training.trainer import train
from training.unrolling import unrolled

Circuit = Callable[[Bench, Sequence[Cells], NetworkRun], Row | None]

COUNTED = {f"spike_{bits}bit": bits for bits in (4, 6, 8)}
"""Rows whose spikes a counter has: what comes in and what the hidden neurons send."""

DESIGN = Path(__file__).parents[1] / "designs" / "digits_16_16_10.toml"
RESULTS = Path(__file__).parent / "results"
NETWORKS, IMAGES = RESULTS / "structures.circuits.csv", RESULTS / "structures.images.csv"
ACCURACY = {"reltol": 5e-5, "max_step_s": 20e-9}
"""Of the images, where a design says nothing of it: half of the CPU time of the design's, and spikes that differ by 0.03 ns."""

METRICS = {
    "test_accuracy": "training.test_accuracy", "devices": "training.devices", "bits_per_weight": "training.bits_per_weight",
    "compression": "training.compression",
}  # fmt: skip
COLUMNS = ("structure", "network", *METRICS, "area_m2", "energy_per_inference_j", "command")
IMAGE_COLUMNS = ("structure", *images.COLUMNS)


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure_circuits", description=__doc__)
    parser.add_argument("structures", nargs="+", metavar="NAME", help="as --structure names them; dense; spike_6bit")
    parser.add_argument("--design", type=Path, default=DESIGN, help="of digits, fully connected")
    parser.add_argument("--images", type=int, default=20, help="of each, those that are in the table included")
    parser.add_argument("--runs", type=Path, default=Path("runs/structures"), help="run directories")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args(words)
    named = ((NETWORKS, COLUMNS), (IMAGES, IMAGE_COLUMNS))
    networks, own = (GrowingTable(arguments.results / path.name, columns) for path, columns in named)
    console = Console(stderr=True)

    def simulate_all() -> None:
        for name in arguments.structures:
            _simulate(name, arguments, (networks, own), console)

    return exit_code(simulate_all)


def _simulate(name: str, asked: argparse.Namespace, tables: tuple[GrowingTable, GrowingTable], console: Console) -> None:
    """Train and map one network, and simulate its images that are in no table."""
    (networks, own), runs = tables, asked.runs
    bits, design = COUNTED.get(name), load_design(asked.design)
    run = runs / f"{design.name}_{DENSE if bits else name}"
    runs.mkdir(parents=True, exist_ok=True)
    points = runs / "points.sqlite"
    request = Request(asked.design, run, StageName.MAP, asked.jobs, structure=DENSE if bits else name, points=points)
    metrics, design = carry_out(request, Monitor()).metrics, request.effective(design)
    with images.classifier_of(run, asked.jobs, _quicker(design)) as (bench, cells, of_run):
        network, classifier, circuit = unrolled(load_networks(run)["ode"]), of_run, images.of_columns
        if bits:
            network = _with_counters(design, run, runs / f"{design.name}_{name}", bits)
            classifier, circuit = _counted(of_run, design, run, network), partial(_behind_counters, bits)
            metrics = {METRICS["test_accuracy"]: classifier.model.accuracy}
        done = {row["image"] for row in own.rows() if (row["structure"], row["network"]) == (name, classifier.digest)}
        if not done:  # another network than before has a line of its own, the last of its name and size
            networks.append(_line(name, run, asked.design, design, cells, classifier, network, metrics))
        for sample in range(asked.images):
            if str(classifier.data.test_rows[sample]) not in done:
                _image(name, bench, cells, classifier, sample, circuit, own, console)


def _quicker(design: Design) -> Design:
    """The design as its images are simulated."""
    if design.validation.reltol is not None:
        return design
    return design.model_copy(update={"accuracy": design.accuracy.model_copy(update=ACCURACY)})


def _with_counters(design: Design, run: Path, folder: Path, bits: int) -> RCSpikeNetwork:
    """The network of the design on the hardware of a run, behind counters; trained once."""
    hardware = HardwareModel.load(run / "hardware.json")
    network = with_counters(untrained_network(ODE, design.shape, hardware, design.training.conventional_reversal), bits)
    stored = folder.with_suffix(".safetensors")
    torch.set_num_threads(1)
    if not stored.exists():
        train(network, spike_data(design.network), recipe_of(design.training), lambda epoch: None)
        save_networks(stored, {ODE: network}, {})
    load_weights(stored, ODE, network)
    return network.double().eval()


def _counted(of_run: images.Classifier, design: Design, run: Path, network: RCSpikeNetwork) -> images.Classifier:
    """The classifier of a run with another network on its hardware, every column of which is simulated."""
    columns = columns_of_layers(HardwareModel.load(run / "hardware.json"), design.shape.crossbars)
    weights = network.effective_weights()
    mapped, data = map_network(ODE, weights, columns), of_run.data
    digest = hashlib.sha256(b"".join(own.tobytes() for own in weights)).hexdigest()[:12]
    model = evaluate(network, data.test_t, data.test_labels, data.classes)
    silent = [np.zeros((len(data.test_t), len(own)), bool) for own in weights]
    return replace(of_run, digest=digest, mapped=mapped, model=model, silent=silent)


def _behind_counters(bits: int, bench: Bench, cells: Sequence[Cells], run: NetworkRun) -> Row | None:
    """Every layer by itself, on lines that are driven when a counter says that a spike came."""
    counter, times, found = SpikeCounter(bits), run.times, dict[str, Any]()
    for number, own in enumerate(cells):
        layer = MappedNetwork(run.mapped.name, run.mapped.settings[number : number + 1], run.mapped.lines[number : number + 1])
        silent = None if run.silent is None else [run.silent[number]]
        alone = replace(run, mapped=layer, times=counter(torch.from_numpy(times)).numpy(), silent=silent)
        (row,) = simulate_columns(bench, [own], [alone])
        if row is None:
            return None
        spikes = row[f"{layer_name(1)}_spike_s"]
        found[f"{layer_name(number + 1)}_spike_s"] = spikes
        times = spikes / own.timing.phase_s
    return found


def _image(
    name: str, bench: Bench, cells: list[Cells], classifier: images.Classifier, sample: int, circuit: Circuit,
    table: GrowingTable, console: Console,
) -> None:  # fmt: skip
    if (row := images.image_row(bench, cells, classifier, sample, circuit)) is None:
        console.print(f"{name}, sample {sample}: {bench.failures[-1].error}; try again", markup=False)
        return
    table.append({"structure": name, **row, "revision": dict(machine(()))["revision"], "day": f"{datetime.now(UTC):%Y-%m-%d}"})
    labels = f"{row['circuit_label']} in the circuit, {row['model_label']} in the model"
    console.print(f"{name}, sample {sample}: {labels}, outputs {1e9 * row['output_rms_s']:.2f} ns, {row['cpu_s']} CPU-s")


def _line(
    name: str, run: Path, design_file: Path, design: Design, cells: list[Cells], classifier: images.Classifier,
    network: RCSpikeNetwork, metrics: Mapping[str, float],
) -> dict[str, object]:  # fmt: skip
    """What a network is and costs, its energy as the cells predict it for all test images."""
    columns = columns_of_layers(HardwareModel.load(run / "hardware.json"), design.shape.crossbars)
    energies = predicted_energies(
        CellEnergies.load(run / CELL_ENERGIES), columns, network, classifier.model, classifier.data.test_t.numpy()
    )
    command = ["python", "-m", "benchmarks.structure_circuits", name]
    return {
        "structure": name, "network": "-".join(map(str, network.sizes)),
        **{column: metrics.get(metric, "") for column, metric in METRICS.items()},
        "area_m2": areas(cells, classifier.mapped)["cost.area_m2"],
        "energy_per_inference_j": float(np.sum([own.mean() for own in energies.values()])),
        "command": shlex.join([*command, *(["--design", f"designs/{design_file.name}"] if design_file != DESIGN else [])]),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
