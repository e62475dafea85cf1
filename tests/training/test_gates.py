"""Gate shifts, and neurons that are walked each with its own synapses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.gates import GateCurve, GateShift
from training.hardware import HardwareModel, HardwareModelError, NormalisedModel, normalise
from training.hardware_aware.variation import FrozenMismatch, Mismatch, varied
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.solvers.connection import Each
from training.solvers.solver import reached
from training.trajectory import accumulation

HARDWARE = HardwareModel.reference()
MODEL = normalise(HARDWARE)
ZERO = torch.zeros((), dtype=torch.float64)


def weight_of_code(sign: int, code: float) -> float:
    current = HARDWARE.synapse(sign).code.inverse()(np.asarray(code))
    return float(sign * current / HARDWARE.unit_current_a)


@pytest.mark.parametrize(("sign", "code", "shift"), [(1, 0.52, 0.03), (1, 0.6, -0.02), (-1, 1.2, 0.025), (-1, 1.1, -0.015)])
def test_a_shifted_gate_gives_the_current_of_the_code_beside_it(sign: int, code: float, shift: float) -> None:
    weight = torch.tensor([weight_of_code(sign, code)], dtype=torch.float64)
    shifted = GateShift(MODEL, ZERO + shift, ZERO + shift)(weight)
    assert float(shifted) == pytest.approx(weight_of_code(sign, code + shift), rel=2e-4)
    assert float(GateShift(MODEL, ZERO, ZERO)(weight)) == pytest.approx(float(weight), rel=1e-12)


def test_what_is_off_stays_off_and_each_sign_has_its_device() -> None:
    weight = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64)
    made = GateShift(MODEL, ZERO + 0.01, ZERO)(weight)
    assert float(made[0]) == 0.0 and float(made[1]) > 0.5 and float(made[2]) == pytest.approx(-0.5)


def test_its_derivatives_are_differences() -> None:
    weight = torch.tensor([0.7, -0.4], dtype=torch.float64, requires_grad=True)
    shift = torch.tensor([0.0113, -0.0071], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w, s: GateShift(MODEL, s, s)(w), (weight, shift), eps=1e-7)


def test_cells_without_a_gate_bias_are_refused() -> None:
    with pytest.raises(HardwareModelError, match="no gate bias sets the weights"):
        GateCurve(NormalisedModel.constant(3.0, -2.0).plus, ZERO)


def test_mismatch_of_gates_spreads_as_asked_at_the_middle_code_and_more_below() -> None:
    net = RCSpikeNetwork((300, 30), MODEL).double()
    spread = {}
    for code in (0.42, 0.525):
        with torch.no_grad():
            net.layers[0].weight.fill_(weight_of_code(1, code))
        with varied(net, FrozenMismatch(Mismatch(by_gate=True), 1)):
            spread[code] = float(net.layers[0].synapses().weight.detach().log().std())
    asked = np.sqrt(np.log1p(0.32**2))
    assert spread[0.525] == pytest.approx(asked, rel=0.03) and spread[0.42] > 1.05 * spread[0.525]


def test_neurons_each_with_their_sample_are_the_layer_of_that_sample() -> None:
    dense = RCSpikeNetwork((5, 7), MODEL).double().eval().layers[0]
    dense.reset_parameters(torch.Generator().manual_seed(1))
    t = torch.rand(7, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 1.2
    each = RCSpikeLayer(5, 7, MODEL, connection=Each()).double().eval()
    with torch.no_grad():
        each.weight.copy_(dense.weight)
    expected = dense(t)
    for name, found in each(t)._asdict().items():
        assert torch.allclose(found, getattr(expected, name).diagonal(), atol=1e-12), name


def test_how_far_a_membrane_goes_is_what_its_trajectory_shows() -> None:
    layer = RCSpikeLayer(3, 2, MODEL, connection=Each()).double().eval()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.5, -0.8, 0.3], [-0.6, 0.9, 0.0]]))
    t = torch.tensor([[0.1, 0.5, 0.9], [0.2, 0.6, 0.7]], dtype=torch.float64)
    low, high = reached(layer.phase(t, layer.synapses(), None, None))
    fine = np.linspace(0, 1, 4001)
    for n in range(2):
        path = accumulation(layer.model, layer.weight[[n]].detach().numpy(), t[n].numpy(), fine)
        assert (float(low[n]), float(high[n])) == pytest.approx((path.min(), path.max()), abs=2e-3)


def test_gradients_of_neurons_each_with_their_sample_are_their_own() -> None:
    layer = RCSpikeLayer(4, 3, replace(MODEL, e_dis=7.0), connection=Each(), open_ended=True).double().eval()
    t = torch.rand(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weight = torch.full((3, 4), 0.31, dtype=torch.float64, requires_grad=True)

    def spikes(shift: torch.Tensor) -> torch.Tensor:
        layer.weight.data = weight.detach()
        layer.variation = GateShift(MODEL, shift, shift)
        return layer(t).spike_times

    shift = torch.full((3, 4), 2e-3, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(spikes(shift).sum(), shift)
    step = torch.zeros_like(shift)
    step[1, 2] = 1e-7
    difference = (spikes(shift + step) - spikes(shift - step)).detach() / 2e-7
    assert float(difference[1]) == pytest.approx(float(found[1, 2]), rel=1e-4)
    assert float(difference[0]) == 0.0 == float(difference[2])
