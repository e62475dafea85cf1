"""The benchmark of calibrated dies of a classifier: what is read off its table, and a run that holds no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import classifier_dies
from training.study.table import GrowingTable

ROW = dict.fromkeys(classifier_dies.COLUMNS, 1.0) | {"design": "digits", "biases": "own", "patterns": 16, "images": 360}


def test_figures_are_those_of_the_dies_with_biases_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_dies, "TABLE", tmp_path / "dies.csv")
    assert list(classifier_dies.figures("digits")) == []
    table = GrowingTable(tmp_path / "dies.csv", classifier_dies.COLUMNS)
    for die, accuracy, after in ((1, 0.98, 3e-8), (2, 0.96, 4e-8)):
        table.append({**ROW, "die": die, "after_accuracy": accuracy, "after_rmse_s": after})
    table.append({**ROW, "biases": "codes alone", "after_accuracy": 0.1})
    table.append({**ROW, "design": "another", "after_accuracy": 0.1})
    accuracy, error = classifier_dies.figures("digits")
    assert accuracy.name == "digits.mismatch_accuracy" and accuracy.value == pytest.approx(0.97)
    assert "2 dies of the model, 360 images each, calibrated by 16 patterns: worst 0.9600" in accuracy.detail
    assert error.value == pytest.approx(3.5355e-8, rel=1e-4)


def test_a_run_without_a_network_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classifier_dies.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip() == f"{tmp_path}: has no design.toml; make one with: cosim train designs/NAME.toml"
