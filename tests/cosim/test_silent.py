"""Neurons that the model calls silent by a margin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from cosim.bench.bench import Bench
from cosim.design import Design
from cosim.mapping.network import map_network
from cosim.simulator import WorkerPool
from cosim.validation.silent import MARGIN, left_out, silent_metrics, surely_silent
from cosim.validation.simulate import validate
from training.data.spikes import SpikeData
from training.evaluation import evaluate
from training.hardware import HardwareModel, normalise
from training.network import RCSpikeNetwork


def _network() -> RCSpikeNetwork:
    network = RCSpikeNetwork((5, 40, 4), normalise(HardwareModel.reference())).double()
    network.reset_parameters(torch.Generator().manual_seed(3))
    return network.eval()


def test_called_silent_is_what_stays_silent_however_much_of_the_margin_is_given() -> None:
    network = _network()
    t = torch.rand((30, 5), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    model = evaluate(network, t, torch.zeros(30, dtype=torch.long), 4)
    silent = surely_silent(network, t, model)
    assert [own.shape for own in silent] == [(30, 40), (30, 4)]
    for own, output in zip(silent, model.layers, strict=True):
        spikes = output.spike_times.numpy()
        assert (spikes[own] == 1.0).all()
        close = (spikes == 1.0) & ~own
        membranes = output.switched_membrane.numpy()
        assert membranes[own].max(initial=-np.inf) < membranes[close].min(initial=np.inf)
    assert silent[0].any() and ((model.layers[0].spike_times.numpy() == 1.0) & ~silent[0]).any(), "both kinds are there"
    assert 0.0 < MARGIN < 0.2


def test_a_share_of_them_is_simulated_all_the_same_and_always_the_same_one() -> None:
    silent = [np.ones((3, 4000), dtype=bool), np.zeros((3, 10), dtype=bool)]
    first, again, other = left_out(silent, 1), left_out(silent, 1), left_out(silent, 2)
    assert np.array_equal(first[0], again[0]) and not np.array_equal(first[0], other[0])
    assert 0.03 < 1 - first[0].mean() < 0.07
    assert not first[1].any()


def test_it_is_told_how_many_were_not_simulated_and_whether_those_that_were_fired() -> None:
    keys = {
        "mapping": "ode",
        "die": pd.array([None] * 4, dtype="Int64"),
        "sample": [0, 0, 1, 1],
        "layer": 1,
        "neuron": [0, 1, 0, 1],
    }
    table = pd.DataFrame({**keys, "circuit_spike_s": [1e-6, 1e-6, 4e-7, 1e-6], "simulated": [0, 1, 1, 1]})
    silent = [np.array([[True, True], [True, False]])]
    assert silent_metrics(table, silent, 1e-6) == {
        "validation.silent_skipped": 1.0,
        "validation.silent_skipped_share": 0.25,
        "validation.silent_checked": 2.0,
        "validation.silent_checked_firing": 1.0,
    }
    assert silent_metrics(table, [], 1e-6) == {}


@pytest.mark.slow
def test_energies_and_what_follows_from_them_are_of_the_samples_that_were_simulated_whole() -> None:
    section = {"skip_silent": True, "accuracy_samples": 1, "mismatch_dies": 0, "samples": 2}
    rough = {"reltol": 1e-3, "max_step_s": 50e-9}
    design = Design.model_validate({"name": "x", "accuracy": rough, "network": {"layers": [4, 3]}, "validation": section})
    hardware = HardwareModel.reference()
    columns, network = [hardware] * 2, RCSpikeNetwork((5, 4, 3), normalise(hardware)).double()
    network.reset_parameters(torch.Generator().manual_seed(3))
    with torch.no_grad():
        network.layers[0].weight[:2] = -0.5
    mapped = {"ode": map_network("ode", network.effective_weights(), columns)}
    t = torch.tensor([[0.1, 0.2, 0.5, 0.4, 0.3], [0.5, 0.1, 0.2, 0.6, 1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1])
    data = SpikeData(t, labels, t, labels, np.zeros(5), np.ones(5), [0, 1], [0, 1])
    with WorkerPool(jobs=2, timeout_s=300.0) as pool:
        bench = Bench(design, design.process.pdk(), None, pool=pool)
        cells = [bench.cells(column) for column in columns]
        found = validate(bench, cells, columns, {"ode": network.eval()}, mapped, data, 2, 0)
    spikes = found.tables["spikes"]
    left = spikes[spikes.simulated == 0]
    assert set(left["sample"]) == {1} and len(left) == found.metrics["validation.silent_skipped"]
    assert (left.circuit_spike_s == left.model_spike_s).all()
    assert set(found.tables["energy"]["sample"]) == {0}
    assert len(found.tables["membranes"]) == (spikes.simulated == 1).sum()
    assert found.metrics["energy.per_synaptic_event_j"] * found.metrics["energy.synaptic_events"] == pytest.approx(
        found.metrics["energy.per_inference_j"]
    )
    assert found.metrics["energy.synaptic_events"] >= 20, "of the first sample, all of whose inputs fire"


@pytest.mark.parametrize("settings", [{"engine": "flat"}, {"accuracy_samples": 0}])
def test_skipping_is_refused_where_it_cannot_be(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="skip_silent"):
        Design.model_validate({"name": "x", "validation": {"skip_silent": True, **settings}})
