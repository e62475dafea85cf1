"""Hardware models of version 2: variation over dies and devices, provenance, and what version 1 becomes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.hardware import (
    REFERENCE_FILE,
    SCHEMA_VERSION,
    HardwareModel,
    HardwareModelError,
    Variation,
    VariedParameter,
    normalise,
)

SYNAPSE_7 = ("slope", "curvature", "leakage")
"""What version 7 adds to a synapse."""


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


def version_1() -> dict[str, Any]:
    """The reference as the first version of this library would have written it."""
    content = json.loads(REFERENCE_FILE.read_text())
    later = ("provenance", "origin", "variation", "content_sha256")
    return {key: value for key, value in content.items() if key not in later} | {"schema_version": 1}


def test_the_model_that_comes_along_says_what_it_is_of() -> None:
    model = HardwareModel.reference()
    assert json.loads(REFERENCE_FILE.read_text())["schema_version"] == SCHEMA_VERSION, "it has every term that a run extracts"
    assert "designs/iris_5_5_5.toml" in model.origin and "SKY130" in model.origin and "ngspice" in model.origin
    assert (model.name, model.provenance, model.corner, model.temperature_c) == ("iris_5_5_5", "simulated", "tt", 27.0)
    assert model.neuron.capacitance_f == pytest.approx(140e-15, rel=0.02)
    normalised = normalise(model)
    assert 1 / normalised.plus.beta[64] == pytest.approx(2.77, abs=0.1) and np.ptp(normalised.plus.beta) > 0.01


def test_a_hardware_model_is_read_without_torch() -> None:
    code = "import sys, training.trajectory; from training.hardware import HardwareModel, normalise"
    heavy = ("torch", "pandas", "sklearn", "numba", "netlists", "cosim")
    code += f"; normalise(HardwareModel.reference()); sys.exit([name for name in {heavy} if name in sys.modules] or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version_6_is_straight_and_does_not_leak(tmp_path: Path) -> None:
    """Its currents are the lines to their reversals, to the last bit."""
    content = {key: value for key, value in json.loads(REFERENCE_FILE.read_text()).items() if key != "content_sha256"}
    for part, names in (("plus", SYNAPSE_7), ("minus", SYNAPSE_7), ("neuron", ("leakage", "idle_leakage"))):
        content[part] = {key: value for key, value in content[part].items() if key not in names}
    (tmp_path / "old.json").write_text(json.dumps(content | {"schema_version": 6}))
    old, new = normalise(HardwareModel.load(tmp_path / "old.json")), normalise(HardwareModel.reference())
    model = HardwareModel.reference()
    current = np.geomspace(*model.minus.current_range_a, 129)
    np.testing.assert_array_equal(old.minus.beta, -model.neuron.v_th_v / model.minus.reversal(current))
    assert not any(x.any() for s in (old.plus, old.minus) for x in (s.gamma, s.leakage)) and old.leakage == old.idle_leakage == 0
    # The parabola of a PMOS is flatter at rest than its line, and what leaks is picoamperes.
    assert (new.minus.beta > old.minus.beta).all() and 0.003 < new.minus.gamma.min() < new.minus.gamma.max() < 0.03
    assert 1e-7 < new.leakage < 1e-5 and 1e-7 < new.idle_leakage < new.leakage


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions_become_the_newest(version: int, tmp_path: Path) -> None:
    """1 could only be simulated and had no dies; 2 does not say where it came from."""
    content = version_1() if version == 1 else {**version_1(), "schema_version": 2, "provenance": "measured", "variation": None}
    (tmp_path / "old.json").write_text(json.dumps(content))
    model = HardwareModel.load(tmp_path / "old.json")
    provenance = {1: "simulated", 2: "measured"}[version]
    assert (model.schema_version, model.provenance, model.variation, model.origin) == (SCHEMA_VERSION, provenance, None, "")
    assert model.neuron == HardwareModel.reference().neuron


def test_charges_that_were_found_with_another_law_are_refused(tmp_path: Path) -> None:
    """Where a synapse's capacitance depends on its code, version 10 took the neuron's own delay to wait for it."""
    content, file = json.loads(REFERENCE_FILE.read_text()), tmp_path / "old.json"
    del content["content_sha256"]
    file.write_text(json.dumps(content | {"schema_version": 10}))
    assert HardwareModel.load(file) == HardwareModel.reference(), "nothing else has changed"
    content["minus"]["capacitance_off"] = content["minus"]["charge_on"]
    file.write_text(json.dumps(content | {"schema_version": 10}))
    with pytest.raises(HardwareModelError, match=r"old\.json: schema_version: 10, whose charges .*: cosim characterize DESIGN"):
        HardwareModel.load(file)


def test_a_saved_model_keeps_variation_and_provenance(tmp_path: Path) -> None:
    model = HardwareModel.reference().model_copy(update={"variation": variation(), "provenance": "measured"})
    model.save(tmp_path / "hardware.json")
    again = HardwareModel.load(tmp_path / "hardware.json")
    assert again == model
    assert again.variation is not None and again.variation.names == ("current", "threshold")
    np.testing.assert_array_equal(normalise(again).plus.beta, normalise(HardwareModel.reference()).plus.beta)


def test_what_is_wrong_with_a_variation_is_one_line(tmp_path: Path) -> None:
    content = version_1()
    broken = {**variation().model_dump(mode="json"), "die_covariance": [[1.0]]}
    file = tmp_path / "hardware.json"
    file.write_text(json.dumps({**content, "schema_version": 2, "variation": broken}))
    with pytest.raises(HardwareModelError, match=r"hardware\.json: variation: .*die_covariance: must be 2 x 2"):
        HardwareModel.load(file)
    file.write_text(json.dumps({**content, "schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(HardwareModelError, match=f"{SCHEMA_VERSION + 1} is newer than {SCHEMA_VERSION}"):
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
