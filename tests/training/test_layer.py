"""The layer: weights against the range of the cell, kicks, the firing curve, and what stays out of the state dict."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from realistic import model
from torch import Tensor

from training.hardware import NormalisedModel, SynapseTable, WeightRange, firing_law
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.solvers import reference

SPIKES = torch.tensor([[0.3, 0.0, 1.0, 0.3, 0.8], [0.1, 0.0, 0.5, 0.9, 1.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.6, 0.3, 2.0, -0.4, 0.2], [-0.5, 0.0, 0.3, 0.02, 0.9]], dtype=torch.float64)


def layer_with(weight: Tensor, hardware: NormalisedModel, **options: object) -> RCSpikeLayer:
    layer = RCSpikeLayer(weight.shape[1], weight.shape[0], hardware, **options).double()  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer.eval()


@settings(max_examples=100)
@given(st.floats(-10, 10))
def test_effective_weight_is_what_the_cell_can_do(weight: float) -> None:
    span = WeightRange.of(model())
    layer = layer_with(torch.tensor([[weight]], dtype=torch.float64), model())
    effective = float(layer.effective_weight().detach())
    smallest, largest = span.plus if weight >= 0 else span.minus
    if abs(weight) < smallest:
        assert effective == 0.0
    else:
        assert abs(effective) == min(abs(weight), largest)
        assert effective * weight > 0


def test_range_is_clipped_sign_by_sign_and_projection_brings_weights_back() -> None:
    layer = layer_with(torch.tensor([[9.0, -9.0, 0.001, -0.001]], dtype=torch.float64), model())
    plus, minus = model().plus.largest, model().minus.largest
    assert layer.effective_weight().tolist() == [[plus, -minus, 0.0, 0.0]]
    assert plus > 6.0 and 1.0 < minus < 1.2
    layer.project()
    assert layer.weight.tolist() == [[plus, -minus, 0.001, -0.001]]


def test_gradient_passes_through_a_synapse_that_is_off() -> None:
    layer = layer_with(torch.tensor([[0.001]], dtype=torch.float64), model())
    layer(torch.zeros(1, 1, dtype=torch.float64)).membrane.sum().backward()
    assert layer.weight.grad is not None
    assert float(layer.weight.grad) == pytest.approx(1.0, abs=0.01)


def test_synapse_values_are_interpolated_on_the_grid_of_their_sign() -> None:
    synapses = layer_with(WEIGHTS, model()).synapses()
    expected = SynapseTable.of(model())(WEIGHTS.numpy())
    for value, column in zip(synapses[1:], expected, strict=True):
        np.testing.assert_allclose(value.detach(), column, rtol=0, atol=1e-14)
    assert float(synapses.beta.detach()[0, 0]) == pytest.approx(1 / 2.83, rel=0.02)
    assert float(synapses.beta.detach()[0, 3]) == pytest.approx(-1 / 1.58, rel=0.02)
    assert float(synapses.kick_off.detach()[1, 1]) == model().idle_kick_off


def test_layer_agrees_with_the_oracle_kicks_included() -> None:
    hardware = model()
    output = layer_with(WEIGHTS, hardware)(SPIKES)
    beta, on, off, tail, *_, drift = SynapseTable.of(hardware)(WEIGHTS.numpy())
    v = reference.accumulate(SPIKES.numpy(), WEIGHTS.numpy(), beta, on, v_reset=hardware.v_reset)
    arrived = (SPIKES.numpy() < 1.0).astype(float)
    switched = v + arrived @ off.T
    first = np.interp(switched, hardware.firing_v, hardware.firing_t).clip(max=1.0)
    after = first / hardware.tail_reference
    slow, steady = arrived @ tail.T * np.log(after), arrived @ drift.T * (after - 1.0)
    corrected = switched + slow + steady
    np.testing.assert_allclose(output.membrane.detach(), v, atol=1e-10)
    np.testing.assert_allclose(output.switched_membrane.detach(), switched, atol=1e-10)
    spike_times = np.interp(corrected, hardware.firing_v, hardware.firing_t).clip(max=1.0)
    np.testing.assert_allclose(output.spike_times.detach(), spike_times, atol=1e-10)
    assert np.abs(switched - v).max() > 0.005
    assert np.abs(slow).max() > 1e-4 and np.abs(steady).max() > 3e-5


def test_weight_gradient_of_the_whole_layer() -> None:
    layer = layer_with(WEIGHTS, model())

    def spikes(t: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (t,)).spike_times

    inside = SPIKES.clone().clamp(max=0.95)
    weight = torch.tensor([[0.61, 0.31, 0.2, -0.41, 0.21], [-0.5, 0.57, 0.33, 0.023, 0.93]], dtype=torch.float64)
    assert float(spikes(inside, weight).min()) > 0.1 and float(spikes(inside, weight).max()) < 0.95
    assert torch.autograd.gradcheck(
        spikes, (inside.clamp(min=0.01).requires_grad_(), weight.requires_grad_()), eps=1e-8, atol=1e-5, rtol=1e-4
    )


def test_firing_follows_the_curve_and_a_silent_neuron_keeps_a_gradient() -> None:
    layer = layer_with(WEIGHTS, NormalisedModel.constant(2.8, -1.5, 6.5), leak=0.1)
    v = torch.tensor([-0.5, 0.0, 0.4, 0.8, 1.0, 1.5], dtype=torch.float64, requires_grad=True)
    t = layer.fire(v)
    (slope,) = torch.autograd.grad(t.sum(), v)
    law = firing_law(v.detach().numpy(), 6.5)
    np.testing.assert_allclose(t.detach()[1:5], law[1:5], atol=2e-6)
    assert t[0] == 1.0 and t[5] == 0.0
    assert slope[0] == slope[5] == -0.1
    b = 1 / 6.5
    assert float(slope[2]) == pytest.approx(b / ((1 - b * 0.4) * np.log1p(-b)), rel=2e-3)


def test_earliest_spike_bounds_the_output() -> None:
    layer = layer_with(WEIGHTS, model())
    assert float(layer.fire(torch.tensor(3.0, dtype=torch.float64))) == model().t_min
    assert 0.04 < model().t_min < 0.05


def test_weights_to_map_lie_in_the_range_to_the_last_bit() -> None:
    network, span = RCSpikeNetwork((4, 1), model()), WeightRange.of(model())
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[9.0, -9.0, span.plus[0], -span.minus[0]]]))
    weight = network.effective_weights()[0][0]
    assert weight.dtype == np.float64
    assert span.plus[1] * (1 - 1e-6) < weight[0] <= span.plus[1]
    assert span.minus[1] * (1 - 1e-6) < -weight[1] <= span.minus[1]
    assert np.all((weight == 0) | (np.abs(weight) >= np.array([span.plus[0], span.minus[0]] * 2)))


def test_state_dict_holds_no_hardware_and_loads_under_another() -> None:
    network = RCSpikeNetwork((5, 4, 3), model())
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == {
        "layers.0.weight": (4, 5),
        "layers.1.weight": (3, 4),
    }
    network.reset_parameters(torch.Generator().manual_seed(0))
    other = RCSpikeNetwork((5, 4, 3), NormalisedModel.constant(100, -100))
    other.load_state_dict(network.state_dict())
    t = torch.rand(8, 5, generator=torch.Generator().manual_seed(1))
    difference = (network(t)[-1].membrane - other(t)[-1].membrane).abs().max()
    assert float(difference.detach()) > 1e-3
    other.bind(model())
    assert torch.equal(network(t)[-1].spike_times, other(t)[-1].spike_times)


def test_solver_of_training_is_dstd_and_of_evaluation_exact() -> None:
    layer = layer_with(WEIGHTS, model(), solver="dstd", steps=3, random_offset=True)
    exact = layer(SPIKES).membrane
    layer.train()
    draws = [layer(SPIKES, torch.Generator().manual_seed(seed)).membrane for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert 1e-4 < float((draws[0] - exact).detach().abs().max()) < 0.05


def test_noise_moves_spikes_in_training_only_and_leaves_silent_neurons_silent() -> None:
    weight = torch.cat([torch.full((1, 5), 0.25), torch.full((1, 5), -0.25)]).double()
    layer = layer_with(weight, model(), spike_time_noise=0.01)
    spikes = torch.rand(2000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    quiet = layer(spikes).spike_times
    layer.train()
    noisy = layer(spikes, torch.Generator().manual_seed(1)).spike_times
    inside = (quiet[:, 0] > 0.05) & (quiet[:, 0] < 0.95)
    assert float((noisy - quiet).detach()[inside, 0].std()) == pytest.approx(0.01, rel=0.08)
    assert bool((noisy[:, 1] == 1.0).all())
    assert float(noisy.detach().min()) >= 0.0
