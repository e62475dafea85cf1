"""Membranes whose capacitance hangs on the weights: the layer against capacitors that are charged one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from realistic import model
from scipy.integrate import solve_ivp
from torch import Tensor

from training.hardware import FloatArray, NormalisedModel, NormalisedSynapse, SynapseTable
from training.layer import RCSpikeLayer
from training.solvers.connection import Convolution
from training.solvers.solver import DSTD, Accumulation
from training.trajectory import trajectory

SPIKES = torch.tensor([[0.3, 0.05, 1.0, 0.45, 0.8], [0.1, 0.2, 0.5, 0.9, 1.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.6, 0.3, 0.5, -0.4, 0.2], [-0.5, 0.0, 0.3, 0.04, 0.9]], dtype=torch.float64)


def loaded(synapse: NormalisedSynapse) -> NormalisedSynapse:
    """A resistor: the weaker the longer, half of its capacitance at its far end."""
    load = 0.02 / synapse.magnitude**0.5
    return replace(synapse, load=load, lift=0.55 * load)


def hardware() -> NormalisedModel:
    plain = model()
    return replace(plain, plus=loaded(plain.plus), minus=loaded(plain.minus))


def layer_with(weight: Tensor) -> RCSpikeLayer:
    layer = RCSpikeLayer(weight.shape[1], weight.shape[0], hardware()).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer.eval()


def circuit(spikes: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """v(1) and v after the synapses are off, of capacitors and currents one by one, and the capacitance with all of them off."""
    beta, kick_on, kick_off, _, load, lift, *_ = SynapseTable.of(hardware())(weights)
    before, after = np.empty(len(weights)), np.empty(len(weights))
    whole = 1.0 + load.sum(1)
    for k, w in enumerate(weights):
        v, c, on = hardware().v_reset, whole[k], np.zeros(len(w), dtype=bool)
        events = [int(j) for j in np.argsort(spikes) if spikes[j] < 1.0]
        ends = [*(spikes[j] for j in events[1:]), 1.0]
        for j, end in zip(events, ends, strict=True):
            v += kick_on[k, j] / c
            c, on[j] = c - lift[k, j], True

            drive, conductance = w[on].sum() / c, (w * beta[k])[on].sum() / c

            def slope(_: float, u: FloatArray, drive: float = drive, conductance: float = conductance) -> FloatArray:
                return drive - conductance * u

            v = float(solve_ivp(slope, (spikes[j], end), [v], rtol=1e-11, atol=1e-13).y[0, -1])
        before[k] = v
        # What had left comes back empty, so that charge is kept: that of the membrane alone.
        after[k] = (v * c + kick_off[k, on].sum()) / whole[k]
    return before, after, whole


def test_a_layer_moves_its_own_capacitance() -> None:
    output = layer_with(WEIGHTS)(SPIKES)
    plain = model()
    for sample, spikes in enumerate(SPIKES.numpy()):
        before, after, whole = circuit(spikes, WEIGHTS.numpy())
        np.testing.assert_allclose(output.membrane[sample].detach(), before, atol=1e-9)
        np.testing.assert_allclose(output.switched_membrane[sample].detach(), after, atol=1e-9)
        # The tails move the membrane a little after that.
        # The delay of the neuron's logic does not wait for the membrane.
        fired = (plain.t_min + whole * (np.interp(after, plain.firing_v, plain.firing_t) - plain.t_min)).clip(max=1.0)
        np.testing.assert_allclose(output.spike_times[sample].detach(), fired, atol=2e-3)
        assert (whole > 1.1).all()
    lighter = RCSpikeLayer(5, 2, plain).double()
    lighter.load_state_dict(layer_with(WEIGHTS).state_dict())
    assert float((lighter.eval()(SPIKES).membrane - output.membrane).detach().abs().min()) > 0.01


def test_the_gradient_goes_through_the_capacitance() -> None:
    layer = layer_with(WEIGHTS)

    def spikes(t: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (t,)).spike_times

    inside = SPIKES.clone().clamp(max=0.95)
    weight = torch.tensor([[0.61, 0.31, 0.2, -0.41, 0.21], [-0.5, 0.97, 0.63, 0.043, 0.93]], dtype=torch.float64)
    assert float(spikes(inside, weight).min()) > 0.1 and float(spikes(inside, weight).max()) < 0.95
    assert torch.autograd.gradcheck(spikes, (inside.requires_grad_(), weight.requires_grad_()), eps=1e-8, atol=1e-5, rtol=1e-4)


def test_a_bias_spike_and_a_window_move_it_likewise() -> None:
    with_bias = RCSpikeLayer(4, 2, hardware(), bias=True).double().eval()
    whole = layer_with(WEIGHTS)
    with torch.no_grad():
        with_bias.weight.copy_(WEIGHTS[:, 1:])
        assert with_bias.bias is not None
        with_bias.bias.weight.copy_(WEIGHTS[:, 0])
    first = SPIKES.clone()
    first[:, 0] = 0.0
    a, b = with_bias(first[:, 1:]), whole(first)
    # A bias spike has no charge of switching on.
    kick = SynapseTable.of(hardware())(WEIGHTS.numpy())[1][:, 0]
    np.testing.assert_allclose(a.membrane.detach(), b.membrane.detach(), atol=2 * np.abs(kick).max())
    window = RCSpikeLayer(5, 2, hardware(), connection=Convolution(), kernel=(1, 1)).double().eval()
    with torch.no_grad():
        window.weight.copy_(WEIGHTS[:, :, None, None])
    np.testing.assert_allclose(
        window(SPIKES[:, :, None, None]).spike_times[..., 0, 0].detach(), whole(SPIKES).spike_times.detach(), atol=1e-12
    )


def test_the_waveform_of_the_model_ends_where_its_layer_does() -> None:
    output = layer_with(WEIGHTS)(SPIKES)
    ends = trajectory(hardware(), WEIGHTS.numpy(), SPIKES[0].numpy(), np.array([1.0 - 1e-12, 1.0]))
    np.testing.assert_allclose(ends[0], output.membrane[0].detach(), atol=1e-9)
    np.testing.assert_allclose(ends[1], output.switched_membrane[0].detach(), atol=1e-9)


def test_dstd_refuses_what_it_cannot_hold() -> None:
    lift = torch.full_like(WEIGHTS, 0.01)
    with pytest.raises(ValueError, match="lift: DSTD holds the capacitance of a membrane constant"):
        DSTD()(Accumulation(SPIKES, WEIGHTS, torch.zeros_like(WEIGHTS), lift=lift))
