"""Curvature and leakage in a layer, and the model without its terms one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from realistic import model
from scipy.integrate import solve_ivp
from torch import Tensor

from training.hardware import (
    TERMS,
    FloatArray,
    HardwareModelError,
    NormalisedModel,
    NormalisedPlaces,
    NormalisedSynapse,
    SynapseTable,
)
from training.layer import RCSpikeLayer
from training.solvers import reference
from training.trajectory import trajectory

SPIKES = torch.tensor([[0.3, 0.05, 1.0, 0.45, 0.8], [0.1, 0.2, 0.5, 0.9, 1.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.6, 0.3, 0.5, -0.4, 0.2], [-0.5, 0.0, 0.3, 0.04, 0.9]], dtype=torch.float64)


def bent(synapse: NormalisedSynapse, gamma: float, leakage: float) -> NormalisedSynapse:
    line = np.full_like(synapse.beta, leakage / 4)
    return replace(
        synapse, gamma=gamma * synapse.beta**2, leakage=np.full_like(synapse.beta, leakage), kick_on=synapse.kick_on + line,
        kick_line=line,
    )  # fmt: skip


def hardware() -> NormalisedModel:
    plain = model()
    both = {"plus": bent(plain.plus, 0.2, 2e-3), "minus": bent(plain.minus, 0.1, -1e-3)}
    return replace(plain, **both, leakage=1.5e-3, idle_leakage=5e-4)


def layer_with(weight: Tensor, of: NormalisedModel, bias: bool = False) -> RCSpikeLayer:
    layer = RCSpikeLayer(weight.shape[1], weight.shape[0], of, bias=bias).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer.eval()


def accumulated(of: NormalisedModel) -> FloatArray:
    beta, kick, _, _, _, _, gamma, leakage, _ = SynapseTable.of(of)(WEIGHTS.numpy())
    given = {"v_reset": of.v_reset, "bias": of.leakage, "curvature": gamma, "leakage": leakage}
    return reference.accumulate(SPIKES.numpy(), WEIGHTS.numpy(), beta, kick, **given)


def test_a_layer_agrees_with_the_oracle() -> None:
    of = hardware()
    output = layer_with(WEIGHTS, of)(SPIKES)
    np.testing.assert_allclose(output.membrane.detach(), accumulated(of), atol=1e-10)
    for term in ("curvature", "leakage"):
        assert np.abs(accumulated(of.without(term)) - accumulated(of)).max() > 1e-3
    ends = trajectory(of, WEIGHTS.numpy(), SPIKES[0].numpy(), np.array([1.0 - 1e-12, 1.0]))
    np.testing.assert_allclose(ends[0], output.membrane[0].detach(), atol=1e-9)
    np.testing.assert_allclose(ends[1], output.switched_membrane[0].detach(), atol=1e-9)


def test_a_membrane_leaks_before_anything_arrives() -> None:
    of = hardware()
    at = np.array([0.0, 0.04])
    v = trajectory(of, WEIGHTS.numpy(), SPIKES[0].numpy(), at)
    leakage = of.leakage + SynapseTable.of(of)(WEIGHTS.numpy())[7].sum(1)
    np.testing.assert_allclose(v[1] - v[0], 0.04 * leakage, rtol=1e-12)


def test_the_gradient_goes_through_curvature_and_leakage() -> None:
    layer = layer_with(WEIGHTS, hardware())

    def spikes(t: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (t,)).spike_times

    inside = SPIKES.clone().clamp(max=0.95)
    weight = torch.tensor([[0.61, 0.31, 0.2, -0.41, 0.21], [-0.5, 0.57, 0.33, 0.023, 0.93]], dtype=torch.float64)
    assert float(spikes(inside, weight).min()) > 0.1 and float(spikes(inside, weight).max()) < 0.95
    assert torch.autograd.gradcheck(spikes, (inside.requires_grad_(), weight.requires_grad_()), eps=1e-8, atol=1e-5, rtol=1e-4)


def test_what_leaks_moves_a_membrane_while_it_fires() -> None:
    """Against the discharger's equation with a drive beside it, by scipy; the curve is the closed law of that equation."""
    of = hardware().without("kick_on", "kick_off", "tail", "firing_curve")
    output = layer_with(WEIGHTS, of)(SPIKES)
    excess = (SynapseTable.of(of)(WEIGHTS.numpy())[7] - of.idle_leakage).sum(1)
    b = 1 / of.e_dis

    def crossing(_: float, v: FloatArray) -> float:
        return float(v[0]) - 1.0

    crossing.terminal = True  # type: ignore[attr-defined]
    found = output.spike_times.detach().numpy()
    for sample, k in np.argwhere(found < 0.99):
        drive = excess[k]
        start = [float(output.switched_membrane[sample, k].detach())]
        solved = solve_ivp(
            lambda _, v, drive=drive: -np.log1p(-b) * (1 - b * v) / b + drive,
            (0, 2),
            start,
            events=crossing,
            rtol=1e-10,
            atol=1e-12,
        )
        assert found[sample, k] == pytest.approx(solved.t_events[0][0], abs=2e-5)
        assert abs(layer_with(WEIGHTS, of.without("leakage"))(SPIKES).spike_times[sample, k].item() - found[sample, k]) > 1e-4


def test_a_bias_spike_is_curved_too() -> None:
    of = hardware().without("kick_on")  # which a bias spike has not
    with_bias = layer_with(WEIGHTS[:, 1:], of, bias=True)
    with torch.no_grad():
        assert with_bias.bias is not None
        with_bias.bias.weight.copy_(WEIGHTS[:, 0])
    first = SPIKES.clone()
    first[:, 0] = 0.0
    a, b = with_bias(first[:, 1:]), layer_with(WEIGHTS, of)(first)
    np.testing.assert_allclose(a.membrane.detach(), b.membrane.detach(), atol=1e-12)
    np.testing.assert_allclose(a.spike_times.detach(), b.spike_times.detach(), atol=1e-12)
    straight = layer_with(WEIGHTS, of.without("curvature"))(first).membrane
    assert float((straight - b.membrane).detach().abs().max()) > 1e-3


def with_loads(of: NormalisedModel, load: float, lift: float) -> NormalisedModel:
    """Every synapse adds so much to the capacitance, whatever its weight."""

    def loaded(synapse: NormalisedSynapse) -> NormalisedSynapse:
        return replace(synapse, load=np.full_like(synapse.beta, load), lift=np.full_like(synapse.beta, lift))

    return replace(of, plus=loaded(of.plus), minus=loaded(of.minus))


def test_a_capacitance_that_moves_is_curved_too() -> None:
    heavy = with_loads(hardware().without("kick_on"), 0.02, 0.01)
    weights, spikes = WEIGHTS.numpy(), SPIKES.numpy()[0]
    found = layer_with(WEIGHTS, heavy)(SPIKES).membrane[0].detach().numpy()
    beta, _, _, _, load, lift, gamma, leakage, _ = SynapseTable.of(heavy)(weights)

    def slope(t: float, v: FloatArray) -> FloatArray:
        on = spikes <= t
        u = v[:, None]
        current = np.where(on, weights * (1 - beta * u + gamma * u * u), leakage).sum(1) + heavy.leakage
        return np.asarray(current / (1 + load.sum(1) - (lift * on).sum(1)))

    v = np.full(2, heavy.v_reset)
    events = [0.0, *sorted(spikes[spikes < 1.0]), 1.0]
    for start, end in pairwise(events):
        middle = (start + end) / 2  # the state of the synapses is constant between events
        v = solve_ivp(lambda _, u, at=middle: slope(at, u), (start, end), v, rtol=1e-11, atol=1e-13).y[:, -1]
    np.testing.assert_allclose(found, v, atol=1e-9)


def places() -> NormalisedPlaces:
    neurons, inputs = WEIGHTS.shape
    some, square = np.linspace(0.01, 0.02, neurons), np.full((inputs, inputs), 0.01)
    between = np.array([[0.0, 0.01], [0.01, 0.0]])
    drop = np.full((2, neurons, neurons), 1e-3)
    return NormalisedPlaces(
        some,
        between,
        np.full((neurons, inputs), 1e-3),
        some / 10,
        np.full(inputs, 0.1),
        square,
        np.array([-0.2, 0.1]),
        some,
        drop,
    )


def gated(synapse: NormalisedSynapse) -> NormalisedSynapse:
    """A weight that rises e-fold in a tenth of a volt."""
    return replace(synapse, gate_v=0.5 + 0.1 * np.log(synapse.magnitude + 1e-3))


@pytest.mark.parametrize("term", TERMS)
def test_every_term_can_be_left_out(term: str) -> None:
    of = with_loads(replace(hardware(), load_delay=1e-3, fan_out=5, places=places()), 0.01, 0.0)
    of = replace(of, plus=gated(of.plus), minus=gated(of.minus))
    of = replace(of, firing_t=of.firing_t + 0.01)
    without = of.without(term)
    whole, part = (layer_with(WEIGHTS, one)(SPIKES).spike_times.detach().numpy() for one in (of, without))
    assert np.abs(whole - part).max() > 1e-5, term
    again = layer_with(WEIGHTS, without.without(term))(SPIKES).spike_times.detach().numpy()
    np.testing.assert_array_equal(part, again)


def test_a_term_that_is_none_is_named() -> None:
    with pytest.raises(HardwareModelError, match="term: 'curved' is none of the model's; one of reversal"):
        hardware().without("tail", "curved")


def test_the_straight_line_is_the_nearest_one_through_the_current_at_rest() -> None:
    synapse = hardware().minus
    line = hardware().without("curvature").minus
    v = np.linspace(-0.1, 0.95, 20001)
    parabola = 1 - synapse.beta[3] * v + synapse.gamma[3] * v * v
    (slope,), *_ = np.linalg.lstsq(v[:, None], parabola - 1, rcond=None)
    assert line.beta[3] == pytest.approx(-slope, rel=1e-5)
    assert not line.gamma.any() and line.beta[3] != synapse.beta[3]
