"""Flat metrics of a validation, in SI units, from its tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from cosim.bench.lines import rms
from cosim.mapping.circuit import ENERGY_GROUPS
from cosim.validation.tables import CONVENTIONAL, ODE, Run, nominal, on_dies
from training.evaluation import Evaluation

FIRING_BEFORE = 0.98
"""Pairs that fire: model or circuit spikes before this share of the phase."""


def error_metrics(tables: dict[str, pd.DataFrame], phase_s: float) -> dict[str, float]:
    """RMSE of spikes and membranes by mapping, of the outputs and of every layer; their ratio, firing share, labels, energy."""
    spikes, membranes, labels = tables["spikes"], tables["membranes"], tables["labels"]
    spikes = spikes.assign(error_s=spikes.circuit_spike_s - spikes.model_spike_s)
    membranes = membranes.assign(error_v=membranes.circuit_v - membranes.model_v)
    metrics: dict[str, float] = {}
    last = int(spikes.layer.max())
    mappings = [name for name in (ODE, CONVENTIONAL) if (spikes.mapping == name).any()]
    for name in mappings:
        own_spikes, own_membranes, own = (nominal(table[table.mapping == name]) for table in (spikes, membranes, labels))
        output = own_spikes[own_spikes.layer == last]
        fires = firing_pairs(output, phase_s)
        metrics |= {
            f"validation.{name}.output_spike_rmse_s": rms(output.error_s),
            f"validation.{name}.firing_spike_rmse_s": rms(output.error_s[fires]),
            f"validation.{name}.largest_spike_error_s": float(output.error_s.abs().max()),
        }
        for layer in range(1, last + 1):
            metrics[f"validation.{name}.layer_{layer}_spike_rmse_s"] = rms(own_spikes[own_spikes.layer == layer].error_s)
            metrics[f"validation.{name}.layer_{layer}_membrane_rmse_v"] = rms(own_membranes[own_membranes.layer == layer].error_v)
        metrics[f"validation.{name}.membrane_rmse_v"] = rms(own_membranes.error_v)
        if name == ODE:
            metrics["validation.firing_share"] = float(fires.mean())
        prefix = "" if name == ODE else "conventional_"
        metrics[f"circuit.{prefix}test_accuracy"] = float((own.circuit_label == own.label).mean())
        metrics[f"validation.{prefix}label_agreement"] = float((own.circuit_label == own.model_label).mean())
    if CONVENTIONAL in mappings:
        metrics["validation.error_ratio"] = (
            metrics[f"validation.{CONVENTIONAL}.output_spike_rmse_s"] / metrics[f"validation.{ODE}.output_spike_rmse_s"]
        )
    return metrics | _mismatch_metrics(spikes, labels) | _energy_metrics(tables["energy"])


def firing_pairs(spikes: pd.DataFrame, phase_s: float) -> pd.Series:
    """Pairs of which the model or the circuit fires inside (0, 0.98 T)."""
    first = np.minimum(spikes.model_spike_s, spikes.circuit_spike_s)
    return (first > 0) & (first < FIRING_BEFORE * phase_s)


def _mismatch_metrics(spikes: pd.DataFrame, labels: pd.DataFrame) -> dict[str, float]:
    dies = on_dies(spikes[spikes.layer == spikes.layer.max()])
    if not len(dies):
        return {}
    per_die = dies.groupby("die").error_s.agg(rms)
    own = on_dies(labels)
    return {
        "validation.mismatch.output_spike_rmse_s": rms(dies.error_s),
        "validation.mismatch.worst_die_rmse_s": float(per_die.max()),
        "validation.mismatch.label_agreement": float((own.circuit_label == own.model_label).mean()),
        "circuit.mismatch_accuracy": float((own.circuit_label == own.label).mean()),
    }


def _energy_metrics(energy: pd.DataFrame) -> dict[str, float]:
    """Mean energy of an inference, in all and by source; the same of the model, and the rms of its error over the samples."""
    own = energy[energy.mapping == ODE]
    totals = own.groupby("source").energy_j.mean()
    metrics = {"energy.per_inference_j": float(totals.sum())} | {
        f"energy.{source}_j": float(totals[source]) for source in ENERGY_GROUPS
    }
    if own.model_j.isna().any():
        return metrics
    predicted = own.groupby("source").model_j.mean()
    samples = own.groupby("sample")[["energy_j", "model_j"]].sum()
    return metrics | {
        "energy.predicted_per_inference_j": float(predicted.sum()),
        **{f"energy.predicted_{source}_j": float(predicted[source]) for source in ENERGY_GROUPS},
        "energy.prediction_error": rms(samples.model_j / samples.energy_j - 1.0),
    }


def numerical_metrics(runs: list[Run], judged: list[Run], seconds: pd.DataFrame, spikes: str) -> dict[str, float]:
    """How sure the circuit's own spikes are: against a tenth of the tolerance, against another simulator, and both together.

    Args:
        runs, judged: as simulated for the validation, and more accurately.
        seconds: `second_judge_table`; may be empty.
        spikes: under what name a row holds the output spikes.
    """
    found = {**_numerical_error(runs, judged, spikes), **_second_judge_metrics(seconds)}
    parts = ("validation.numerical_error_s", "validation.second_judge_rmse_s")
    if all(name in found for name in parts):
        found["validation.both_judges_error_s"] = math.hypot(*(found[name] for name in parts))
    return found


def _numerical_error(runs: list[Run], judged: list[Run], spikes: str) -> dict[str, float]:
    """RMS difference of the output spikes of each mapping between how they were simulated and how they were judged, which is more
    accurate; `spikes` names them in a row."""
    metrics = {}
    for mapping, name in ((ODE, "numerical_error_s"), (CONVENTIONAL, f"{CONVENTIONAL}.numerical_error_s")):
        working = {run.sample: run.row for run in runs if run.mapping == mapping and run.die is None}
        pairs = [(run.row, working[run.sample]) for run in judged if run.mapping == mapping]
        differences = [fine[spikes] - row[spikes] for fine, row in pairs if fine is not None and row is not None]
        if differences:
            metrics[f"validation.{name}"] = rms(np.concatenate(differences))
    return metrics


def membrane_metrics(membranes: pd.DataFrame, supply_v: float) -> dict[str, float]:
    """How far the model's membranes go beyond ground and supply, which the circuit's cannot by much (ODE-aware, nominal)."""
    model = nominal(membranes[membranes.mapping == ODE]).model_v
    return {
        "validation.past_supply_share": float(((model < 0) | (model > supply_v)).mean()),
        "validation.highest_model_membrane_v": float(model.max()),
        "validation.lowest_model_membrane_v": float(model.min()),
    }


def _second_judge_metrics(table: pd.DataFrame) -> dict[str, float]:
    """RMS difference of the spikes between the two simulators, of the outputs and of every layer, and the largest."""
    if not len(table):
        return {}
    table = table.assign(error_s=table.judge_spike_s - table.circuit_spike_s)
    layers = {int(layer): rms(part.error_s) for layer, part in table.groupby("layer")}
    return {
        "validation.second_judge_rmse_s": layers[max(layers)],
        **{f"validation.second_judge_layer_{layer}_rmse_s": value for layer, value in layers.items()},
        "validation.second_judge_largest_s": float(table.error_s.abs().max()),
        "validation.second_judge_samples": float(table["sample"].nunique()),
    }


def model_metrics(model: Evaluation) -> dict[str, float]:
    return {
        "validation.early_share": model.early_share,
        "validation.nonlinear_share": model.nonlinear_share,
    }
