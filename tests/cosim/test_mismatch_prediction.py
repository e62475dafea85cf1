"""What the model expects of mismatch dies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from extracted import device_variation

from cosim.validation.mismatch import ModelDies, model_dies
from training.data.spikes import SpikeData
from training.hardware import HardwareModel, NormalisedModel, Variation, VariedParameter
from training.network import RCSpikeNetwork

DIES = 100
TESTS = SpikeData(
    torch.zeros(2, 1).double(), torch.tensor([0, 1]), torch.zeros(4, 1).double(), torch.tensor([0, 0, 0, 1]), np.zeros(1),
    np.ones(1), [0, 1], [0, 1, 2, 3],
)  # fmt: skip
PHASE_S = HardwareModel.reference().phase_s


def dies(good_from: float = 0.95, **sigmas: float) -> ModelDies:
    """Of two neurons under an ideal discharger, at v = 0.5 and 0.2, with synapses that are ideal current sources.

    Three samples are simulated on dies, four are the test set: in all the first neuron fires first, in one that is wrong.
    """
    network = RCSpikeNetwork((1, 2), NormalisedModel.constant(1e9, -1e9)).double().eval()
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[0.5], [0.2]]))
    hardware = HardwareModel.reference().model_copy(update={"variation": device_variation(**sigmas)})
    return model_dies(network, torch.zeros(3, 1).double(), TESTS, hardware, good_from, DIES)


def prediction(**sigmas: float) -> dict[str, float]:
    return dies(**sigmas).metrics


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
        found = model_dies(network, torch.zeros(3, 1).double(), TESTS, hardware, 0.9)
        assert found.metrics == {} and found.table.empty


def test_a_die_counts_in_the_yield_from_its_accuracy_on() -> None:
    nominal = dies(threshold=1e-6)
    assert set(nominal.table.accuracy) == {0.75}
    assert nominal.metrics["validation.mismatch.predicted_yield"] == 0.0
    spread = dies(good_from=0.75, threshold=0.2)
    turned = spread.table.accuracy == 0.25  # the second neuron fires first, which is right in one sample
    assert list(spread.table.die) == list(range(1, DIES + 1)) and 0.05 < turned.mean() < 0.4
    assert spread.metrics["validation.mismatch.predicted_yield"] == pytest.approx(1 - turned.mean())
    assert spread.metrics["validation.mismatch.predicted_accuracy"] == pytest.approx(0.75 - 0.5 * turned.mean())
    assert spread.metrics["validation.mismatch.predicted_worst_accuracy"] == 0.25
    np.testing.assert_array_equal(spread.table.label_agreement == 0.0, turned)
