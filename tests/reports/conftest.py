"""A small synthetic run directory that follows docs/tables.md: made-up numbers that test the report, not the circuit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PHASE = 1e-6
ERROR_S = {"ode": 0.5e-9, "conventional": 40e-9}
DESIGN = """
name = "synthetic"
title = "Synthetic 5-5-5"

[neuron]
wire_capacitance_f = 32e-15

[timing]
phase_s = 1e-6

[limits]
"validation.ode.output_spike_rmse_s" = { max = 1.97e-9, typ = 0.5e-9 }
"validation.error_ratio" = { min = 20.0 }
"circuit.test_accuracy" = { min = 0.99 }
"""
METRICS = {
    "validation.ode.output_spike_rmse_s": 5.12e-10,
    "validation.conventional.output_spike_rmse_s": 4.12e-08,
    "validation.error_ratio": 80.5,
    "validation.samples": 12,
    "validation.numerical_error_s": 6.3e-11,
    "validation.label_agreement": 1.0,
    "circuit.test_accuracy": 0.96,
    "training.test_accuracy": 0.98,
    "energy.per_inference_j": 3.2e-12,
    "energy.prediction_error": 0.0123,
    "energy.synaptic_events": 32.0,
    "energy.per_synaptic_event_j": 1.025e-13,
    "energy.per_operation_j": 3.2e-14,
    "energy.time_bits": 9.1,
    "energy.weight_bits": 9.1,
    "energy.tops_per_w": 31.2,
    "energy.tops_per_w_weight_bits": 284.0,
    "energy.tops_per_w_normalised": 2584.0,
    "cost.latency_s": 3e-6,
    "cost.first_output_s": 2.31e-6,
    "cost.period_s": 2.1e-6,
    "cost.inferences_per_s": 476190.0,
    "cost.power_w": 1.52e-6,
    "cost.synapse_area_m2": 1.83e-10,
    "cost.neuron_area_m2": 6.4e-10,
    "cost.capacitor_area_m2": 4.9e-10,
    "cost.area_m2": 8.23e-10,
    "time.simulate_s": 123.4,
}
PROVENANCE = {
    "cosim": "0.1.0",
    "ngspice": {"version": "39", "options": {"reltol": 3e-6}},
    "seeds": [0, 1],
    "published_circuit": True,
    "stages": {"characterize": {"wall_s": 30.5, "cpu_s": 55.25}, "validate": {"wall_s": 210.0, "cpu_s": 400.5}},
}
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="80"><rect width="200" height="80" fill="none"/></svg>'


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_synthetic_run(tmp_path / "run")


@pytest.fixture(scope="session")
def write_run() -> Callable[[Path], Path]:
    """For what many tests share."""
    return write_synthetic_run


def write_synthetic_run(directory: Path) -> Path:
    for folder in ("characterization", "validation", "drawings"):
        (directory / folder).mkdir(parents=True)
    (directory / "design.toml").write_text(DESIGN)
    (directory / "metrics.json").write_text(json.dumps(METRICS))
    (directory / "provenance.json").write_text(json.dumps(PROVENANCE))
    (directory / "hardware.json").write_text(
        json.dumps(
            {"phase_s": PHASE, "neuron": {"capacitance_neuron": {"value": 1.1e-13}, "capacitance_synapse": {"value": 1.1e-15}}}
        )
    )
    (directory / "drawings" / "neuron.svg").write_text(DRAWING)
    for name, table in {**_characterization(), **_training(), **_validation()}.items():
        table.to_parquet(directory / f"{name}.parquet")
    return directory


def _characterization() -> dict[str, pd.DataFrame]:
    membrane = np.linspace(0.2, 1.7, 16)
    iv, fit, switching = [], [], []
    for sign, codes, slope in ((1, np.linspace(0.40, 0.68, 8), 0.41), (-1, np.linspace(1.30, 1.0, 8), -0.75)):
        for place, code in enumerate(codes):
            current = 2e-9 * np.exp(0.85 * place)
            line = current * (1 + slope * (membrane - 1.3))
            iv.append(
                pd.DataFrame({
                    "sign": sign, "code": code, "membrane_v": membrane, "fit_a": line,
                    "current_a": line * (1 + 0.002 * np.sin(5 * membrane + place)),
                })
            )  # fmt: skip
            weight = sign * current / 122e-9
            fit.append((sign, code, "V", current, weight, abs(slope) - 0.01 * place, 1 / abs(slope), 0.002))
            switching.append((sign, code, current, weight, sign * 5e-17, sign * (3 + place / 2) * 1e-16, sign * 2e-17))
    firing = np.linspace(-0.05, 0.9, 36)
    law = PHASE * (1 - firing / 0.872).clip(0, 1.05)
    charge = np.linspace(0, 150e-15, 12)
    return {
        "characterization/synapse_iv": pd.concat(iv),
        "characterization/synapse_fit": pd.DataFrame(
            fit, columns=["sign", "code", "code_unit", "current_a", "weight", "lambda_per_v", "reversal_v", "residual_fraction"]
        ),
        "characterization/switching": pd.DataFrame(
            switching, columns=["sign", "code", "current_a", "weight", "charge_on_c", "charge_off_c", "charge_off_tail_c"]
        ),
        "characterization/discharger_iv": pd.DataFrame(
            {"membrane_v": membrane, "current_a": 1.22e-7 * (1 + 0.176 * (membrane - 1.3)) + 1e-11 * np.sin(9 * membrane),
             "fit_a": 1.22e-7 * (1 + 0.176 * (membrane - 1.3))}
        ),
        "characterization/membrane": pd.concat(
            pd.DataFrame({"synapses": n, "charge_c": charge, "membrane_v": 1.3 - charge / (1.3e-13 + n * 2e-15)}) for n in (0, 5)
        ),
        "characterization/firing": pd.DataFrame(
            {"displacement_v": firing, "membrane_v": 1.3 - firing, "spike_s": np.maximum(law, 4e-8), "law_s": law}
        ),
        "characterization/published": pd.DataFrame(
            [("lambda_N", "1/V", 0.41, 0.4075, ""), ("E_plus", "", 2.80, 2.8125, "<unit weight>")],
            columns=["quantity", "unit", "published", "measured", "remark"],
        ),
    }  # fmt: skip


def _training() -> dict[str, pd.DataFrame]:
    epochs = np.arange(1, 201)
    history = pd.concat(
        pd.DataFrame({
            "mapping": name, "epoch": epochs, "loss": scale * np.exp(-epochs / 60) + 0.1,
            "train_accuracy": 1 - 0.6 * np.exp(-epochs / 30), "test_accuracy": 0.97 - 0.6 * np.exp(-epochs / 30),
        })
        for name, scale in (("ode", 1.2), ("conventional", 1.0))
    )  # fmt: skip
    mapping = pd.DataFrame(
        [(m, layer, n, i, w, max(w, -1.0), int(np.sign(w)) or 1, 0.5, "V", abs(w) * 1.2e-7)
         for m in ERROR_S for layer in (1, 2) for n in range(5) for i in range(5) for w in [0.5 * (n - i)]],
        columns=["mapping", "layer", "neuron", "input", "weight", "mapped_weight", "sign", "code", "code_unit", "current_a"],
    )  # fmt: skip
    return {"training": history, "mapping": mapping}


def _validation() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(0)
    keys = [
        (mapping, die, sample, layer, neuron)
        for mapping in ERROR_S
        for die in ((None, 1, 2) if mapping == "ode" else (None,))
        for sample in range(4 if die else 12)
        for layer in (1, 2)
        for neuron in range(5)
    ]
    pairs = pd.DataFrame(keys, columns=["mapping", "die", "sample", "layer", "neuron"]).astype({"die": "Int64"})
    scale = pairs.mapping.map(ERROR_S) * np.where(pairs.die.notna(), 20, 1)
    model = random.uniform(0.15, 1.0, len(pairs)) * PHASE
    spikes = pairs.assign(model_spike_s=model, circuit_spike_s=np.minimum(model + scale * random.normal(size=len(pairs)), PHASE))
    level = 1.3 - 0.872 * (1 - model / PHASE)
    membranes = pairs.assign(model_v=level, circuit_v=level + scale * 0.872e6 * random.normal(size=len(pairs)))
    labels = pairs[["mapping", "die", "sample"]].drop_duplicates(ignore_index=True)
    truth = labels["sample"] % 3
    labels = labels.assign(
        label=truth, model_label=truth, circuit_label=truth.where(labels["sample"] != 7, 1 - truth % 2),
        model_margin_s=1.234e-8, circuit_margin_s=-2e-9,
    )  # fmt: skip
    energy = pd.DataFrame(
        [(m, s, source, joule * (1 + 0.01 * s), 0.99 * joule if m == "ode" else np.nan) for m in ERROR_S for s in range(12)
         for source, joule in (("Vdd", 2.1e-12), ("V0", 5e-13), ("control", 4e-13), ("spike lines", 3e-13), ("bias", -1e-14))],
        columns=["mapping", "sample", "source", "energy_j", "model_j"],
    )  # fmt: skip
    gains = pd.DataFrame(
        [("coarse" if k < 9 else "fine", 0.8 + 0.1 * (k % 3) + 0.02 * (k // 9), 0.9 + 0.1 * (k // 3 % 3) + 0.02 * (k // 9),
          4e-8 + 1e-8 * abs(k - 4), 10)
         for k in range(15)],
        columns=["stage", "gain_plus", "gain_minus", "rmse_s", "samples"],
    )  # fmt: skip
    return {
        "validation/spikes": spikes,
        "validation/membranes": membranes,
        "validation/labels": labels,
        "validation/waveforms": _waveforms(),
        "validation/attribution": pd.DataFrame(
            [
                (term, layer, worth * layer, worth / 2)
                for layer in (1, 2)
                for term, worth in (("none", 1.8e-10), ("reversal", 1.2e-7), ("kick_off", 2e-8), ("curvature", 3e-10))
            ],
            columns=["left_out", "layer", "spike_rmse_s", "alone_rmse_s"],
        ),
        "validation/causes": pd.DataFrame(
            [
                (cause, kind, layer, left * layer, left, left / 3, left / 2)
                for layer in (1, 2)
                for cause, kind, left in (
                    ("ideal", "term", 1.2e-7),
                    ("reversal", "term", 2e-8),
                    ("kick_off", "term", 3e-10),
                    ("currents", "measured", 1e-10),
                    ("solver", "apart", 4e-10),
                )
            ],
            columns=["cause", "kind", "layer", "spike_rmse_s", "alone_rmse_s", "alone_mean_s", "moved_s"],
        ),
        "validation/neurons": pd.DataFrame(
            [
                (cause, kind, layer, neuron, 12, left * (1 + neuron), left / 3)
                for cause, kind, left in (
                    ("ideal", "term", 1.2e-7),
                    ("reversal", "term", 2e-8),
                    ("kick_off", "term", 3e-10),
                    ("currents", "measured", 1e-10),
                )
                for layer in (1, 2)
                for neuron in range(5)
            ],
            columns=["cause", "kind", "layer", "neuron", "firing", "alone_rmse_s", "alone_mean_s"],
        ),
        "validation/sensitivity": pd.DataFrame(
            [
                (device, layer, slope * layer, -slope, np.nan, np.nan)
                for layer in (1, 2)
                for device, slope in (("plus", 2e-9), ("minus", 1e-9), ("threshold", 6e-9), ("discharger", 4e-9))
            ],
            columns=["device", "layer", "per_percent_s", "mean_per_percent_s", "sigma", "dies_rmse_s"],
        ),
        "validation/energy": energy,
        "validation/gain_search": gains,
    }


def _waveforms() -> pd.DataFrame:
    time = np.linspace(0, 3 * PHASE, 301)
    lines = []
    for mapping in ERROR_S:
        for sample in (0, 1, 2):
            for row, layer in enumerate((1, 2)):
                for neuron in range(5):
                    phase = np.clip(time / PHASE - row, 0, 2)
                    drop = np.minimum(phase, 1) * 0.15 * (neuron + sample / 4) + np.clip(phase - 1, 0, 1) * 0.3
                    error = 0.02 if mapping == "conventional" else 0.001
                    lines.append(
                        pd.DataFrame({
                            "mapping": mapping, "sample": sample, "layer": layer, "neuron": neuron, "time_s": time,
                            "circuit_v": 1.3 - drop, "model_v": 1.3 - drop * (1 + error * 4),
                        })
                    )  # fmt: skip
    return pd.concat(lines)
