"""Test images of a classifier at transistor level: `python -m benchmarks.images RUN [--images 360] [--jobs 2] [--die 1]`.

RUN holds a mapped network (`cosim map designs/digits_64_32_10.toml`). Each image, simulated column by column, adds a line to
benchmarks/results/images.csv, and the same command goes on where it was stopped. Lines of another network (other weights, or the
same on another hardware model) stay in the table and are not counted. With --die it is a mismatch die as it is made, all of its
columns, beside the model of the nominal network; lines go to benchmarks/results/images.dies.csv.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from benchmarks.command import check_has, exit_code
from benchmarks.figure import machine
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.design import Design, load_design
from cosim.mapping.columns import simulate_columns
from cosim.mapping.network import MappedNetwork, NetworkRun, mapped_networks
from cosim.networks.training import in_double, load_networks, spike_data
from cosim.simulator import Row, WorkerPool
from cosim.validation.metrics import FIRING_BEFORE
from cosim.validation.samples import chosen
from cosim.validation.silent import left_out, surely_silent
from cosim.validation.tables import first_spike, margin
from netlists.crossbar import Cells
from netlists.network import layer_name
from training.data.spikes import SpikeData
from training.evaluation import Evaluation, evaluate
from training.hardware import HardwareModel
from training.network import RCSpikeNetwork
from training.study.table import GrowingTable
from training.unrolling import unrolled

TABLE = Path(__file__).parent / "results" / "images.csv"
DIES = TABLE.with_name("images.dies.csv")
COLUMNS = (
    "design", "network", "image", "label", "model_label", "circuit_label", "model_margin_s", "circuit_margin_s", "hidden_pairs",
    "hidden_rms_s", "output_pairs", "output_rms_s", "simulated", "left_out", "called_silent", "of_these_fired", "cpu_s",
    "revision", "day",
)  # fmt: skip


@dataclass(frozen=True)
class Classifier:
    """What is simulated, and what the model does with the same images, the hardest of them first."""

    design: str
    digest: str
    mapped: MappedNetwork
    data: SpikeData
    model: Evaluation
    silent: list[np.ndarray]
    phase_s: float
    die: int | None = None

    def made(self, die: int) -> Classifier:
        """As a mismatch die. What its neurons are silent in, the model of the nominal network cannot say."""
        loud = [np.zeros_like(own) for own in self.silent]
        return replace(self, digest=f"{self.digest}, die {die}", silent=loud, die=die)


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.images", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("run", type=Path, help="run directory of a mapped network")
    parser.add_argument("--images", type=int, default=360, help="so many in all, those that are in the table included")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--die", type=int, help="seed of a mismatch die")
    parser.add_argument("--table", type=Path, help="where lines are added")
    arguments = parser.parse_args(words)
    where = arguments.table or (TABLE if arguments.die is None else DIES)
    table, console = GrowingTable(where, COLUMNS), Console(stderr=True)
    return exit_code(lambda: _simulate(arguments.run, arguments.images, arguments.jobs, arguments.die, table, console))


def _simulate(run: Path, images: int, jobs: int, die: int | None, table: GrowingTable, console: Console) -> None:
    with classifier_of(run, jobs) as (bench, cells, nominal):
        classifier = nominal if die is None else nominal.made(die)
        done = {row["image"] for row in table.rows() if row["network"] == classifier.digest}
        samples = range(min(images, len(classifier.data.test_rows)))
        asked = [sample for sample in samples if str(classifier.data.test_rows[sample]) not in done]
        revision = dict(machine(()))["revision"]
        with Progress(console=console) as progress:
            for sample in progress.track(asked, description=f"{classifier.design}, image by image"):
                if (row := image_row(bench, cells, classifier, sample)) is None:
                    console.print(
                        f"image {classifier.data.test_rows[sample]}: {bench.failures[-1].error}; try again", markup=False
                    )
                else:
                    table.append({**row, "revision": revision, "day": f"{datetime.now(UTC):%Y-%m-%d}"})


@contextmanager
def classifier_of(run: Path, jobs: int, design: Design | None = None) -> Iterator[tuple[Bench, list[Cells], Classifier]]:
    """What simulates the mapped network of a run directory, and its images. Raises `InputError` where it holds none.

    `design`: as it was run, where the command line changed what is in the run directory.
    """
    check_has(
        run, "design.toml", "hardware.json", "mapping.parquet", "network.safetensors", made_by="cosim map designs/NAME.toml"
    )
    design, hardware = design or load_design(run / "design.toml"), HardwareModel.load(run / "hardware.json")
    network = unrolled(load_networks(run)["ode"])
    with WorkerPool(jobs=jobs, timeout_s=design.accuracy.timeout_s) as pool:
        bench = Bench(design, design.process.pdk(), None, jobs, pool=pool)
        cells = bench.cells_of_layers(hardware)
        data = in_double(spike_data(design.network))
        everything = design.validation.model_copy(update={"samples": len(data.test_t)})
        data = chosen(data, network, everything)
        mapping = pd.read_parquet(run / "mapping.parquet")
        digest = hashlib.sha256((run / "hardware.json").read_bytes() + mapping.code.to_numpy().tobytes()).hexdigest()[:12]
        yield bench, cells, _classifier(design.name, digest, mapped_networks(mapping)["ode"], data, network, hardware.phase_s)


def _classifier(
    design: str, digest: str, mapped: MappedNetwork, data: SpikeData, network: RCSpikeNetwork, phase_s: float
) -> Classifier:
    model = evaluate(network, data.test_t, data.test_labels, data.classes)
    return Classifier(design, digest, mapped, data, model, surely_silent(network, data.test_t, model), phase_s)


def of_columns(bench: Bench, cells: Sequence[Cells], run: NetworkRun) -> Row | None:
    """Spikes of every layer, which switch the next; None where a simulation failed."""
    return simulate_columns(bench, cells, [run])[0]


def image_row(
    bench: Bench, cells: list[Cells], classifier: Classifier, sample: int,
    circuit: Callable[[Bench, Sequence[Cells], NetworkRun], Row | None] = of_columns,
) -> dict[str, Any] | None:  # fmt: skip
    """One image in the circuit, beside the model; None where a simulation failed."""
    data, before = classifier.data, bench.cpu_s
    skipped = left_out(classifier.silent, sample)
    asked = NetworkRun(
        classifier.mapped, data.test_t[sample].numpy(), {"image": data.test_rows[sample], "die": classifier.die}, bench.network,
        classifier.die, skipped,
    )  # fmt: skip
    found = circuit(bench, cells, asked)
    if found is None:
        return None
    sent = [found[f"{layer_name(layer)}_spike_s"] for layer in range(1, len(cells) + 1)]
    model = [output.spike_times[sample].numpy() * classifier.phase_s for output in classifier.model.layers]
    hidden, output = (_errors(own, other, classifier.phase_s) for own, other in ((sent[0], model[0]), (sent[-1], model[-1])))
    called = np.concatenate([own[sample] for own in classifier.silent])
    checked = called & ~np.concatenate(skipped)
    return {
        "design": classifier.design, "network": classifier.digest, "image": data.test_rows[sample],
        "label": int(data.test_labels[sample]), "model_label": first_spike(model[-1]), "circuit_label": first_spike(sent[-1]),
        "model_margin_s": margin(model[-1]), "circuit_margin_s": margin(sent[-1]),
        "hidden_pairs": len(hidden), "hidden_rms_s": rms(hidden), "output_pairs": len(output), "output_rms_s": rms(output),
        "simulated": int((~np.concatenate(skipped)).sum()), "left_out": int(np.concatenate(skipped).sum()),
        "called_silent": int(checked.sum()), "of_these_fired": int((np.concatenate(sent)[checked] < classifier.phase_s).sum()),
        "cpu_s": round(bench.cpu_s - before, 2),
    }  # fmt: skip


def _errors(circuit: np.ndarray, model: np.ndarray, phase_s: float) -> np.ndarray:
    """Circuit minus model of the pairs of which one fires before 98 % of the phase."""
    firing = np.minimum(circuit, model) < FIRING_BEFORE * phase_s
    return np.asarray((circuit - model)[firing])


if __name__ == "__main__":
    sys.exit(main())
