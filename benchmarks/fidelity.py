"""How far the model is from the circuit, from runs that were made before, and what a network costs column by column.

The runs are those of `cosim run designs/iris_5_5_5.toml` and `cosim train designs/digits_64_32_10.toml`, and digits_on_dies, as
docs/circuit-designer.md makes it, in the folder `runs` of the checkout or in the one that COSIM_RUNS names in the environment.
Digits in the nominal circuit are read from the table of `python -m benchmarks.images`, their accuracy over seeds from that of
`python -m benchmarks.classifier_seeds`, and their dies after calibration from that of `python -m benchmarks.classifier_dies`.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks import classifier_dies, classifier_seeds
from benchmarks.figure import Figure
from benchmarks.images import COLUMNS
from benchmarks.images import TABLE as IMAGES
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.design import load_design
from cosim.errors import InputError
from cosim.mapping.engine import Engine, simulate_networks
from cosim.mapping.network import NetworkRun, mapped_networks
from cosim.networks.training import in_double, load_networks, spike_data
from cosim.simulator import Row, WorkerPool
from netlists.network import layer_name
from training.evaluation import evaluate
from training.hardware import HardwareModel
from training.study.table import GrowingTable

PACKAGES = ("PySpice", "torch")

ROOT = Path(__file__).parents[1]
IRIS, DIGITS, DIGITS_ON_DIES = "iris_5_5_5", "digits_64_32_10", "digits_on_dies"
SEARCHED = Path(__file__).parent / "results" / "search.csv"
SAMPLES = 4
"""Simulated both ways, as one circuit and column by column."""


def figures(quick: bool) -> Iterator[Figure]:
    """Those of the runs that are there, and columns against one circuit on samples of the reference network; one if `quick`.

    Raises `InputError` where there is no run at all.
    """
    folder = Path(os.environ.get("COSIM_RUNS", ROOT / "runs"))
    runs = {name: folder / name for name in (IRIS, DIGITS) if (folder / name / "metrics.json").exists()}
    if not runs:
        raise InputError(f"{folder}: holds no run of {IRIS} or {DIGITS}; make one with: cosim run designs/{IRIS}.toml")
    if IRIS in runs:
        yield from _iris(runs[IRIS])
        yield from _columns_against_flat(runs[IRIS], 1 if quick else SAMPLES)
    if DIGITS in runs:
        yield from _unexplained("", _metrics(runs[DIGITS]))
    if len(rows := _simulated_images(DIGITS)):
        yield from _images(rows)
        if DIGITS in runs:
            yield _speedup(runs[DIGITS], rows.cpu_s.median())
    if (dies := folder / DIGITS_ON_DIES / "metrics.json").exists():
        yield from _dies(dies.parent)
    yield from classifier_seeds.figures(DIGITS)
    yield from classifier_dies.figures(DIGITS)
    yield from _search()


def _dies(run: Path) -> Iterator[Figure]:
    """Of mismatch dies, with the biases of the nominal circuit."""
    found = _metrics(run)
    expected = found.get("validation.mismatch.predicted_accuracy", math.nan)
    labels = pd.read_parquet(run / "validation/labels.parquet")
    labels = labels[labels.die.notna()]
    yield Figure(
        "digits.mismatch_accuracy_as_made", found["circuit.mismatch_accuracy"], "", "",
        f"{len(labels)} images on {labels.die.nunique()} dies in SPICE, not calibrated; the model expects {expected:.3f} of all",
    )  # fmt: skip


def _simulated_images(design: str) -> pd.DataFrame:
    """The images of a design that were simulated with the network of the last of them."""
    rows = pd.DataFrame(GrowingTable(IMAGES, COLUMNS).rows(), columns=list(COLUMNS))
    own = rows[rows.design == design]
    own = own[own.network == own.network.iloc[-1]] if len(own) else own
    words = ("design", "network", "image", "revision", "day")
    return own.astype({name: float for name in COLUMNS if name not in words})


def _iris(run: Path) -> Iterator[Figure]:
    found, told = _metrics(run), _told(run)
    yield Figure("iris.output_spike_rmse_s", found["validation.ode.output_spike_rmse_s"], "s", "at most 0.5e-9", told)
    if "validation.error_ratio" in found:
        yield Figure("iris.error_ratio", found["validation.error_ratio"], "", "at least 100", told)
    yield from _unexplained("iris.", found)


def _unexplained(prefix: str, found: dict[str, float]) -> Iterator[Figure]:
    """What no cause of `validation/causes.parquet` explains; a run that was not validated with them has none."""
    if "validation.unexplained_fraction" in found:
        told = (
            "of the outputs' error under the published equations; of that of the whole model "
            f"{found['validation.unexplained_of_model_error']:.0%}"
        )
        hidden = found["validation.layer_1_unexplained_s"]
        yield Figure(f"{prefix}unexplained_fraction", found["validation.unexplained_fraction"], "", "at most 0.2", told)
        yield Figure(f"{prefix}hidden_unexplained_s", hidden, "s", "at most 0.3e-9", "behind the circuit's own spikes")


def _images(rows: pd.DataFrame) -> Iterator[Figure]:
    """Of the images that `benchmarks.images` simulated: what the circuit says of them, and how far its spikes are from the
    model's, pairs of which one fires."""
    many, told = (
        len(rows),
        f"{len(rows)} of 360 test images, {rows.day.min()} .. {rows.day.max()}, network {rows.network.iloc[0]}",
    )
    yield Figure("digits.images", many, "", "360", told)
    agree, right = (rows.circuit_label == rows.model_label).mean(), (rows.circuit_label == rows.label).mean()
    yield Figure("digits.label_agreement", agree, "", "at least 0.994", "circuit and model")
    yield Figure(
        "digits.accuracy_circuit",
        right,
        "",
        "at least 0.9806",
        f"of {many}; the model {(rows.model_label == rows.label).mean():.4f}",
    )
    for name, most in (("hidden", 0.5e-9), ("output", 2e-9)):
        pairs, own = rows[f"{name}_pairs"], rows[f"{name}_rms_s"]
        whole = math.sqrt((pairs * own**2).sum() / pairs.sum())
        yield Figure(f"digits.{name}_spike_rmse_s", whole, "s", f"at most {most:g}", f"{pairs.sum()} firing pairs, end to end")
    silent = f"silent columns left out: {rows.left_out.mean():.1f} of {(rows.left_out + rows.simulated).mean():.0f}"
    fired = f"{rows.called_silent.sum()} simulated all the same, of which {rows.of_these_fired.sum()} fired"
    yield Figure("digits.cpu_s_per_image", rows.cpu_s.median(), "s", "at most 40", f"median; {silent}; {fired}")


def _speedup(run: Path, cpu_s_per_image: float) -> Figure:
    ratio, told = cpu_s_per_image / _model_cpu_s(run), "CPU time of the circuit over the model's"
    return Figure("surrogate.speedup", ratio, "", "at least 1e5", told)


def _columns_against_flat(run: Path, samples: int) -> Iterator[Figure]:
    """The same samples both ways, CPU times in one run."""
    spent: dict[Engine, float] = {}
    rows: dict[Engine, Sequence[Row | None]] = {}
    design, hardware = load_design(run / "design.toml"), HardwareModel.load(run / "hardware.json")
    mapped = mapped_networks(pd.read_parquet(run / "mapping.parquet"))["ode"]
    inputs = spike_data(design.network).test_t[:samples].double().numpy()
    with WorkerPool(jobs=1, timeout_s=design.accuracy.timeout_s) as pool:
        bench = Bench(design, design.process.pdk(), None, pool=pool)
        cells = bench.cells_of_layers(hardware)
        engines: tuple[Engine, Engine] = ("flat", "columns")
        for engine in engines:
            before = bench.cpu_s
            asked = [NetworkRun(mapped, times, {"sample": k}, bench.working) for k, times in enumerate(inputs)]
            rows[engine] = simulate_networks(bench, cells, asked, engine)
            spent[engine] = (bench.cpu_s - before) / samples
    names = [f"{layer_name(k)}_spike_s" for k in range(1, len(cells) + 1)]
    pairs = [(flat, columns) for flat, columns in zip(rows["flat"], rows["columns"], strict=True) if flat and columns]
    away = np.concatenate([columns[name] - flat[name] for flat, columns in pairs for name in names])
    yield Figure(
        "columns_vs_flat_spike_difference_s", float(np.abs(away).max()), "s", "at most 50e-12",
        f"the largest of {away.size} spikes of {len(pairs)} samples of the reference network; rms {rms(away):.2g} s",
    )  # fmt: skip
    yield Figure(
        "columns_vs_flat_cpu", spent["columns"] / spent["flat"], "", "at most 0.5",
        f"{spent['columns']:.2f} s of CPU a sample column by column, {spent['flat']:.2f} s as one circuit",
    )  # fmt: skip


def _model_cpu_s(run: Path) -> float:
    """CPU time of the model for one image, all test images in a batch on one thread."""
    torch.set_num_threads(1)
    design, network = load_design(run / "design.toml"), load_networks(run)["ode"]
    data = in_double(spike_data(design.network))
    evaluate(network, data.test_t[:10], data.test_labels[:10])  # compiles
    before = time.process_time()
    evaluate(network, data.test_t, data.test_labels)
    return (time.process_time() - before) / len(data.test_t)


def _metrics(run: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "metrics.json").read_text())
    return found


def _record(run: Path) -> dict[str, Any]:
    """What the validation cost."""
    found: dict[str, Any] = json.loads((run / "provenance.json").read_text())["stages"]["validate"]
    return found


def _told(run: Path) -> str:
    """What the run is of, and how old it is."""
    record = _record(run)
    days = (datetime.now(UTC) - datetime.fromisoformat(record["started"])).total_seconds() / 86400
    return f"cosim run designs/{run.name}.toml, {_metrics(run)['validation.samples']:.0f} samples, {days:.1f} days old"


def _search() -> Iterator[Figure]:
    """What `python -m benchmarks search --save` found, where it was run."""
    if SEARCHED.exists():
        found = pd.read_csv(SEARCHED, comment="#", keep_default_na=False).set_index("figure")
        row = found.loc["search.evaluations_ratio"]
        yield Figure("search.evaluations_ratio", float(row.measured), "", row.target, f"{row.how}; {SEARCHED.name}")
