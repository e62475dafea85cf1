"""How far the model is from a network that is simulated as it was laid out, with what it knows of places and without.

The run is that of `cosim run designs/iris_5_5_5_layout.toml`, in the folder `runs` of the checkout or in the one that COSIM_RUNS
names in the environment: some 40 s of CPU time a sample.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks.figure import Figure, stored

RUN = "iris_5_5_5_layout"
BEFORE = "leakage"
"""The last of the terms that every place has alike."""

STEPS = {
    "capacitance_by_place": "with the capacitance of each membrane",
    "kick_by_place": "with the kick of each synapse",
    "kick_off_by_place": "with the charges that lines of their length leave as they fall",
    "delay_by_place": "with the load of each line",
    "coupling": "with what lies between membranes",
    "drop": "with the drop on the lines that feed the rows",
}


def run_folder() -> Path | None:
    """Where there is a run that was validated."""
    folder = Path(os.environ.get("COSIM_RUNS", Path(__file__).parents[2] / "runs")) / RUN
    return folder if (folder / "validation/causes.parquet").exists() else None


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where there is no run."""
    folder = run_folder()
    if folder is None:
        yield from stored("layout.spikes")
        return
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    yield from _of_causes(pd.read_parquet(folder / "validation/causes.parquet"), _told(metrics))
    yield from _of_metrics(metrics)


def _told(metrics: dict[str, float]) -> str:
    return f"{metrics['validation.samples']:.0f} samples of a run of {RUN}, end to end, neurons that fire"


def _of_causes(causes: pd.DataFrame, told: str) -> Iterator[Figure]:
    """The rms of circuit minus model, term by term."""
    for layer, own in causes[causes.kind == "term"].groupby("layer"):
        name = "output" if layer == causes.layer.max() else "hidden"
        left = own.set_index("cause").spike_rmse_s
        # a term that changes nothing has no row
        known = left.loc[: left.index[left.index.get_indexer_for(_places(left.index))[0] - 1]]
        prefix = "" if name == "output" else "hidden_"
        yield Figure(f"layout.{prefix}one_synapse_for_all_rmse_s", known.iloc[-1], "s", "", f"{name} spikes; {told}")
        for cause, step in STEPS.items():
            if cause in left.index:
                yield Figure(f"layout.{prefix}{cause}_rmse_s", left[cause], "s", "", f"{name} spikes, {step} too; {told}")
        target = "at most 0.5e-9" if name == "output" else ""
        yield Figure(f"layout.{name}_spike_rmse_s", left.iloc[-1], "s", target, f"the whole model; {told}")


def _places(causes: pd.Index) -> list[str]:
    return [cause for cause in causes if cause in STEPS]


def _of_metrics(metrics: dict[str, float]) -> Iterator[Figure]:
    known = {
        "layout.error_ratio": ("validation.error_ratio", "", "at least 100", "conventional over ODE-aware"),
        "layout.numerical_error_s": (
            "validation.numerical_error_s",
            "s",
            "a fifth of the error",
            "against a tenth of the tolerance",
        ),
        "layout.energy_prediction_error": (
            "energy.prediction_error",
            "",
            "at most 0.07",
            "rms of what the model predicts of an inference over what the circuit draws",
        ),
        "layout.label_agreement": ("validation.label_agreement", "", "1", "of circuit and model"),
    }
    for name, (metric, unit, target, detail) in known.items():
        if metric in metrics:
            yield Figure(name, metrics[metric], unit, target, detail)
