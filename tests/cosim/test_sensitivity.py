"""How far outputs move when devices are off, against what follows from the equations by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cosim.validation import sensitivity
from cosim.validation.sensitivity import sensitivity_table
from training.hardware import HardwareModel, NormalisedModel
from training.hardware_aware.variation import Mismatch
from training.network import RCSpikeNetwork

HARDWARE = HardwareModel.reference()
INPUTS = torch.tensor([[0.1, 0.4, 0.2], [0.5, 0.0, 0.3]], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.5, 0.4, -0.3], [0.2, 0.6, -0.1]], dtype=torch.float64)


@pytest.fixture
def network() -> RCSpikeNetwork:
    """One layer of an ideal multiply-accumulate, so that an output is at 1 - v, v = sum of w (1 - t)."""
    made = RCSpikeNetwork((3, 2), NormalisedModel.constant(1e6, -1e6)).double().eval()
    layer = next(iter(made))
    layer.weight = torch.nn.Parameter(WEIGHTS)
    return made


def test_slopes_are_those_of_the_equations(network: RCSpikeNetwork) -> None:
    table = sensitivity_table(network, INPUTS, HARDWARE).set_index("device")
    arrived = (1 - INPUTS.numpy())[:, None, :] * WEIGHTS.numpy()
    plus, minus = (np.where(sign * arrived > 0, arrived, 0.0).sum(2) for sign in (1, -1))
    v = arrived.sum(2)
    assert ((v > 0.05) & (v < 0.95)).all(), "every output fires within its phase"
    wanted = {"plus": -0.01 * plus, "minus": -0.01 * minus, "threshold": np.full_like(v, 0.01), "discharger": -0.01 * (1 - v)}
    for device, moved in wanted.items():
        row = table.loc[device]
        assert row.per_percent_s == pytest.approx(np.sqrt((moved**2).mean()) * HARDWARE.phase_s, rel=2e-5), device
        assert row.mean_per_percent_s == pytest.approx(moved.mean() * HARDWARE.phase_s, rel=2e-5), device


def test_dies_with_one_kind_of_device_alone_are_as_far_off_as_its_slope_and_spread_say(
    network: RCSpikeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    spread = Mismatch(device_plus=0.3, device_minus=0.2, device_threshold=0.01, device_discharger=0.05)
    monkeypatch.setattr(sensitivity, "device_mismatch", lambda *_: spread)
    table = sensitivity.sensitivity_table(network, INPUTS, HARDWARE).set_index("device")
    assert table.sigma.to_dict() == {"plus": 0.3, "minus": 0.2, "threshold": 0.01, "discharger": 0.05}
    assert table.dies_rmse_s["plus"] > table.dies_rmse_s["minus"] > 0
    for device in ("threshold", "discharger"):  # one device each, whose outputs are its own
        row = table.loc[device]
        assert row.dies_rmse_s == pytest.approx(100 * row.sigma * row.per_percent_s, rel=0.35), device


def test_a_model_without_a_spread_has_slopes_alone(network: RCSpikeNetwork) -> None:
    assert HARDWARE.variation is None
    table = sensitivity_table(network, INPUTS, HARDWARE)
    assert table.sigma.isna().all() and table.dies_rmse_s.isna().all() and (table.per_percent_s > 0).all()
