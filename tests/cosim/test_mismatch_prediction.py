"""What the model expects of mismatch dies."""

from __future__ import annotations

import pytest
import torch
from extracted import device_variation

from cosim.validation.mismatch import predicted_mismatch
from training.hardware import HardwareModel, NormalisedModel, Variation, VariedParameter
from training.network import RCSpikeNetwork

PHASE_S = HardwareModel.reference().phase_s


def prediction(**sigmas: float) -> dict[str, float]:
    """Of two neurons under an ideal discharger, at v = 0.5 and 0.2, with synapses that are ideal current sources."""
    network = RCSpikeNetwork((1, 2), NormalisedModel.constant(1e9, -1e9)).double().eval()
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[0.5], [0.2]]))
    hardware = HardwareModel.reference().model_copy(update={"variation": device_variation(**sigmas)})
    return predicted_mismatch(network, torch.zeros(3, 1).double(), 2, hardware)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("threshold", 0.02),  # t = threshold - v
        ("plus", 0.02 * ((0.5**2 + 0.2**2) / 2) ** 0.5),  # t = 1 - w
        ("discharger", 0.02 * ((0.5**2 + 0.8**2) / 2) ** 0.5),  # t = (1 - v) / current
        ("minus", 0.0),
    ],
)
def test_small_spreads_move_spikes_as_the_equations_say(part: str, expected: float) -> None:
    """The spread of the die, which simulated mismatch dies do not have, is left out."""
    found = prediction(**{part: 0.02})
    assert found["validation.mismatch.predicted_spike_rmse_s"] == pytest.approx(expected * PHASE_S, rel=0.1, abs=1e-15)
    assert found["validation.mismatch.predicted_label_agreement"] == 1.0


def test_large_spreads_change_labels() -> None:
    assert 0.6 < prediction(threshold=0.2)["validation.mismatch.predicted_label_agreement"] < 0.95


def test_hardware_without_dies_or_with_those_of_something_else_predicts_nothing() -> None:
    network = RCSpikeNetwork((1, 2), NormalisedModel.constant(3.0, -2.0)).double()
    other = VariedParameter(name="leakage_a", unit="A", nominal=1e-12)
    leaking = Variation(parameters=(other,), die_covariance=((0.0,),), device_covariance=((0.0,),), dies=9)
    for variation in (None, leaking, device_variation(plus=3.0)):
        hardware = HardwareModel.reference().model_copy(update={"variation": variation})
        assert predicted_mismatch(network, torch.zeros(3, 1).double(), 2, hardware) == {}
