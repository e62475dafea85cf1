"""Metrics of model against circuit, from tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from cosim.bench.membrane import membrane_voltage
from cosim.characterize.measurements.switching_threshold import static_threshold
from cosim.simulator import Deck, OperatingPoint, Outcome, Point, Reason, SimulationError
from cosim.validation.metrics import error_metrics, firing_pairs, numerical_metrics
from cosim.validation.tables import Run, failure_table, first_spike, margin, second_judge_table
from training.hardware import HardwareModel

PHASE = 1e-6


def _spikes(mapping: str, error_s: float) -> pd.DataFrame:
    rows = []
    for sample in range(2):
        for layer in (1, 2):
            for neuron in range(5):
                model = 0.1e-6 * (neuron + 1) if neuron < 4 else PHASE
                circuit = model + error_s if neuron < 4 else PHASE
                rows.append((mapping, None, sample, layer, neuron, model, circuit))
    return pd.DataFrame(rows, columns=["mapping", "die", "sample", "layer", "neuron", "model_spike_s", "circuit_spike_s"])


def _tables(ode_error_s: float, conventional_error_s: float) -> dict[str, pd.DataFrame]:
    spikes = pd.concat([_spikes("ode", ode_error_s), _spikes("conventional", conventional_error_s)])
    membranes = spikes.assign(model_v=1.0, circuit_v=1.001)
    labels = pd.DataFrame(
        [
            ("ode", None, 0, 1, 1, 1),
            ("ode", None, 1, 2, 2, 0),
            ("conventional", None, 0, 1, 1, 1),
            ("conventional", None, 1, 2, 2, 2),
        ],
        columns=["mapping", "die", "sample", "label", "model_label", "circuit_label"],
    )
    sources = ["supply", "rest", "control", "spike_lines", "bias"]
    energy = pd.DataFrame([("ode", s, source, 1e-12, 1e-12 * (1.01 - 0.05 * s)) for s in range(2) for source in sources],
                          columns=["mapping", "sample", "source", "energy_j", "model_j"])  # fmt: skip
    return {"spikes": spikes, "membranes": membranes, "labels": labels, "energy": energy}


def test_rmse_counts_silent_pairs_and_the_firing_one_does_not() -> None:
    metrics = error_metrics(_tables(1e-9, 40e-9), PHASE)
    assert metrics["validation.ode.output_spike_rmse_s"] == pytest.approx(1e-9 * np.sqrt(4 / 5))
    assert metrics["validation.ode.firing_spike_rmse_s"] == pytest.approx(1e-9)
    assert metrics["validation.firing_share"] == pytest.approx(0.8)
    assert metrics["validation.error_ratio"] == pytest.approx(40.0)
    assert metrics["validation.ode.layer_1_membrane_rmse_v"] == pytest.approx(1e-3)
    assert metrics["validation.ode.membrane_rmse_v"] == pytest.approx(1e-3)


def test_a_die_is_its_seed_and_the_nominal_circuit_has_none() -> None:
    tables = _tables(1e-9, 40e-9)
    before = error_metrics(tables, PHASE)
    dies = [_spikes("ode", error_s).assign(die=seed) for seed, error_s in ((0, 50e-9), (7, 100e-9))]
    drawn = {"spikes": pd.concat([tables["spikes"], *dies]).astype({"die": "Int64"})}
    judged = [("ode", seed, sample, 1, 1, circuit) for seed, circuit in ((0, 1), (7, 2)) for sample in range(2)]
    drawn["labels"] = pd.concat([tables["labels"], pd.DataFrame(judged, columns=tables["labels"].columns)])
    metrics = error_metrics({**tables, **drawn}, PHASE)
    assert {name: metrics[name] for name in before} == before, "dies do not count as the nominal circuit"
    assert metrics["validation.mismatch.worst_die_rmse_s"] == pytest.approx(100e-9 * np.sqrt(4 / 5))
    assert metrics["validation.mismatch.output_spike_rmse_s"] == pytest.approx(np.sqrt((50e-9**2 + 100e-9**2) / 2 * 4 / 5))
    assert metrics["validation.mismatch.label_agreement"] == 0.5


def _runs(shift_s: float, samples: int = 3, layers: int = 2) -> list[Run]:
    rows = [{f"layer_{k}_spike_s": 1e-7 * np.arange(1, 5) + k * shift_s for k in range(1, layers + 1)} for _ in range(samples)]
    return [Run("ode", None, sample, row) for sample, row in enumerate(rows)]


def test_judges_are_told_apart_and_together() -> None:
    runs = [*_runs(0.0), Run("ode", 7, 0, None), Run("conventional", None, 0, None)]
    seconds = [*_runs(2e-12)[:2], Run("ode", None, 2, None)]
    table = second_judge_table(runs, seconds, 2)
    assert table.groupby(["sample", "layer"]).size().to_dict() == {(k, layer): 4 for k in (0, 1) for layer in (1, 2)}
    metrics = numerical_metrics(runs, _runs(1.5e-12)[:1], table, "layer_2_spike_s")
    assert metrics == {
        "validation.numerical_error_s": pytest.approx(3e-12),
        "validation.second_judge_rmse_s": pytest.approx(4e-12),
        "validation.second_judge_layer_1_rmse_s": pytest.approx(2e-12),
        "validation.second_judge_layer_2_rmse_s": pytest.approx(4e-12),
        "validation.second_judge_largest_s": pytest.approx(4e-12),
        "validation.second_judge_samples": 2.0,
        "validation.both_judges_error_s": pytest.approx(5e-12),
    }


def test_without_a_second_judge_only_the_first_speaks() -> None:
    table = second_judge_table(_runs(0.0), [], 2)
    metrics = numerical_metrics(_runs(0.0), _runs(1e-12)[:1], table, "layer_2_spike_s")
    assert table.empty and metrics == {"validation.numerical_error_s": pytest.approx(2e-12)}


def test_labels_and_energy() -> None:
    metrics = error_metrics(_tables(1e-9, 40e-9), PHASE)
    assert metrics["circuit.test_accuracy"] == 0.5
    assert metrics["validation.label_agreement"] == 0.5
    assert metrics["circuit.conventional_test_accuracy"] == 1.0
    assert metrics["energy.per_inference_j"] == pytest.approx(5e-12)


def test_the_error_of_predicted_energies_is_over_whole_samples_and_absent_where_nothing_is_predicted() -> None:
    tables = _tables(1e-9, 40e-9)
    metrics = error_metrics(tables, PHASE)
    assert metrics["energy.predicted_per_inference_j"] == pytest.approx(5 * (1.01e-12 + 0.96e-12) / 2)
    assert metrics["energy.predicted_rest_j"] == pytest.approx((1.01e-12 + 0.96e-12) / 2)
    assert metrics["energy.prediction_error"] == pytest.approx(np.sqrt((0.01**2 + 0.04**2) / 2))
    without = error_metrics(tables | {"energy": tables["energy"].assign(model_j=np.nan)}, PHASE)
    assert not any("predict" in name for name in without) and without["energy.per_inference_j"] == pytest.approx(5e-12)


def test_a_pair_fires_if_either_side_does() -> None:
    pairs = pd.DataFrame({"model_spike_s": [1.0, 0.5, 1.0, 0.99], "circuit_spike_s": [1.0, 1.0, 0.97, 0.985]})
    assert list(firing_pairs(pairs, 1.0)) == [False, True, True, False]


def test_a_tie_has_no_label() -> None:
    assert first_spike(np.array([0.5, 0.2, 0.9])) == 1
    assert first_spike(np.array([1.0, 1.0, 1.0])) == -1
    assert margin(np.array([0.5, 0.2, 0.9])) == pytest.approx(0.3)


def test_membrane_voltage_falls_from_rest_to_the_threshold() -> None:
    hardware = HardwareModel.reference()
    volts = membrane_voltage(np.array([0.0, 1.0, np.nan]), hardware)
    assert volts[0] == pytest.approx(hardware.neuron.rest.value, abs=1e-6)
    assert volts[1] == pytest.approx(hardware.neuron.threshold.value, abs=1e-3)
    assert np.isnan(volts[2])
    # beyond what was measured the map goes on instead of raising
    assert membrane_voltage(np.array([-3.0]), hardware)[0] > volts[0]


def test_a_failed_simulation_says_which_sample_it_was_and_how_to_try_it_again() -> None:
    deck = Deck("network", "r1 a 0 1k", "", OperatingPoint(), ("v(a)",), seed=7)
    condition = {"mapping": "ode", "die": 2, "sample": 3, "corner": "ss", "measurement": "network", "seed": None}
    error = SimulationError(Reason.TIMEOUT, "no answer in 300 s", deck.text())
    table = failure_table([Outcome(Point(condition, deck, static_threshold), None, error)], "cosim run x.toml")
    names = ["mapping", "die", "sample", "condition", "corner", "seed", "reason", "message", "rerun", "log", "deck"]
    assert list(table.columns) == names
    (row,) = table.to_dict("records")
    assert (row["mapping"], row["die"], row["sample"], row["corner"], row["seed"]) == ("ode", 2, 3, "ss", 7)
    assert row["condition"] == "mapping=ode,die=2,sample=3,corner=ss" and row["rerun"] == "cosim run x.toml"
    assert row["reason"] == "timeout" and "no answer in 300 s" in row["message"]
    assert failure_table([], "cosim run x.toml").empty
