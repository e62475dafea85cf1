"""Noise and mismatch on the synapses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from realistic import model

from training.hardware import NormalisedModel
from training.hardware_aware.variation import (
    DynamicMismatch,
    FrozenMismatch,
    Mismatch,
    VariationKind,
    WeightNoise,
    varied,
)
from training.network import RCSpikeNetwork

SPREAD = Mismatch(device_plus=0.25, device_minus=0.1, die_plus=0.0, die_minus=0.0)


def network(inputs: int = 200, outputs: int = 300) -> RCSpikeNetwork:
    net = RCSpikeNetwork((inputs, outputs), NormalisedModel.constant(3.0, -2.0)).double()
    net.reset_parameters(torch.Generator().manual_seed(0))
    return net


def made(net: RCSpikeNetwork, kind: VariationKind, seed: int = 0) -> np.ndarray:
    with varied(net, kind, torch.Generator().manual_seed(seed)):
        return net.layers[0].synapses().weight.detach().numpy() - 0.0


def test_mismatch_has_the_mean_and_the_spread_of_each_sign() -> None:
    net = network()
    designed = net.layers[0].weight.detach().numpy()
    ratio = made(net, DynamicMismatch(SPREAD)) / designed
    for sign, sigma in ((1, 0.25), (-1, 0.1)):
        part = ratio[np.sign(designed) == sign]
        assert part.mean() == pytest.approx(1.0, abs=0.006)
        assert part.std() == pytest.approx(sigma, rel=0.03)
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
    die = Mismatch(device_plus=0.0, device_minus=0.0, die_plus=0.3, die_minus=0.2)
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


def test_a_spread_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"device_minus: -0.1 must lie in 0 .. 2"):
        Mismatch(device_minus=-0.1)
