"""Dies before and after their calibration, what a board does to a network, and dies of the model: from rows that are stored.

`python -m benchmarks.dies RUN` puts a run's rows into benchmarks/results: its dies (`cosim calibrate DESIGN --dies 1..24`), its
conditions (`cosim validate DESIGN --sensitivity`), and, with --model 200, so many dies that its model draws, in one of the WAYS;
dies that have a row already are left, so that it goes on after a kill. The design is
designs/iris_5_5_5.toml with own_discharger_bias = true under [neuron] and jitter_s = 0.5e-9 under [calibration]. Calibrations are
told apart by what they were made with, such as "own biases, 10+6 patterns, jitter 5e-10".
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.command import exit_code
from benchmarks.figure import Figure
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.calibration.dies import Judged, settings_of, summary
from cosim.calibration.discharger import discharger_current
from cosim.calibration.nominal import Nominal
from cosim.design import load_design
from cosim.errors import InputError
from cosim.networks.training import in_double, load_networks, spike_data
from cosim.simulator import Store
from training.calibration.calibrate import Calibrated, Settings, calibrate
from training.calibration.chip import ModelDie, NoisyChip, sent
from training.calibration.reach import Freedom
from training.hardware import FloatArray, HardwareModel

PACKAGES = ("PySpice", "torch")

RESULTS = Path(__file__).parent / "results"
DIES, BOARD, MODEL = RESULTS / "dies.rows.csv", RESULTS / "dies.board.csv", RESULTS / "dies.model.csv"
BATCH = 10
WAYS: Mapping[str, dict[str, Any]] = {
    "own biases": {},
    "codes alone": {"freedom": Freedom(own_biases=False)},
    "loop 4": {"loop": 4, "jitter": 5e-4},
    "not identified, loop 4": {"loop": 4, "jitter": 5e-4, "identified": False},
}
"""What the dies of the model are calibrated with that is not as the design says; without noise, if nothing is said of it."""

OF_WAYS = {
    "own biases": ("model", "at most 0.5e-9", "at least 0.995"),
    "codes alone": ("model_codes_only", "at most 10e-9", "at least 0.98"),
    "loop 4": ("model_loop", "", ""),
    "not identified, loop 4": ("model_loop_unidentified", "", ""),
}
"""What their figures are called, and what they shall be."""

OWN = "own biases, 10+6 patterns, jitter 5e-10"
OTHERS = {
    "own biases, 12+8 patterns, jitter 5e-09": ("jitter5", "at most 5e-9", "at least 0.98"),
    f"{OWN}, step 0.001": ("dac1mv", "at most 3.5e-9", "at least 0.99"),
    "codes alone, 10+6 patterns, jitter 5e-10": ("codes_only", "at most 10e-9", "at least 0.98"),
    f"{OWN}, at temperature_c=60": ("hot", "at most 8e-9", "at least 0.98"),
    f"{OWN}, process drawn": ("process", "at most 2e-9", "at least 0.99"),
    f"{OWN}, at temperature_c=30, by replicas": ("replica_30c", "at most 5e-9", "at least 0.98"),
    f"{OWN}, at supply_v=1.818, by replicas": ("replica_supply", "at most 5e-9", "at least 0.98"),
    f"{OWN}, loop 2": ("loop", "", ""),
    "own biases, not identified, jitter 5e-10, loop 2": ("loop_unidentified", "", ""),
}
TARGETS = {
    "dies.count": "24", "dies.after_rmse_s": "at most 2e-9", "dies.after_worst_die_s": "at most 4e-9",
    "dies.after_labels": "at least 0.99", "dies.patterns": "at most 16", "dies.cpu_s": "less than 2",
}  # fmt: skip
UNITS = {"count": "", "patterns": "", "labels": "", "cpu_s": "s"}
AS_DESIGNED = {"corner=tt", "temperature_c=27.0", "supply_v=1.8"}
OFF_BY = {
    "environment.bias_step_v=0.001": "step_1mv",
    "environment.bias_step_v=0.005": "step_5mv",
    "environment.rest_shift_v=0.005": "rest_5mv",
    "environment.ripple_v=0.01": "ripple_10mv",
    "environment.source_capacitance_f=1e-13,environment.source_resistance_ohm=1000000.0": "source_1mohm_100ff",
    "environment.line_load_f=5e-14": "load_50ff",
    "environment.output_load_f=5e-14": "output_load_50ff",
    "supply_v=1.818": "supply_1_percent",
    "supply_v=1.782": "supply_1_percent_low",
    "temperature_c=30.0": "temperature_3c",
    "temperature_c=24.0": "temperature_3c_low",
    "corner=ff,temperature_c=85.0,supply_v=1.98": "fast_hot",
    "": "nothing",
}
"""What is not as designed in a condition of `cosim validate --sensitivity`, and what the figure is called."""

BIASES = {
    "fixed": ("", "biases as designed", ""),
    "replica": ("_replica", "four voltages held by replicas", "at most 5e-9"),
    "rebiased": ("_rebiased", "biased for the condition", ""),
    "calibrated": ("_calibrated", "programmed for the condition", ""),
}
"""By what `cosim validate --at` calls them: the end of the figure's name, what it is, what it shall be."""


def figures(quick: bool) -> Iterator[Figure]:
    """All that there are rows of; nothing is simulated.

    Raises `InputError` where there is none.
    """
    from benchmarks import classifier_chip, dies_trained  # which ask this module for their networks

    if not DIES.exists():
        raise InputError(f"{DIES}: is not there; make it with: python -m benchmarks.dies RUN")
    rows = pd.read_csv(DIES)
    own = rows[rows.condition == OWN]
    for name, value in summary(own).items() if len(own) else ():
        unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "s")
        yield Figure(name, value, unit, TARGETS.get(name, ""), _how(own))
    for condition, (name, most, labels) in OTHERS.items():
        some = rows[rows.condition == condition]
        if len(some):
            how = f"{condition}: {_how(some)}"
            yield Figure(f"dies.{name}_rmse_s", rms(some.after_rmse_s), "s", most, how)
            yield Figure(f"dies.{name}_labels", float(some.after_labels.mean()), "", labels, how)
    yield from _of_the_model()
    yield from dies_trained.figures()
    yield from _of_the_board()
    yield from classifier_chip.figures()


def _of_the_model() -> Iterator[Figure]:
    if not MODEL.exists():
        return
    rows = pd.read_csv(MODEL)
    for way, own in rows.groupby("way", sort=False):
        name, most, labels = OF_WAYS[str(way)]
        how = f"{len(own)} dies of the model, {way}, {own.patterns.max():.0f} patterns, {_age(own)}"
        yield Figure(f"dies.{name}_rmse_s", rms(own.rmse_s), "s", most, how)
        yield Figure(f"dies.{name}_labels", float(own.labels.mean()), "", labels, how)
        if way == "own biases":
            yield Figure("dies.coverage", float(own.within_two_sigma.mean()), "", "0.90 to 0.99", how)


def _of_the_board() -> Iterator[Figure]:
    if not BOARD.exists():
        return
    rows = pd.read_csv(BOARD)
    for row in rows[rows.biases.isin(BIASES)].itertuples():
        off = ",".join(part for part in row.condition.split(",") if part not in AS_DESIGNED)
        if off in OFF_BY:
            name, how, target = BIASES[row.biases]
            target = target if off.startswith(("supply_v=", "temperature_c=")) else ""
            how, figure = f"{row.samples} samples, {how}, {_age(rows)}", f"environment.{OFF_BY[off]}{name}"
            yield Figure(f"{figure}_s", row.rmse_s, "s", target, how)
            if not math.isnan(row.model_rmse_s):
                yield Figure(f"{figure}_model_s", row.model_rmse_s, "s", "", f"as the model expects it: {how}")


def _how(rows: pd.DataFrame) -> str:
    """How many dies, on how many flowers each (ten before rows said so), and how old."""
    return f"{len(rows)} dies in ngspice, {rows.samples.fillna(10).min():.0f} flowers each, {_age(rows)}"


def _age(rows: pd.DataFrame) -> str:
    days = (datetime.now(UTC).date() - date.fromisoformat(rows.day.min())).days
    return f"{days} days old"


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dies", description="Put the rows of a run into benchmarks/results."
    )
    parser.add_argument("run", type=Path, help="run directory of cosim calibrate")
    parser.add_argument("--model", type=int, default=0, metavar="DIES", help="also so many dies that its model draws")
    parser.add_argument("--way", choices=WAYS, default="own biases", help="how those are calibrated")
    arguments = parser.parse_args(words)

    def keep_all() -> None:
        _keep(arguments.run / "calibration/dies.parquet", DIES, ["condition", "die"])
        _keep(arguments.run / "conditions/errors.parquet", BOARD, ["condition", "biases"])
        if arguments.model:
            _keep_model_dies(arguments.run, arguments.model, arguments.way)

    return exit_code(keep_all)


def _keep(table: Path, file: Path, keys: list[str]) -> None:
    """The rows of a table of a run, in the place of those of the same keys."""
    if not table.exists():
        return
    day = datetime.fromtimestamp(table.stat().st_mtime, UTC)
    new = pd.read_parquet(table).assign(day=f"{day:%Y-%m-%d}")
    known = pd.read_csv(file) if file.exists() else new.iloc[:0]
    both = pd.concat([known, new]) if len(known) else new
    _write(both.drop_duplicates(keys, keep="last").sort_values(keys, kind="stable"), file)


def _write(rows: pd.DataFrame, file: Path) -> None:
    rows.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


def _keep_model_dies(run: Path, dies: int, way: str) -> None:
    """Rows of dies that the model draws, batch by batch; those that are there stay."""
    known = pd.read_csv(MODEL) if MODEL.exists() else pd.DataFrame(columns=["way", "die"])
    missing = sorted(set(range(1, dies + 1)) - set(known[known.way == way].die))
    nominal = nominal_of(run) if missing else None
    section = load_design(run / "design.toml").calibration.model_copy(update={"jitter_s": 0.0})
    for first in range(0, len(missing), BATCH):
        assert nominal is not None
        settings = replace(settings_of(section, True, nominal.phase_s), **WAYS[way])
        rows = pd.DataFrame(_model_dies(nominal, missing[first : first + BATCH], settings))
        new = rows.assign(way=way, day=f"{datetime.now(UTC):%Y-%m-%d}")
        known = pd.concat([known, new]) if len(known) else new
        _write(known.sort_values(["way", "die"], kind="stable"), MODEL)


def _model_dies(nominal: Nominal, seeds: Sequence[int], settings: Settings) -> Iterator[dict[str, float]]:
    """Dies that the model draws from its prior, side by side; a row each."""
    outputs = [len(layer.bias_v) for layer in nominal.program]
    chips = [ModelDie.drawn(nominal.circuits, outputs, seed) for seed in seeds]
    seen = [NoisyChip(chip, settings.jitter, seed) for chip, seed in zip(chips, seeds, strict=True)]
    found = calibrate(seen, nominal.circuits, nominal.program, nominal.samples, settings)
    tests = np.broadcast_to(nominal.tests, (len(chips), *nominal.tests.shape))
    truth = [np.stack([chip.unknown[layer] for chip in chips]) for layer in range(len(outputs))]
    spikes, patterns = sent(nominal.circuits, truth, found.program, tests), sum(one.shape[1] for one in found.patterns)
    for k, (seed, inside) in enumerate(zip(seeds, _inside(found, truth), strict=True)):
        judged = Judged.of([own[k] for own in spikes], nominal)
        yield {
            "die": seed, "patterns": patterns, "rmse_s": judged.rmse_s, "labels": judged.labels,
            "within_two_sigma": float(inside),
        }  # fmt: skip


def _inside(found: Calibrated, truth: list[np.ndarray]) -> np.ndarray:
    """Of every die the share of its unknowns that lie within two standard deviations of what they were found to be."""
    parts = [
        np.abs(estimate.unknown - true) < 2 * np.sqrt(np.einsum("dkii->dki", estimate.covariance))
        for estimate, true in zip(found.estimates, truth, strict=True)
    ]
    return np.asarray(np.concatenate([part.reshape(len(part), -1) for part in parts], 1).mean(1))


def nominal_of(run: Path, *, all_tests: bool = False, weights: Sequence[FloatArray] | None = None) -> Nominal:
    """The network of a run directory, or one with other weights on its hardware, without mismatch; it is judged by
    `calibration.samples` of the test set, or all of it."""
    design, hardware = load_design(run / "design.toml"), HardwareModel.load(run / "hardware.json")
    with Store(run / "points.sqlite") as store:
        discharger = discharger_current(Bench(design, design.process.pdk(), store, jobs=1), hardware)
    weights, data = weights or load_networks(run)["ode"].effective_weights(), in_double(spike_data(design.network))
    return Nominal.of(design, hardware, discharger, weights, data, len(data.test_t) if all_tests else design.calibration.samples)


if __name__ == "__main__":
    sys.exit(main())
