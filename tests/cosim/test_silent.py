"""Neurons that the model calls silent by a margin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from cosim.design import Design
from cosim.validation.silent import MARGIN, left_out, silent_metrics, surely_silent
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


@pytest.mark.parametrize("settings", [{"engine": "flat"}, {"accuracy_samples": 0}])
def test_skipping_is_refused_where_it_cannot_be(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="skip_silent"):
        Design.model_validate({"name": "x", "validation": {"skip_silent": True, **settings}})
