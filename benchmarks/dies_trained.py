"""Networks trained ideally, with the circuit's equation, and with its mismatch too, on the same dies of the model: as made, and
calibrated. `python -m benchmarks.dies_trained RUN [--dies 40]`.

RUN is a run directory with both networks and their gains (`cosim map designs/iris_5_5_5.toml`); the network that is trained for
mismatch is trained here, by the same recipe on another die for every batch. A die is drawn by its number, the same for all
three, calibrated by the patterns of the design's section [calibration] with a bias for every discharger, and gets every test
sample. Each die of each network adds a line to benchmarks/results/dies.trained.csv; the same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.progress import Progress

from benchmarks.classifier_dies import COLUMNS, row_of_die
from benchmarks.command import check_has, exit_code
from benchmarks.dies import nominal_of
from benchmarks.figure import Figure, machine
from cosim.bench.lines import rms
from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.mapping.codes import with_gains
from cosim.networks.training import CONVENTIONAL, ODE, load_networks, recipe_of, spike_data, untrained_network
from training.checkpoint import continued
from training.data.names import network_shape
from training.hardware import FloatArray, HardwareModel, columns_of_layers
from training.hardware_aware.variation import DynamicMismatch, Mismatch
from training.study.table import GrowingTable
from training.trainer import train

TABLE = Path(__file__).parent / "results" / "dies.trained.csv"
OWN_COLUMNS = ("network", *(name for name in COLUMNS if name != "biases"))
NETWORKS = ("ideal", "equation", "mismatch")
"""Trained with reversals of +-100 and two gains; with the circuit's equation; with the mismatch of its dies besides."""
GOOD = 0.94
"""The least accuracy of a die that is good, as the limits of the reference design have it."""


def figures() -> Iterator[Figure]:
    """Those of the dies that are stored."""
    rows = GrowingTable(TABLE, OWN_COLUMNS).rows() if TABLE.exists() else []
    for network in NETWORKS:
        own = pd.DataFrame([row for row in rows if row["network"] == network], columns=list(OWN_COLUMNS))
        if not len(own):
            continue
        numbers = own.drop(columns=["network", "design", "revision", "day"]).astype(float)
        for when, how in (("before", "as made"), ("after", "calibrated")):
            errors, accuracy = numbers[f"{when}_rmse_s"], numbers[f"{when}_accuracy"]
            many = f"{len(own)} dies of the model, {numbers.images.iloc[0]:.0f} samples each, {how}"
            shares = accuracy.quantile([0.0, 0.1, 0.5]).tolist()
            told = ", ".join(f"{what} {value:.4g}" for what, value in zip(("worst", "tenth", "median"), shares, strict=True))
            name = f"dies.{network}_{when}"
            yield Figure(
                f"{name}_rmse_s", rms(errors), "s", "", f"{many}; median {errors.median():.3g} s, worst {errors.max():.3g} s"
            )
            yield Figure(
                f"{name}_accuracy", accuracy.mean(), "", "", f"{many}; {told}; nominal {numbers.nominal_accuracy.iloc[0]:.4g}"
            )
            yield Figure(f"{name}_yield", float((accuracy >= GOOD).mean()), "", "", f"{many}: of an accuracy of {GOOD:g} or more")


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dies_trained", description="Dies of the model, of networks that were trained differently."
    )
    parser.add_argument("run", type=Path, help="run directory with both networks and their gains")
    parser.add_argument("--dies", type=int, default=40, help="so many of each network, those that are in the table included")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    arguments = parser.parse_args(words)
    table, console = GrowingTable(arguments.table, OWN_COLUMNS), Console(stderr=True)
    return exit_code(lambda: _calibrate(arguments.run, arguments.dies, table, console))


def _calibrate(run: Path, dies: int, table: GrowingTable, console: Console) -> None:
    check_has(
        run, "design.toml", "hardware.json", "network.safetensors", "metrics.json", made_by="cosim map designs/iris_5_5_5.toml"
    )
    design, revision = load_design(run / "design.toml"), dict(machine(()))["revision"]
    done = {(row["network"], int(row["die"])) for row in table.rows()}
    asked = [(network, die) for network in NETWORKS for die in range(1, dies + 1) if (network, die) not in done]
    nominal = {network: nominal_of(run, all_tests=True, weights=_weights(run, design, network)) for network, _ in asked}
    with Progress(console=console) as progress:
        for network, die in progress.track(sorted(asked, key=lambda one: one[1]), description="dies of the model"):
            row = {"network": network, "design": design.name, **row_of_die(design, nominal[network], die, codes_alone=False)}
            table.append({**row, "revision": revision, "day": f"{datetime.now(UTC):%Y-%m-%d}"})


def _weights(run: Path, design: Design, network: str) -> list[FloatArray]:
    """What the cells are set to, [out, in] of every layer."""
    hardware = HardwareModel.load(run / "hardware.json")
    columns = columns_of_layers(hardware, design.shape.crossbars)
    if network == "mismatch":
        return _trained_for_mismatch(run, design, hardware)
    stored = load_networks(run)
    if network == "equation":
        return list(stored[ODE].effective_weights())
    metrics = pd.read_json(run / "metrics.json", typ="series")
    if "mapping.gain_plus" not in metrics:
        raise InputError(f"{run}: the gains of its ideal network are not found yet; run: cosim map designs/iris_5_5_5.toml")
    gains = float(metrics["mapping.gain_plus"]), float(metrics["mapping.gain_minus"])
    return with_gains(stored[CONVENTIONAL].effective_weights(), *gains, columns)


def _trained_for_mismatch(run: Path, design: Design, hardware: HardwareModel) -> list[FloatArray]:
    """Trained as the design's network, on another die for every batch; its checkpoint keeps it in the run directory."""
    torch.set_num_threads(1)
    data, file = spike_data(design.network), run / "checkpoints" / "mismatch.safetensors"
    network = untrained_network(ODE, network_shape(design.network, None), hardware, design.training.conventional_reversal)
    file.parent.mkdir(exist_ok=True)
    dies = DynamicMismatch(replace(Mismatch(), by_gate=True))
    continued(lambda: train(network, data, recipe_of(design.training), checkpoint=file, variation=dies), file)
    return list(network.double().eval().effective_weights())


if __name__ == "__main__":
    sys.exit(main())
