"""What each term of the model is worth, on a circuit that is a model itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cosim.validation.attribution import WHOLE, attribution_table
from training.hardware import HardwareModel, normalise
from training.network import RCSpikeNetwork

PHASE = 1e-6


def test_the_whole_model_is_its_own_circuit_and_what_is_left_out_is_the_error() -> None:
    network = RCSpikeNetwork((5, 5, 5), normalise(HardwareModel.reference())).double()
    network.reset_parameters(torch.Generator().manual_seed(3))
    inputs = np.random.default_rng(0).uniform(0.0, 0.9, (6, 5))
    with torch.no_grad():
        outputs = network.eval()(torch.as_tensor(inputs))
    spikes = [output.spike_times.numpy() * PHASE for output in outputs]
    rows = [{f"layer_{k}_spike_s": layer[sample] for k, layer in enumerate(spikes, 1)} for sample in range(6)]
    table = attribution_table(network, inputs, rows, PHASE).set_index(["left_out", "layer"])
    assert table.loc[WHOLE].to_numpy() == pytest.approx(0.0, abs=1e-18)
    assert "capacitance_by_weight" not in table.index.get_level_values("left_out"), "these cells have none"
    terms = table.drop(index=WHOLE, level="left_out")
    assert (terms.spike_rmse_s.groupby("left_out").max() > 0).all()
    first = terms.xs(1, level="layer")
    assert np.array_equal(first.spike_rmse_s, first.alone_rmse_s), "nothing stands before the first layer"
    # the layer alone is what a network without the term in that layer alone gives
    second = list(network)[1]
    second.bind(second.model.without("kick_off"))
    with torch.no_grad():
        alone = second(outputs[0].spike_times).spike_times.numpy() * PHASE
    expected = np.sqrt(np.mean((alone - spikes[1]) ** 2))
    assert terms.loc[("kick_off", 2), "alone_rmse_s"] == pytest.approx(expected, rel=1e-9)
    assert expected > 1e-9
