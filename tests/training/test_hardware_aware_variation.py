"""Noise and mismatch on the synapses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from realistic import model
from scipy.integrate import solve_ivp

from training.firing import NeuronVariation
from training.hardware import HardwareModelError, NormalisedModel, Variation, VariedParameter
from training.hardware_aware.variation import (
    DynamicMismatch,
    FrozenMismatch,
    Mismatch,
    VariationKind,
    WeightNoise,
    varied,
)
from training.layer import RCSpikeLayer
from training.models import convolutional
from training.network import RCSpikeNetwork

SPREAD = Mismatch(device_plus=0.25, device_minus=0.1)
NONE = Mismatch(0.0, 0.0, 0.0, 0.0)


def network(inputs: int = 200, outputs: int = 300) -> RCSpikeNetwork:
    net = RCSpikeNetwork((inputs, outputs), NormalisedModel.constant(3.0, -2.0)).double()
    net.reset_parameters(torch.Generator().manual_seed(0))
    return net


def made(net: RCSpikeNetwork, kind: VariationKind, seed: int = 0) -> np.ndarray:
    with varied(net, kind, torch.Generator().manual_seed(seed)):
        return net.layers[0].synapses().weight.detach().numpy() - 0.0


def test_mismatch_has_the_median_and_the_spread_of_each_sign() -> None:
    net = network()
    designed = net.layers[0].weight.detach().numpy()
    ratio = made(net, DynamicMismatch(SPREAD)) / designed
    for sign, sigma in ((1, 0.25), (-1, 0.1)):
        part = ratio[np.sign(designed) == sign]
        assert np.median(part) == pytest.approx(1.0, abs=0.008)
        assert part.std() / part.mean() == pytest.approx(sigma, rel=0.03)
    assert ratio.min() > 0
    assert np.array_equal(net.layers[0].synapses().weight.detach().numpy(), designed)


@pytest.mark.parametrize("kind", [WeightNoise(0.1), DynamicMismatch(SPREAD), FrozenMismatch(SPREAD, 2)])
def test_a_bias_spike_has_a_synapse_like_any_other(kind: VariationKind) -> None:
    hardware = NormalisedModel.constant(3.0, -2.0)
    net = RCSpikeNetwork((4, 400), hardware, bias=True).double().eval()
    with torch.no_grad():
        net.layers[0].bias.weight.fill_(0.5)
    silent = torch.ones(1, 4, dtype=torch.float64)
    designed = net(silent)[0].membrane.detach()
    with varied(net, kind, torch.Generator().manual_seed(1)):
        membrane = net(silent)[0].membrane.detach().numpy()[0]
    made_weight = -3.0 * np.log1p(-membrane / 3.0)  # v = E (1 - e^{-w/E})
    # Noise is a share of the largest weight of the crossbar, which here has the bias alone.
    assert np.std(made_weight / 0.5) == pytest.approx(0.1 if isinstance(kind, WeightNoise) else 0.25, rel=0.1)
    assert torch.equal(net(silent)[0].membrane.detach(), designed)


def test_a_die_moves_all_its_devices_of_a_sign_together() -> None:
    net = network(20, 30)
    designed = net.layers[0].weight.detach().numpy()
    die = replace(NONE, die_plus=0.3, die_minus=0.2)
    factors = []
    for number in range(300):
        ratio = made(net, FrozenMismatch(die, number)) / designed
        plus, minus = ratio[designed > 0], ratio[designed < 0]
        assert np.ptp(plus) < 1e-12 and np.ptp(minus) < 1e-12
        factors.append((plus[0], minus[0]))
    assert np.std(factors, axis=0) == pytest.approx([0.3, 0.2], rel=0.15)
    assert abs(np.corrcoef(np.array(factors).T)[0, 1]) < 0.2


def test_a_frozen_die_is_its_number_and_a_dynamic_one_the_generators() -> None:
    net = network(20, 30)
    frozen = [made(net, FrozenMismatch(SPREAD, die), seed) for die, seed in ((1, 0), (1, 9), (2, 0))]
    assert np.array_equal(frozen[0], frozen[1]) and not np.array_equal(frozen[0], frozen[2])
    dynamic = [made(net, DynamicMismatch(SPREAD), seed) for seed in (0, 0, 1)]
    assert np.array_equal(dynamic[0], dynamic[1]) and not np.array_equal(dynamic[0], dynamic[2])


def test_each_sign_of_a_synapse_has_its_own_device() -> None:
    net = network(20, 30)
    die = FrozenMismatch(SPREAD, 1)
    before = made(net, die) / net.layers[0].weight.detach().numpy()
    with torch.no_grad():
        net.layers[0].weight.neg_()
    after = made(net, die) / net.layers[0].weight.detach().numpy()
    assert np.abs(before - after).min() > 0


def test_noise_is_a_share_of_the_largest_weight() -> None:
    net = network()
    designed = net.layers[0].weight.detach().numpy()
    noise = made(net, WeightNoise(0.05)) - designed
    assert noise.std() == pytest.approx(0.05 * np.abs(designed).max(), rel=0.01)
    assert abs(noise.mean()) < 0.001


def test_mismatch_scales_current_and_slope_but_neither_range_nor_reversal() -> None:
    """A device at the top of its range may carry more than the range; its reversal potential is that of its code."""
    net = RCSpikeNetwork((3, 4), model()).double()
    span = net.layers[0].weight_range
    with torch.no_grad():
        net.layers[0].weight.fill_(span.plus[1])
    nominal = net.layers[0].synapses()
    with varied(net, FrozenMismatch(SPREAD, 4)):
        varied_synapses = net.layers[0].synapses()
    assert float(varied_synapses.weight.detach().max()) > span.plus[1] * 1.02
    assert torch.equal(varied_synapses.beta, nominal.beta)


def test_the_gradient_goes_through_the_factors() -> None:
    net = network(6, 4)
    t = torch.rand(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    layer = net.layers[0]

    def total(weight: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            layer.weight.copy_(weight)
        return layer(t).membrane.sum()

    with varied(net, FrozenMismatch(SPREAD, 1)):
        start = layer.weight.detach().clone()
        (gradient,) = torch.autograd.grad(total(start), layer.weight)
        step = torch.zeros_like(start)
        step[2, 3] = 1e-6
        difference = (total(start + step) - total(start - step)) / 2e-6
    assert float(gradient[2, 3]) == pytest.approx(float(difference.detach()), rel=1e-6)


@pytest.mark.parametrize("e_dis", [1.5, 7.5, np.inf])
def test_a_neuron_as_made_fires_when_its_discharger_reaches_its_threshold(e_dis: float) -> None:
    """Against scipy's ODE solver: dv/ds = q k (1 - b v) until its own threshold."""
    b = 1.0 / e_dis
    k = -np.log1p(-b) / b if b else 1.0
    layer = RCSpikeNetwork((1, 3), NormalisedModel.constant(3.0, -2.0, e_dis)).double().layers[0]
    threshold, discharger = np.array([1.08, 0.9, 1.02]), np.array([1.2, 0.8, 1.4])
    layer.neuron_variation = NeuronVariation(torch.as_tensor(threshold), torch.as_tensor(discharger))
    start = np.array([0.3, 0.45, 0.1])
    for n in range(3):

        def reached(_: float, v: np.ndarray, n: int = n) -> float:
            return float(v[0] - threshold[n])

        reached.terminal = True  # type: ignore[attr-defined]
        rate = discharger[n] * k
        solved = solve_ivp(lambda _, v, rate=rate: rate * (1 - b * v), (0, 2), start[n : n + 1], events=reached, rtol=1e-10)
        fired = layer.fire(torch.as_tensor(start)[None])[0, n]
        assert float(fired.detach()) == pytest.approx(min(solved.t_events[0][0], 1.0), abs=3e-6)  # the curve has 257 points


def varied_layer(e_dis: float, threshold: float, discharger: float, dtype: torch.dtype = torch.float64) -> RCSpikeLayer:
    layer = RCSpikeNetwork((1, 1), NormalisedModel.constant(3.0, -2.0, e_dis)).to(dtype).layers[0]
    layer.neuron_variation = NeuronVariation(torch.tensor([threshold], dtype=dtype), torch.tensor([discharger], dtype=dtype))
    return layer


def slope_of(layer: RCSpikeLayer, v: float) -> float:
    membrane = torch.tensor([[v]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(layer.fire(membrane).sum(), membrane)
    return float(slope)


@pytest.mark.parametrize("e_dis", [1.5, 7.5, np.inf])
def test_the_gradient_of_a_neuron_as_made_is_that_of_its_spike(e_dis: float) -> None:
    layer = varied_layer(e_dis, 1.04, 1.3)
    around = torch.tensor([[0.503 - 1e-7], [0.503 + 1e-7]], dtype=torch.float64)
    early, late = layer.fire(around).detach()[:, 0].tolist()
    assert slope_of(layer, 0.503) == pytest.approx((late - early) / 2e-7, rel=1e-6)


def test_a_silent_neuron_as_made_learns_as_slowly_as_one_as_designed() -> None:
    assert slope_of(varied_layer(1.01, 1.05, 3.0), 0.9) == -0.1  # a threshold that no discharger reaches
    assert slope_of(varied_layer(7.5, 1.04, 0.5), 0.1) == -0.1


def test_a_discharger_that_is_almost_ideal_loses_no_digits() -> None:
    """In float32 a difference of numbers next to one would."""
    fired = varied_layer(1e6, 1.02, 1.0, torch.float32).fire(torch.tensor([[0.5]])).item()
    assert fired == pytest.approx(0.52, abs=1e-6)


def test_all_neurons_of_a_channel_are_one_device() -> None:
    net = convolutional((1, 4, 4), 3, NormalisedModel.constant(3.0, -2.0), channels=[[5]], hidden=[]).double()
    layer, membrane = net.layers[0], torch.full((2, 5, 4, 4), 0.5, dtype=torch.float64)
    with varied(net, FrozenMismatch(replace(NONE, device_threshold=0.02), 3)):
        fired = layer.fire(membrane).detach()
        assert layer.neuron_variation is not None
        expected = layer.neuron_variation.threshold - 0.5
    assert fired.shape == membrane.shape and torch.allclose(fired, expected[:, None, None].expand_as(fired))
    assert len(fired.unique()) == 5


def test_a_threshold_that_no_discharger_reaches_stays_silent() -> None:
    fired = varied_layer(1.01, 1.05, 3.0).fire(torch.tensor([[0.9]]).double())
    assert float(fired.detach()) == 1.0


def test_neurons_of_a_die_vary_together_and_each_by_itself() -> None:
    net = RCSpikeNetwork((5, 4000), NormalisedModel.constant(3.0, -2.0)).double()
    silent = torch.zeros(1, 4000, dtype=torch.float64) + 0.5

    def spikes(mismatch: Mismatch, die: int) -> np.ndarray:
        with varied(net, FrozenMismatch(mismatch, die)):
            return net.layers[0].fire(silent).detach().numpy()[0]

    # Under an ideal discharger a spike comes at (threshold - v) / current.
    assert spikes(replace(NONE, device_threshold=0.02), 0).std() == pytest.approx(0.02, rel=0.05)
    assert np.std(1.0 / spikes(replace(NONE, device_discharger=0.1), 0)) == pytest.approx(2.0 * 0.1, rel=0.05)
    for part, sigma in (("die_threshold", 0.02), ("die_discharger", 0.04)):
        dies = np.array([spikes(replace(NONE, **{part: 0.04}), die) for die in range(200)])
        assert np.ptp(dies, axis=1).max() < 1e-12
        assert dies[:, 0].std() == pytest.approx(0.04 if part == "die_threshold" else 0.5 * sigma, rel=0.15)
    with varied(net, FrozenMismatch(NONE, 0)):
        assert torch.equal(net.layers[0].fire(silent), torch.full_like(silent, 0.5))
    assert net.layers[0].neuron_variation is None


def test_dies_that_spread_beyond_the_model_are_one_error_of_their_hardware() -> None:
    names = ("current_plus_middle_a", "current_minus_middle_a", "v_th_v", "discharger_current_a")
    wide = Variation(
        parameters=tuple(VariedParameter(name=name, unit="", nominal=1.0, scale="log") for name in names),
        die_covariance=((0.0,) * 4,) * 4, device_covariance=tuple(map(tuple, 9.0 * np.eye(4))), dies=10,
    )  # fmt: skip
    with pytest.raises(HardwareModelError, match=r"variation: device_plus: .* must lie in 0 .. 2"):
        Mismatch.of(wide)


def test_a_spread_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"device_minus: -0.1 must lie in 0 .. 2"):
        Mismatch(device_minus=-0.1)
