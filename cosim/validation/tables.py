"""The tables of a validation: circuit and model side by side, one row per sample and neuron."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.bench.membrane import membrane_voltage
from cosim.mapping.circuit import ENERGY_GROUPS, WAVEFORM_POINTS, output_spikes
from cosim.runs.failures import failure_row
from cosim.simulator import Outcome, Row
from netlists.network import layer_name
from training.data.spikes import SpikeData
from training.evaluation import Evaluation
from training.hardware import HardwareModel
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.trajectory import trajectory
from training.wiring import by_blocks

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ODE, CONVENTIONAL = "ode", "conventional"


@dataclass(frozen=True)
class Run:
    """One simulated sample: which mapping, on which die (None: the nominal circuit), and what came back (None: it failed)."""

    mapping: str
    die: int | None
    sample: int
    row: Row | None


def nominal(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the nominal circuits, which have no die."""
    return table[table.die.isna()]


def on_dies(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of circuits with mismatch, each die called by its seed."""
    return table[table.die.notna()]


def _dies(dies: list[int | None]) -> Any:
    """A column of dies."""
    return pd.array(dies, dtype="Int64")


def _keys(run: Run, layer: int, neurons: int) -> dict[str, Any]:
    dies = _dies([run.die] * neurons)
    return {"mapping": run.mapping, "die": dies, "sample": run.sample, "layer": layer, "neuron": np.arange(neurons)}


def spike_table(runs: list[Run], models: dict[str, Evaluation], columns: Sequence[HardwareModel]) -> pd.DataFrame:
    """One row per neuron and sample: model and circuit spike after the start of the layer's firing phase (s).

    A neuron that was not simulated is taken to be silent.
    """
    frames = []
    for run, row, layer in _layers_of(runs, len(columns)):
        model = models[run.mapping].layers[layer - 1].spike_times[run.sample].numpy() * columns[0].phase_s
        circuit = row[f"{layer_name(layer)}_spike_s"]
        values = {"model_spike_s": model, "circuit_spike_s": circuit, "simulated": _simulated(row, layer).astype(int)}
        frames.append(pd.DataFrame({**_keys(run, layer, len(model)), **values}))
    return pd.concat(frames, ignore_index=True)


def membrane_table(runs: list[Run], models: dict[str, Evaluation], columns: Sequence[HardwareModel]) -> pd.DataFrame:
    """One row per neuron and sample that was simulated: membranes at the end of accumulation (V)."""
    frames = []
    for run, row, layer in _layers_of(runs, len(columns)):
        model = membrane_voltage(models[run.mapping].layers[layer - 1].membrane[run.sample].numpy(), columns[layer - 1])
        circuit = row[f"{layer_name(layer)}_membrane_v"]
        table = pd.DataFrame({**_keys(run, layer, len(model)), "model_v": model, "circuit_v": circuit})
        frames.append(table[_simulated(row, layer)])
    return pd.concat(frames, ignore_index=True)


def label_table(
    runs: list[Run], models: dict[str, Evaluation], data: SpikeData, columns: Sequence[HardwareModel]
) -> pd.DataFrame:
    """One row per sample: the class whose output spikes first; margins are runner-up minus first (s); no single first is -1."""
    rows, spikes = [], output_spikes(len(columns))
    for run in runs:
        if run.row is None:
            continue
        model = models[run.mapping].spike_times[run.sample].numpy()[: data.classes] * columns[0].phase_s
        circuit = run.row[spikes][: data.classes]
        rows.append(
            {
                "mapping": run.mapping, "die": run.die, "sample": run.sample, "row": data.test_rows[run.sample],
                "label": int(data.test_labels[run.sample]),
                "model_label": first_spike(model), "circuit_label": first_spike(circuit),
                "model_margin_s": margin(model), "circuit_margin_s": margin(circuit),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).astype({"die": "Int64"})


def first_spike(spikes_s: FloatArray) -> int:
    """Index of the earliest spike; -1 where it is not alone."""
    return int(np.argmin(spikes_s)) if margin(spikes_s) > 0 else -1


def margin(spikes_s: FloatArray) -> float:
    """Second spike minus first."""
    first, second = np.sort(spikes_s)[:2]
    return float(second - first)


def waveform_table(
    runs: list[Run],
    networks: dict[str, RCSpikeNetwork],
    models: dict[str, Evaluation],
    inputs: FloatArray,
    columns: Sequence[HardwareModel],
) -> pd.DataFrame:
    """Membranes of the nominal circuits over accumulation and firing, beside the model's; time zero is the first layer's."""
    times = np.linspace(0.0, 2.0, WAVEFORM_POINTS)
    frames = []
    for run, row, layer in _layers_of([run for run in runs if run.die is None], len(columns)):
        network, model, k = networks[run.mapping], models[run.mapping], layer - 1
        spikes = inputs[run.sample] if k == 0 else model.layers[k - 1].spike_times[run.sample].numpy()
        layer_model, weights = list(network)[k], network.effective_weights()[k]
        v = membrane_voltage(layer_trajectory(layer_model, weights, spikes, times), columns[k])
        circuit = row[f"{layer_name(layer)}_waveform_v"].reshape(len(weights), WAVEFORM_POINTS)
        for neuron in np.flatnonzero(_simulated(row, layer)):
            keys = {"mapping": run.mapping, "sample": run.sample, "layer": layer, "neuron": neuron}
            values = {"time_s": (times + k) * columns[k].phase_s, "circuit_v": circuit[neuron], "model_v": v[:, neuron]}
            frames.append(pd.DataFrame({**keys, **values}))
    return pd.concat(frames, ignore_index=True)


def layer_trajectory(layer: RCSpikeLayer, weights: FloatArray, spikes: FloatArray, times: FloatArray) -> FloatArray:
    """Membranes [times, neurons] of a layer, whose neurons need not hang on all lines; the rest as in `trajectory`."""
    return by_blocks(layer.lines, lambda own, lines: trajectory(layer.model, weights[own], spikes[lines], times))


def energy_table(runs: list[Run], predicted: dict[tuple[str, str], FloatArray]) -> pd.DataFrame:
    """Energy per source and sample of the nominal circuits (J): one inference, all layers, the resets included; of samples all of
    whose neurons were simulated.

    `predicted` is that of the model by mapping and source, [samples]; NaN in the table where there is none.
    """
    rows = [
        {
            "mapping": run.mapping, "sample": run.sample, "source": source, "energy_j": run.row[f"{source}_energy_j"],
            "model_j": float(predicted[run.mapping, source][run.sample]) if (run.mapping, source) in predicted else math.nan,
        }
        for run in runs
        if run.row is not None and run.die is None
        for source in ENERGY_GROUPS
        if not math.isnan(run.row[f"{source}_energy_j"])
    ]  # fmt: skip
    return pd.DataFrame(rows)


def second_judge_table(runs: list[Run], seconds: list[Run], layers: int) -> pd.DataFrame:
    """One row per neuron and sample that both simulators did: the circuit's spike in ngspice and in the other (s)."""
    first = {run.sample: run.row for run in runs if run.mapping == ODE and run.die is None}
    frames = []
    for run, row, layer in _layers_of(seconds, layers):
        if (own := first[run.sample]) is not None:
            spikes = f"{layer_name(layer)}_spike_s"
            keys = {"sample": run.sample, "layer": layer, "neuron": np.arange(len(row[spikes]))}
            frames.append(pd.DataFrame({**keys, "circuit_spike_s": own[spikes], "judge_spike_s": row[spikes]}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def failure_table(failures: list[Outcome], rerun: str) -> pd.DataFrame:
    """One row per simulation that failed: of which circuit and sample, condition, seed, reason, deck."""
    rows = [
        {**{name: outcome.point.condition.get(name) for name in ("mapping", "die", "sample")}, **failure_row(outcome, rerun)}
        for outcome in failures
    ]
    return pd.DataFrame(rows).astype({"die": "Int64"} if rows else {})


def _simulated(row: Row, layer: int) -> BoolArray:
    """Which neurons of a layer were, [neurons]: of the others no membrane is known."""
    known: BoolArray = np.isfinite(row[f"{layer_name(layer)}_membrane_v"])
    return known


def _layers_of(runs: list[Run], layers: int) -> Iterator[tuple[Run, Row, int]]:
    """Every layer, counted from 1, of every run that did not fail."""
    return ((run, run.row, layer) for run in runs if run.row is not None for layer in range(1, layers + 1))
