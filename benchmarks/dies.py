"""Dies before and after their calibration: mismatch dies in ngspice from a run that was made before, and dies of the model.

The run is that of `cosim calibrate` on designs/iris_5_5_5.toml with `own_discharger_bias = true` under [neuron] (for the figures
of codes alone, without it), in the folder iris_5_5_5_dies of `runs`, or of what the environment variable COSIM_RUNS names. Its
calibrations are told apart by what they were made with, such as "own biases, 10+6 patterns, step 0.001".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figure import Figure
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.calibration.dies import settings_of, summary
from cosim.calibration.discharger import discharger_current
from cosim.calibration.nominal import Nominal
from cosim.design import load_design
from cosim.errors import InputError
from cosim.networks.training import in_double, load_networks, spike_data
from cosim.simulator import Store
from training.calibration.calibrate import Calibrated, calibrate
from training.calibration.chip import ModelDie, sent
from training.hardware import HardwareModel

PACKAGES = ("PySpice", "torch")

RUN = "iris_5_5_5_dies"
MODEL_DIES, QUICK_DIES, BATCH = 200, 8, 25
OWN = "own biases, 10+6 patterns"
OTHERS = {
    "own biases, 12+8 patterns, jitter 5e-09": ("jitter5", "at most 5e-9"),
    "own biases, 10+6 patterns, step 0.001": ("dac1mv", "at most 3.5e-9"),
    "codes alone, 10+6 patterns": ("codes_only", "at most 10e-9"),
    "own biases, 10+6 patterns, at temperature_c=60": ("hot", "at most 8e-9"),
}
TARGETS = {
    "dies.count": "24", "dies.after_rmse_s": "at most 2e-9", "dies.after_worst_die_s": "at most 4e-9",
    "dies.after_labels": "at least 0.99", "dies.patterns": "at most 16", "dies.cpu_s": "less than 2",
}  # fmt: skip
UNITS = {"count": "", "patterns": "", "labels": "", "cpu_s": "s"}


def figures(quick: bool) -> Iterator[Figure]:
    """Those of the calibrations that are there, and of dies of the model; fewer of these if `quick`.

    Raises `InputError` where there is no run.
    """
    run = Path(os.environ.get("COSIM_RUNS", Path(__file__).parents[1] / "runs")) / RUN
    file = run / "calibration/dies.parquet"
    if not file.exists():
        raise InputError(f"{file}: is not there; make it with: cosim calibrate DESIGN --dies 1..24 --out {run}")
    rows, told = pd.read_parquet(file), _age(file)
    own = rows[rows.condition == OWN]
    for name, value in summary(own).items() if len(own) else ():
        unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "s")
        yield Figure(name, value, unit, TARGETS.get(name, ""), f"{len(own)} dies in ngspice, {told}")
    for condition, (name, target) in OTHERS.items():
        some = rows[rows.condition == condition]
        if len(some):
            how = f"{condition}: {len(some)} dies, {told}"
            yield Figure(f"dies.{name}_rmse_s", rms(some.after_rmse_s), "s", target, how)
            yield Figure(f"dies.{name}_labels", float(some.after_labels.mean()), "", "at least 0.98", how)
    yield from _of_the_model(run, QUICK_DIES if quick else MODEL_DIES)


def _of_the_model(run: Path, dies: int) -> Iterator[Figure]:
    """Dies that the model draws from its prior, without noise, in batches."""
    nominal = _nominal(run)
    settings = settings_of(load_design(run / "design.toml").calibration, True, nominal.phase_s)
    outputs, errors, labels, inside = [len(layer.bias_v) for layer in nominal.program], [], [], []
    for first in range(1, dies + 1, BATCH):
        chips = [ModelDie.drawn(nominal.circuits, outputs, seed) for seed in range(first, min(first + BATCH, dies + 1))]
        found = calibrate(chips, nominal.circuits, nominal.program, nominal.samples, settings)
        tests = np.broadcast_to(nominal.tests, (len(chips), *nominal.tests.shape))
        truth = [np.stack([chip.unknown[layer] for chip in chips]) for layer in range(len(outputs))]
        spikes = sent(nominal.circuits, truth, found.program, tests)[-1]
        errors.append(((spikes - nominal.wanted[-1]) ** 2).mean((1, 2)))
        own, wanted = (x[..., : nominal.classes].argmin(-1) for x in (spikes, nominal.wanted[-1]))
        labels.append((own == wanted).mean(1))
        inside.append(_inside(found, truth))
    how = f"{dies} dies of the model, {sum(settings.rounds)} patterns, no noise"
    yield Figure("dies.model_rmse_s", float(np.sqrt(np.concatenate(errors).mean())) * nominal.phase_s, "s", "at most 0.5e-9", how)
    yield Figure("dies.model_labels", float(np.concatenate(labels).mean()), "", "at least 0.995", how)
    yield Figure("dies.coverage", float(np.concatenate(inside).mean()), "", "0.90 to 0.99", "within two sigma; " + how)


def _inside(found: Calibrated, truth: list[np.ndarray]) -> np.ndarray:
    """Of every unknown whether it lies within two standard deviations of what it was found to be."""
    parts = [
        np.abs(estimate.unknown - true) < 2 * np.sqrt(np.einsum("dkii->dki", estimate.covariance))
        for estimate, true in zip(found.estimates, truth, strict=True)
    ]
    return np.concatenate([part.ravel() for part in parts])


def _nominal(run: Path) -> Nominal:
    design, hardware = load_design(run / "design.toml"), HardwareModel.load(run / "hardware.json")
    with Store(run / "points.sqlite") as store:
        discharger = discharger_current(Bench(design, design.process.pdk(), store, jobs=1), hardware)
    weights, data = load_networks(run)["ode"].effective_weights(), in_double(spike_data(design.network))
    return Nominal.of(design, hardware, discharger, weights, data, design.calibration.samples)


def _age(file: Path) -> str:
    days = (datetime.now(UTC) - datetime.fromtimestamp(file.stat().st_mtime, UTC)).total_seconds() / 86400
    return f"{days:.1f} days old"
