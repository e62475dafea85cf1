"""Firing neurons as made: equation 4 against an integrated discharge, against ngspice, and its derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from training.firing import FiringCurve, NeuronVariation
from training.hardware import NormalisedModel, firing_law

START_UP = 0.03
NGSPICE_NS = {
    -0.010: [783.04, 664.06, 543.16, 420.24, 295.21, 167.92],
    0.000: [634.57, 539.05, 442.00, 343.36, 243.03, 140.92],
    0.014: [476.06, 405.55, 333.93, 261.16, 187.17, 111.88],
    0.030: [346.58, 296.46, 245.56, 193.86, 141.31, 87.86],
}
"""Spikes of the reference column (5 synapses, 1 us) from six membranes, by volts on top of its discharger's bias."""
EARLIEST_NS = 29.67
"""Its spike from a membrane that is far past its threshold, at any of these biases within 2 ns."""


def curve(e_dis: float = 6.5, points: int = 4001) -> FiringCurve:
    """A discharge after a start-up that takes its time whatever the discharger does."""
    v = np.linspace(-0.3, 1.0, points)
    model = replace(NormalisedModel.constant(3.0, -2.0, e_dis), firing_v=v, firing_t=START_UP + firing_law(v, e_dis))
    return FiringCurve(model, 0, 0.1, open_ended=True).double()


def as_made(threshold: float, discharger: float) -> NeuronVariation:
    return NeuronVariation(*(torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (threshold, discharger)))


@pytest.mark.parametrize(("threshold", "discharger"), [(1.0, 1.35), (1.04, 0.8), (0.95, 1.2)])
def test_the_discharger_divides_what_the_membrane_takes_and_not_the_start_up(threshold: float, discharger: float) -> None:
    """Against scipy: the membrane falls with d times the current from the end of the start-up on."""
    e_dis, start = 6.5, 0.2
    rate = -discharger * np.log1p(-1 / e_dis) * e_dis

    def reached(_: float, v: np.ndarray) -> float:
        return float(v[0] - threshold)

    solved = solve_ivp(lambda _, v: rate * (1 - v / e_dis), (0, 3), [start], events=reached, rtol=1e-11, atol=1e-13)
    fired = curve(e_dis)(torch.tensor([start], dtype=torch.float64), as_made(threshold, discharger))
    assert float(fired.detach()) == pytest.approx(START_UP + solved.t_events[0][0], abs=1e-6)


def test_other_biases_fire_as_in_ngspice() -> None:
    """One current ratio a bias, from its latest spike; divided as a whole the spikes are 3 to 20 ns off."""
    nominal = np.array([*NGSPICE_NS[0.0], EARLIEST_NS]) / 1e3
    v = np.arange(len(nominal), dtype=float)
    model = replace(NormalisedModel.constant(3.0, -2.0), firing_v=v, firing_t=nominal)
    membranes = torch.as_tensor(v[:-1])
    for bias, spikes in NGSPICE_NS.items():
        d = (nominal[0] - nominal[-1]) / (spikes[0] / 1e3 - nominal[-1])
        found = FiringCurve(model, 0, 0.1).double()(membranes, as_made(1.0, d)).detach().numpy()
        assert 1e3 * found == pytest.approx(np.array(spikes), abs=0.5), bias
        if bias:
            whole = nominal[:-1] * (spikes[0] / 1e3 / nominal[0])
            assert np.abs(1e3 * whole - spikes).max() > 3.0


def test_gradients_to_threshold_and_discharger_are_those_of_the_spike() -> None:
    law, v = curve(), torch.tensor([0.2003], dtype=torch.float64)
    made = as_made(1.02, 1.3)
    found = torch.autograd.grad(law(v, made).sum(), tuple(made))
    for k, step in enumerate((1e-7, 1e-7)):
        apart = [as_made(*(x + (k == n) * by for n, x in enumerate((1.02, 1.3)))) for by in (-step, step)]
        low, high = (float(law(v, one).detach()) for one in apart)
        assert float(found[k]) == pytest.approx((high - low) / (2 * step), rel=1e-5)


def test_an_open_ended_spike_comes_after_its_phase() -> None:
    silent = torch.tensor([-0.2], dtype=torch.float64)
    assert float(curve()(silent)) == pytest.approx(START_UP + firing_law(np.array(-0.2), 6.5), abs=1e-6)
    closed = FiringCurve(NormalisedModel.constant(3.0, -2.0, 6.5), 0, 0.1).double()
    assert float(closed(silent)) == 1.0
