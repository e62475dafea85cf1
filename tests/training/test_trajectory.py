"""The membrane over time against the layer and the firing law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from realistic import model

from training.hardware import NormalisedModel, OutOfRange, firing_law
from training.layer import RCSpikeLayer
from training.trajectory import accumulation, trajectory

SPIKES = np.array([0.3, 0.0, 1.0, 0.3, 0.8])
WEIGHTS = np.array([[0.6, 0.3, 2.0, -0.4, 0.2], [-0.5, 0.0, -0.3, 0.02, 0.9]])


def test_end_of_accumulation_and_switching_agree_with_the_layer() -> None:
    layer = RCSpikeLayer(5, 2, model()).double().eval()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(WEIGHTS))
        output = layer(torch.as_tensor(SPIKES)[None])
    v = trajectory(model(), WEIGHTS, SPIKES, np.array([1.0 - 1e-12, 1.0]))
    np.testing.assert_allclose(v[0], output.membrane[0], atol=1e-9)
    np.testing.assert_allclose(v[1], output.switched_membrane[0], atol=1e-12)
    assert v[1, 0] - v[0, 0] > 0.005  # four synapses switched off


def test_slope_is_the_neuron_equation() -> None:
    hardware = NormalisedModel.constant(2.8, -1.5)
    h = 1e-6
    low, v, high = accumulation(hardware, WEIGHTS, SPIKES, np.array([0.6 - h, 0.6, 0.6 + h]))
    on = SPIKES < 0.6
    beta = np.where(WEIGHTS >= 0, 1 / 2.8, -1 / 1.5)
    expected = (WEIGHTS * (1 - beta * v[:, None]))[:, on].sum(1)
    np.testing.assert_allclose((high - low) / (2 * h), expected, rtol=1e-7)


@pytest.mark.parametrize("e_dis", [6.5, np.inf])
def test_firing_phase_crosses_the_threshold_when_the_law_says(e_dis: float) -> None:
    hardware = NormalisedModel.constant(2.8, -1.5, e_dis)
    start = trajectory(hardware, WEIGHTS, SPIKES, np.array([1.0]))[0]
    spike = firing_law(start, e_dis)[:1]
    before = trajectory(hardware, WEIGHTS, SPIKES, 1.0 + spike - 1e-9)
    after = trajectory(hardware, WEIGHTS, SPIKES, 1.0 + spike + 1e-9)
    assert 0.0 < spike[0] < 1.0
    assert before[0, 0] == pytest.approx(1.0, abs=1e-8)
    assert np.isnan(after[0, 0])


def test_what_the_model_does_not_cover_is_refused() -> None:
    with pytest.raises(OutOfRange, match="weight: "):
        trajectory(model(), -3 * np.ones((1, 5)), SPIKES, np.array([0.5]))
    with pytest.raises(ValueError, match="times: "):
        trajectory(model(), WEIGHTS, SPIKES, np.array([2.5]))
