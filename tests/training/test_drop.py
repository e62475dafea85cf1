"""Lines that feed the rows of a layer and have resistance, beside the equations that they obey, interval by interval."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from training.drop import Drop
from training.hardware import NormalisedModel, NormalisedPlaces, NormalisedSynapse
from training.layer import RCSpikeLayer
from training.trajectory import trajectory

INPUTS, NEURONS, PER_VOLT = 6, 4, 8.0
TIMES = torch.tensor([[0.1, 0.62, 0.3, 0.45, 0.8, 1.0], [0.0, 0.2, 0.9, 0.5, 0.33, 0.7]], dtype=torch.float64)
VOLTS = 1e-4 * np.stack([np.minimum.outer(np.arange(1, 5), np.arange(1, 5)), 2.0 * np.eye(4) + 1.0])
"""Of ground, a line with a row a step; of the supply, rows with a length of their own behind a common one."""


def exponential(reversal: float) -> NormalisedSynapse:
    """Currents that rise e-fold in an eighth of a volt, up to 2, with one reversal potential."""
    magnitude = np.geomspace(0.01, 2.0, 17)
    zero = np.zeros(17)
    beta = np.full(17, 1.0 / reversal)
    return NormalisedSynapse(magnitude, beta, *[zero] * 9, gate_v=0.6 + np.sign(reversal) * np.log(magnitude) / PER_VOLT)


def model(e_plus: float, e_minus: float, volts: np.ndarray = VOLTS) -> NormalisedModel:
    rows, columns = np.zeros(NEURONS), np.zeros(INPUTS)
    square = np.zeros((NEURONS, NEURONS)), np.zeros((INPUTS, INPUTS))
    capacitance = np.array([0.02, 0.0, -0.01, 0.0])
    nothing = np.zeros((NEURONS, INPUTS))
    places = NormalisedPlaces(capacitance, square[0], nothing, rows, columns, square[1], np.zeros(2), np.zeros(2), volts)
    plain = NormalisedModel.constant(e_plus, e_minus)
    return dataclasses.replace(plain, plus=exponential(e_plus), minus=exponential(e_minus), places=places)


def weights() -> torch.Tensor:
    return torch.rand(NEURONS, INPUTS, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 0.9 - 0.4


def layer_of(own: NormalisedModel) -> RCSpikeLayer:
    layer = RCSpikeLayer(INPUTS, NEURONS, own).double()
    layer.set_weight(weights())
    return layer


def integrated(t: np.ndarray, w: np.ndarray, own: NormalisedModel) -> np.ndarray:
    """v(1): currents and the voltage that they drop, found together, in steps of a two-thousandth."""
    v, capacitance = np.zeros(len(w)), 1.0 + own.places.capacitance
    for start, end in pairwise(np.linspace(0.0, 1.0, 2001)):
        on = t <= start + 1e-12
        moved = np.zeros(len(w))
        for lines, sign, e in zip(own.places.drop, (1.0, -1.0), own.reversals, strict=True):
            drawn = np.maximum(sign * w, 0.0)[:, on].sum(1) * (1.0 - v / e)
            moved += sign * np.linalg.solve(np.eye(len(w)) + PER_VOLT * drawn[:, None] * lines, drawn)
        v = v + (end - start) * moved / capacitance
    return v


@pytest.mark.parametrize(("e_plus", "e_minus", "within"), [(1e9, -1e9, 0.01), (4.0, -3.0, 0.06)])
def test_rows_are_weaker_by_what_all_of_them_draw(e_plus: float, e_minus: float, within: float) -> None:
    """Exact but for the second order in the resistance, where currents do not fall with the membrane; to 6 % where they do."""
    railed, ideal = model(e_plus, e_minus), model(e_plus, e_minus, 0.0 * VOLTS)
    found = (layer_of(railed)(TIMES).switched_membrane - layer_of(ideal)(TIMES).switched_membrane).detach().numpy()
    w = layer_of(railed).effective_weight().detach().numpy()
    expected = np.array([integrated(t, w, railed) - integrated(t, w, ideal) for t in TIMES.numpy()])
    assert np.abs(expected).max() > 5e-4
    np.testing.assert_allclose(found, expected, atol=within * np.abs(expected).max())


def test_walks_by_hand_and_by_layer_agree() -> None:
    railed = model(4.0, -3.0)
    layer = layer_of(railed)
    w = layer.effective_weight().detach().numpy()
    by_layer = layer(TIMES).switched_membrane.detach().numpy()
    by_hand = [trajectory(railed, w, t, np.array([1.0]))[0] for t in TIMES.numpy()]
    np.testing.assert_allclose(by_layer, by_hand, atol=1e-9)


def test_what_is_dropped_is_differentiated() -> None:
    drop, beta = Drop(model(4.0, -3.0)).double(), torch.where(weights() > 0, 1 / 4.0, -1 / 3.0)
    membrane = torch.full((1, NEURONS), 0.7, dtype=torch.float64, requires_grad=True)
    given = (TIMES[1:] + 0.01).requires_grad_(), weights().requires_grad_(), beta, membrane, torch.ones(NEURONS) * 1.1
    assert torch.autograd.gradcheck(drop, given, eps=1e-7, atol=1e-8)


def test_without_lines_or_without_gates_nothing_is_dropped() -> None:
    railed = model(4.0, -3.0)
    ungated = dataclasses.replace(railed, **{s: dataclasses.replace(getattr(railed, s), gate_v=None) for s in ("plus", "minus")})
    for own in (railed.without("drop"), ungated):
        torch.testing.assert_close(
            layer_of(own)(TIMES).switched_membrane, layer_of(model(4.0, -3.0, 0.0 * VOLTS))(TIMES).switched_membrane
        )
