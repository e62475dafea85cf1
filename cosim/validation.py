"""Model against circuit: the whole network in ngspice, sample by sample, beside the model that was trained.

End to end: both start from the same input spikes; the model's output layer gets the model's own hidden spikes, the circuit's the
circuit's. No spike counts as the end of the phase on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.characterize.bench import Accuracy, Bench, Row
from cosim.failures import failure_row
from cosim.mapping import MappedNetwork
from cosim.mismatch_prediction import predicted_mismatch
from cosim.network_circuit import ENERGY_GROUPS, WAVEFORM_POINTS, sample_point
from cosim.simulator import Deck, Outcome, Point
from netlists.crossbar import Cells
from netlists.network import LAYERS
from training.data import SpikeData
from training.evaluation import Evaluation, evaluate
from training.hardware import HardwareModel
from training.network import RCSpikeNetwork
from training.trajectory import trajectory

FloatArray = NDArray[np.float64]

FIRING_BEFORE = 0.98
"""Pairs that fire: model or circuit spikes before this share of the phase."""

EARLY_BEFORE = 0.1
"""Before this share of the phase a neuron is still starting up."""

NOMINAL = 0
ODE, CONVENTIONAL = "ode", "conventional"


@dataclass(frozen=True)
class Validation:
    """Tables (validation/NAME.parquet) and flat metrics in SI units."""

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]


@dataclass(frozen=True)
class _Task:
    """What to simulate: one sample of a mapping, on the nominal circuit or on a mismatch die."""

    mapped: MappedNetwork
    sample: int
    accuracy: Accuracy
    die: int = NOMINAL
    mismatch_seed: int | None = None


@dataclass(frozen=True)
class _Run:
    """What one simulated sample is: which mapping, die and sample, and what came back (None: it failed)."""

    mapping: str
    die: int
    sample: int
    row: Row | None


def validate(
    bench: Bench,
    cells: Cells,
    hardware: HardwareModel,
    networks: dict[str, RCSpikeNetwork],
    mapped: dict[str, MappedNetwork],
    data: SpikeData,
    samples: int,
    dies: int,
    progress: Callable[[str], None] = lambda _: None,
    rerun: str = "",
) -> Validation:
    """Simulate the test samples with both mappings, mismatch dies of the ODE-aware one, and a few again more accurately.

    Args:
        networks, mapped: by mapping, `ode` and `conventional`; networks in float64.
        samples: test samples, the first of `data`.
        dies: mismatch dies (device mismatch drawn by ngspice, process nominal).
        rerun: the command that tries failed simulations again.
    """
    inputs = data.test_t[:samples].numpy()
    models = {name: evaluate(network, data.test_t[:samples], data.test_labels[:samples], data.classes)
              for name, network in networks.items()}  # fmt: skip
    failed_before = len(bench.failures)
    progress(f"transistor-level simulation of {samples} samples, both mappings, and {dies} mismatch dies")
    judged, runs = _simulate(
        bench, cells, inputs, _judging_tasks(bench, mapped, samples), _validation_tasks(bench, mapped, samples, dies)
    )
    tables = {
        "spikes": spike_table(runs, models, hardware),
        "membranes": membrane_table(runs, models, hardware),
        "labels": label_table(runs, models, data, hardware),
        "waveforms": waveform_table(runs, networks, models, inputs, hardware),
        "energy": energy_table(runs),
        "failures": failure_table(bench.failures[failed_before:], rerun),
    }
    on_dies = data.test_t[: _samples_on_dies(bench, samples)]
    metrics = {
        **error_metrics(tables, hardware.phase_s),
        **numerical_error(runs, judged),
        **_model_metrics(models[ODE]),
        **(predicted_mismatch(networks[ODE], on_dies, data.classes, hardware) if dies else {}),
        "validation.samples": float(samples),
        "validation.mismatch_dies": float(dies),
        "validation.failed_simulations": float(len(tables["failures"])),
    }
    return Validation({name: table for name, table in tables.items() if len(table)}, metrics)


def _samples_on_dies(bench: Bench, samples: int) -> int:
    """How many of the samples, the first ones, each mismatch die gets."""
    return min(bench.design.validation.mismatch_samples, samples)


def _judging_tasks(bench: Bench, mapped: dict[str, MappedNetwork], samples: int) -> list[_Task]:
    """Samples repeated more accurately: they tell the numerical error."""
    count = min(bench.design.validation.accuracy_samples, samples)
    return [_Task(mapped[ODE], sample, bench.judging) for sample in range(count)]


def _validation_tasks(bench: Bench, mapped: dict[str, MappedNetwork], samples: int, dies: int) -> list[_Task]:
    """Both nominal circuits on all samples, and the dies on a few."""
    settings = bench.design.validation
    few = range(_samples_on_dies(bench, samples))
    return [
        *(_Task(mapped[ODE], sample, bench.working) for sample in range(samples)),
        *(_Task(mapped[CONVENTIONAL], sample, bench.coarse) for sample in range(samples)),
        *(
            _Task(mapped[ODE], sample, bench.coarse, die, settings.mismatch_seed + die - 1)
            for die in range(1, dies + 1)
            for sample in few
        ),
    ]


def _simulate(bench: Bench, cells: Cells, inputs: FloatArray, *groups: list[_Task]) -> list[list[_Run]]:
    """All groups in one batch, the longest simulations first, so that no processor waits for another."""
    rows = iter(bench.run([_point(bench, cells, task, inputs[task.sample]) for group in groups for task in group]))
    return [[_Run(task.mapped.name, task.die, task.sample, next(rows)) for task in group] for group in groups]


def _point(bench: Bench, cells: Cells, task: _Task, t: FloatArray) -> Point:
    corner = str(bench.design.process.corner)
    condition = {"sample": task.sample, "die": task.die, "corner": corner, "reltol": task.accuracy.reltol}
    return sample_point(
        bench, cells, task.mapped, t, condition,
        accuracy=task.accuracy, mismatch_seed=task.mismatch_seed, energy=task.die == NOMINAL,
    )  # fmt: skip


def example_decks(bench: Bench, cells: Cells, mapped: dict[str, MappedNetwork], data: SpikeData) -> dict[str, Deck]:
    """The first test sample of each mapping as a stand-alone deck."""
    t = data.test_t[0].numpy()
    return {
        f"{name}_sample_0": _point(bench, cells, _Task(network, 0, bench.working), t).deck for name, network in mapped.items()
    }


def _keys(run: _Run, layer: str, neurons: int) -> dict[str, Any]:
    return {"mapping": run.mapping, "die": run.die, "sample": run.sample, "layer": layer, "neuron": np.arange(neurons)}


def spike_table(runs: list[_Run], models: dict[str, Evaluation], hardware: HardwareModel) -> pd.DataFrame:
    """One row per neuron and sample: model and circuit spike after the start of the layer's firing phase (s)."""
    frames = []
    for run, layer, k in _alive(runs):
        model = models[run.mapping].layers[k].spike_times[run.sample].numpy() * hardware.phase_s
        circuit = run.row[f"{layer}_spike_s"]  # type: ignore[index]
        frames.append(pd.DataFrame({**_keys(run, layer, len(model)), "model_spike_s": model, "circuit_spike_s": circuit}))
    return pd.concat(frames, ignore_index=True)


def membrane_table(runs: list[_Run], models: dict[str, Evaluation], hardware: HardwareModel) -> pd.DataFrame:
    """One row per neuron and sample: membranes at the end of accumulation (V)."""
    frames = []
    for run, layer, k in _alive(runs):
        model = membrane_voltage(models[run.mapping].layers[k].membrane[run.sample].numpy(), hardware)
        circuit = run.row[f"{layer}_membrane_v"]  # type: ignore[index]
        frames.append(pd.DataFrame({**_keys(run, layer, len(model)), "model_v": model, "circuit_v": circuit}))
    return pd.concat(frames, ignore_index=True)


def membrane_voltage(v: FloatArray, hardware: HardwareModel) -> FloatArray:
    """Voltage of a normalised membrane v; NaN stays. Beyond what was measured the map goes on with unit slope."""
    curve = hardware.neuron.membrane
    displacement = v * hardware.neuron.v_th_v
    inside = np.clip(np.nan_to_num(displacement), curve.x[0], curve.x[-1])
    return np.where(np.isnan(v), np.nan, curve(inside) - (displacement - inside))


def label_table(runs: list[_Run], models: dict[str, Evaluation], data: SpikeData, hardware: HardwareModel) -> pd.DataFrame:
    """One row per sample: the class whose output spikes first; margins are runner-up minus first (s); no single first is -1."""
    rows = []
    for run in runs:
        if run.row is None:
            continue
        model = models[run.mapping].spike_times[run.sample].numpy()[: data.classes] * hardware.phase_s
        circuit = run.row["output_spike_s"][: data.classes]
        rows.append(
            {
                "mapping": run.mapping, "die": run.die, "sample": run.sample, "label": int(data.test_labels[run.sample]),
                "model_label": first_spike(model), "circuit_label": first_spike(circuit),
                "model_margin_s": margin(model), "circuit_margin_s": margin(circuit),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def first_spike(spikes_s: FloatArray) -> int:
    """Index of the earliest spike; -1 where it is not alone."""
    return int(np.argmin(spikes_s)) if margin(spikes_s) > 0 else -1


def margin(spikes_s: FloatArray) -> float:
    """Second spike minus first."""
    first, second = np.sort(spikes_s)[:2]
    return float(second - first)


def waveform_table(
    runs: list[_Run],
    networks: dict[str, RCSpikeNetwork],
    models: dict[str, Evaluation],
    inputs: FloatArray,
    hardware: HardwareModel,
) -> pd.DataFrame:
    """Membranes of the nominal circuits over accumulation and firing, beside the model's; time zero is the hidden layer's."""
    times = np.linspace(0.0, 2.0, WAVEFORM_POINTS)
    frames = []
    for run, layer, k in _alive(runs):
        if run.die != NOMINAL:
            continue
        network, model = networks[run.mapping], models[run.mapping]
        spikes = inputs[run.sample] if k == 0 else model.layers[k - 1].spike_times[run.sample].numpy()
        weights = network.effective_weights()[k]
        v = membrane_voltage(trajectory(list(network)[k].model, weights, spikes, times), hardware)
        circuit = run.row[f"{layer}_waveform_v"].reshape(len(weights), WAVEFORM_POINTS)  # type: ignore[index]
        for neuron in range(len(weights)):
            keys = {"mapping": run.mapping, "sample": run.sample, "layer": layer, "neuron": neuron}
            columns = {"time_s": (times + k) * hardware.phase_s, "circuit_v": circuit[neuron], "model_v": v[:, neuron]}
            frames.append(pd.DataFrame({**keys, **columns}))
    return pd.concat(frames, ignore_index=True)


def energy_table(runs: list[_Run]) -> pd.DataFrame:
    """Energy per source and sample of the nominal circuits (J): one inference, both layers, the resets included."""
    rows = [
        {"mapping": run.mapping, "sample": run.sample, "source": source, "energy_j": run.row[f"{source}_energy_j"]}
        for run in runs
        if run.row is not None and run.die == NOMINAL
        for source in ENERGY_GROUPS
    ]
    return pd.DataFrame(rows)


def failure_table(failures: list[Outcome], rerun: str) -> pd.DataFrame:
    """One row per simulation that failed: of which circuit and sample, condition, seed, reason, deck."""
    return pd.DataFrame(
        [
            {**{name: outcome.point.condition.get(name) for name in ("mapping", "die", "sample")}, **failure_row(outcome, rerun)}
            for outcome in failures
        ]
    )


def _alive(runs: list[_Run]) -> list[tuple[_Run, str, int]]:
    return [(run, layer, k) for run in runs if run.row is not None for k, layer in enumerate(LAYERS)]


def rms(values: Any) -> float:
    """Root mean square; NaN of nothing."""
    array = np.asarray(values, dtype=float)
    return float(np.sqrt(np.mean(array**2))) if array.size else float("nan")


def error_metrics(tables: dict[str, pd.DataFrame], phase_s: float) -> dict[str, float]:
    """RMSE of spikes and membranes by mapping, their ratio, firing share, labels, energy."""
    spikes, membranes, labels = tables["spikes"], tables["membranes"], tables["labels"]
    spikes = spikes.assign(error_s=spikes.circuit_spike_s - spikes.model_spike_s)
    membranes = membranes.assign(error_v=membranes.circuit_v - membranes.model_v)
    metrics: dict[str, float] = {}
    for name in (ODE, CONVENTIONAL):
        nominal = spikes[(spikes.mapping == name) & (spikes.die == NOMINAL)]
        output = nominal[nominal.layer == "output"]
        fires = firing_pairs(output, phase_s)
        metrics |= {
            f"validation.{name}.output_spike_rmse_s": rms(output.error_s),
            f"validation.{name}.hidden_spike_rmse_s": rms(nominal[nominal.layer == "hidden"].error_s),
            f"validation.{name}.firing_spike_rmse_s": rms(output.error_s[fires]),
            f"validation.{name}.largest_spike_error_s": float(output.error_s.abs().max()),
        }
        for layer in LAYERS:
            chosen = (membranes.mapping == name) & (membranes.die == NOMINAL) & (membranes.layer == layer)
            metrics[f"validation.{name}.{layer}_membrane_rmse_v"] = rms(membranes.error_v[chosen])
        whole = (membranes.mapping == name) & (membranes.die == NOMINAL)
        metrics[f"validation.{name}.membrane_rmse_v"] = rms(membranes.error_v[whole])
        if name == ODE:
            metrics["validation.firing_share"] = float(fires.mean())
        own = labels[(labels.mapping == name) & (labels.die == NOMINAL)]
        prefix = "" if name == ODE else "conventional_"
        metrics[f"circuit.{prefix}test_accuracy"] = float((own.circuit_label == own.label).mean())
        metrics[f"validation.{prefix}label_agreement"] = float((own.circuit_label == own.model_label).mean())
    metrics["validation.error_ratio"] = (
        metrics[f"validation.{CONVENTIONAL}.output_spike_rmse_s"] / metrics[f"validation.{ODE}.output_spike_rmse_s"]
    )
    return metrics | _mismatch_metrics(spikes, labels) | _energy_metrics(tables["energy"])


def firing_pairs(spikes: pd.DataFrame, phase_s: float) -> pd.Series:
    """Pairs of which the model or the circuit fires inside (0, 0.98 T)."""
    first = np.minimum(spikes.model_spike_s, spikes.circuit_spike_s)
    return (first > 0) & (first < FIRING_BEFORE * phase_s)


def _mismatch_metrics(spikes: pd.DataFrame, labels: pd.DataFrame) -> dict[str, float]:
    dies = spikes[(spikes.die != NOMINAL) & (spikes.layer == "output")]
    if not len(dies):
        return {}
    per_die = dies.groupby("die").error_s.agg(rms)
    own = labels[labels.die != NOMINAL]
    return {
        "validation.mismatch.output_spike_rmse_s": rms(dies.error_s),
        "validation.mismatch.worst_die_rmse_s": float(per_die.max()),
        "validation.mismatch.label_agreement": float((own.circuit_label == own.model_label).mean()),
        "circuit.mismatch_accuracy": float((own.circuit_label == own.label).mean()),
    }


def _energy_metrics(energy: pd.DataFrame) -> dict[str, float]:
    own = energy[energy.mapping == ODE]
    totals = own.groupby("source").energy_j.mean()
    return {"energy.per_inference_j": float(totals.sum())} | {
        f"energy.{source}_j": float(totals[source]) for source in ENERGY_GROUPS
    }


def numerical_error(runs: list[_Run], judged: list[_Run]) -> dict[str, float]:
    """RMS difference of the output spikes between the working and a ten times smaller tolerance."""
    working = {run.sample: run.row for run in runs if run.mapping == ODE and run.die == NOMINAL}
    pairs = [(run.row, working[run.sample]) for run in judged]
    differences = [fine["output_spike_s"] - row["output_spike_s"] for fine, row in pairs if fine is not None and row is not None]
    return {"validation.numerical_error_s": rms(np.concatenate(differences))} if differences else {}


def _model_metrics(model: Evaluation) -> dict[str, float]:
    return {
        "validation.early_share": model.early_share,
        "validation.nonlinear_share": model.nonlinear_share,
    }
