"""The benchmark of one die of a classifier in ngspice: dies that an estimate allows, figures, a run that holds no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import classifier_chip
from cosim.calibration.nominal import Nominal
from training.calibration.calibrate import Calibrated
from training.calibration.chip import ideal
from training.calibration.circuit import DischargerCurve, LayerCircuit
from training.calibration.identify import Estimate
from training.hardware import HardwareModel, normalise
from training.hardware_aware.variation import Mismatch
from training.study.table import GrowingTable

ROW = dict.fromkeys(classifier_chip.COLUMNS, 1.0) | {"design": "digits", "die": 7, "patterns": 12, "images": 2, "all_images": 360}
HARDWARE = HardwareModel.reference()
BIAS = HARDWARE.neuron.discharger_bias.value
CURVE = DischargerCurve(BIAS + np.array([-0.045, 0.0, 0.03, 0.06]), np.log([0.367, 1.0, 1.906, 3.558]), BIAS)
CIRCUITS = [LayerCircuit(normalise(HARDWARE), CURVE, Mismatch(), inputs, load) for inputs, load in ((4, 3), (3, 0))]
DRAW = np.random.default_rng(2)
PROGRAM = tuple(c.program(DRAW.uniform(-0.3, 0.7, (3, c.inputs)), BIAS) for c in CIRCUITS)
TESTS = DRAW.random((40, 4))
WANTED = ideal(CIRCUITS, PROGRAM, TESTS)
EVERY = Nominal(CIRCUITS, PROGRAM, TESTS, TESTS, WANTED[-1].argmin(1), WANTED, 3, 1e-6)


def known(by: float, sigma: float) -> Calibrated:
    """Devices that are all off by so many standard deviations of their prior, and so well known."""
    priors = [Estimate.prior(c, 1, 3) for c in CIRCUITS]
    estimates = [replace(one, unknown=one.unknown + by, covariance=one.covariance * sigma**2) for one in priors]
    return Calibrated(PROGRAM, estimates, [], [])


def test_a_die_that_is_known_to_be_nominal_classifies_as_nominal() -> None:
    found = classifier_chip.on_all(known(0.0, 1e-9), PROGRAM, EVERY, draws=2)
    assert found["set_labels"] == found["set_accuracy"] == found["made_accuracy"] == found["nominal_accuracy"] == 1.0
    assert found["all_images"] == 40


def test_what_is_not_known_of_a_die_costs_accuracy() -> None:
    shares = [classifier_chip.on_all(known(0.0, sigma), PROGRAM, EVERY, draws=4) for sigma in (0.1, 1.0)]
    assert shares[1]["set_accuracy_low"] <= shares[1]["set_accuracy"] < shares[0]["set_accuracy"] <= 1.0
    other = tuple(replace(layer, code_v=layer.code_v + np.array([[0.05], [0.0], [0.0]])) for layer in PROGRAM)
    moved = classifier_chip.on_all(known(0.0, 1e-9), other, EVERY, draws=1)
    assert moved["made_accuracy"] == 1.0 and moved["set_accuracy"] < 1.0


def test_dies_are_drawn_about_what_was_found() -> None:
    estimate = known(2.0, 0.5).estimates[0]
    draws = np.stack([estimate.allowed(1, DRAW) for _ in range(400)])
    assert draws.mean(0) == pytest.approx(2.0, abs=0.15) and draws.std() == pytest.approx(0.5, rel=0.05)


def test_figures_are_those_of_the_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_chip, "TABLE", tmp_path / "chip.csv")
    assert list(classifier_chip.figures()) == []
    table = GrowingTable(tmp_path / "chip.csv", classifier_chip.COLUMNS)
    for rmse_s, accuracy in ((9e-8, 0.9), (4e-8, 0.98)):
        table.append({**ROW, "rmse_s": rmse_s, "set_accuracy": accuracy, "nominal_accuracy": 0.9861})
    error, labels, right = classifier_chip.figures()
    assert (error.name, error.value, labels.value) == ("dies.classifier_rmse_s", 4e-8, 1.0)
    assert (right.value, right.target) == (0.98, "at least 0.9811")
    assert "360 images on 20 dies that its estimate allows" in right.detail and "die 7 in ngspice" in right.detail


@pytest.mark.parametrize("words", [[], ["--patterns", "8+4"]])
def test_a_run_without_a_network_is_one_line(words: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classifier_chip.main([str(tmp_path), *words]) == 2
    assert capsys.readouterr().err.strip() == f"{tmp_path}: has no design.toml; make one with: cosim train designs/NAME.toml"
