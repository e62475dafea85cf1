"""Hardware models of version 2: variation over dies and devices, provenance, and what version 1 becomes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.hardware import SCHEMA_VERSION, HardwareModel, HardwareModelError, normalise
from training.hardware_variation import Variation, VariedParameter

VERSION_1 = Path(__file__).parents[1] / "data" / "hardware_iris_5_5_5.json"


def variation() -> Variation:
    return Variation(
        parameters=(
            VariedParameter(name="current", unit="A", nominal=-1e-7, scale="log"),
            VariedParameter(name="threshold", unit="V", nominal=0.43),
        ),
        die_covariance=((0.04, 1e-3), (1e-3, 1e-4)),
        device_covariance=((0.0625, -1e-3), (-1e-3, 4e-4)),
        dies=1000,
    )


def test_version_1_becomes_a_simulated_model_without_dies() -> None:
    content = json.loads(VERSION_1.read_text())
    assert content["schema_version"] == 1 and "variation" not in content
    model = HardwareModel.load(VERSION_1)
    assert (model.schema_version, model.provenance, model.variation) == (SCHEMA_VERSION, "simulated", None)
    assert model.neuron.threshold.value == content["neuron"]["threshold"]["value"]


def test_a_saved_model_keeps_variation_and_provenance(tmp_path: Path) -> None:
    model = HardwareModel.load(VERSION_1).model_copy(update={"variation": variation(), "provenance": "measured"})
    model.save(tmp_path / "hardware.json")
    again = HardwareModel.load(tmp_path / "hardware.json")
    assert again == model
    assert again.variation is not None and again.variation.names == ("current", "threshold")
    np.testing.assert_array_equal(normalise(again).plus.beta, normalise(HardwareModel.load(VERSION_1)).plus.beta)


def test_what_is_wrong_with_a_variation_is_one_line(tmp_path: Path) -> None:
    content = json.loads(VERSION_1.read_text())
    broken = {**variation().model_dump(mode="json"), "die_covariance": [[1.0]]}
    file = tmp_path / "hardware.json"
    file.write_text(json.dumps({**content, "schema_version": 2, "variation": broken}))
    with pytest.raises(HardwareModelError, match=r"hardware\.json: variation: .*die_covariance: must be 2 x 2"):
        HardwareModel.load(file)
    file.write_text(json.dumps({**content, "schema_version": 3}))
    with pytest.raises(HardwareModelError, match="3 is newer than 2"):
        HardwareModel.load(file)


def test_sigma_is_the_diagonal() -> None:
    assert variation().sigma("current") == pytest.approx((0.2, 0.25))
    with pytest.raises(KeyError, match="not among current, threshold"):
        variation().sigma("capacitance")


def test_drawn_dies_have_the_covariances_they_were_drawn_from() -> None:
    drawn = variation().draw(np.random.default_rng(0), dies=4000, devices=20)
    assert drawn.shape == (4000, 20, 2) and np.all(drawn[..., 0] < 0), "a lognormal current keeps its sign"
    deviation = np.stack([np.log(drawn[..., 0] / -1e-7), drawn[..., 1] - 0.43], axis=-1)
    within = np.mean([np.cov(die.T) for die in deviation], axis=0)
    between = np.cov(deviation.mean(axis=1).T) - within / 20
    np.testing.assert_allclose(within, variation().device_covariance, rtol=0.05)
    np.testing.assert_allclose(between, variation().die_covariance, rtol=0.12)
