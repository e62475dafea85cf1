"""The benchmark of networks that were trained differently on dies of the model: its figures, and a run without gains."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import dies_trained
from training.study.table import GrowingTable

ROW = dict.fromkeys(dies_trained.OWN_COLUMNS, 1.0) | {"network": "equation", "design": "iris", "images": 50}


def test_figures_are_those_of_each_network_before_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dies_trained, "TABLE", tmp_path / "dies.csv")
    assert list(dies_trained.figures()) == []
    table = GrowingTable(tmp_path / "dies.csv", dies_trained.OWN_COLUMNS)
    for die, made, error in ((1, 0.98, 3e-9), (2, 0.66, 4e-9)):
        table.append({**ROW, "die": die, "before_accuracy": made, "after_accuracy": 0.96, "after_rmse_s": error})
    table.append({**ROW, "network": "mismatch", "before_accuracy": 0.9})
    found = {figure.name: figure for figure in dies_trained.figures()}
    assert len(found) == 12 and not any("ideal" in name for name in found)
    values = {name: found[f"dies.equation_{name}"].value for name in ("before_accuracy", "before_yield", "after_yield")}
    assert values == {"before_accuracy": pytest.approx(0.82), "before_yield": 0.5, "after_yield": 1.0}
    assert found["dies.equation_after_rmse_s"].value == pytest.approx(3.5355e-9, rel=1e-4)
    assert "2 dies of the model, 50 samples each, as made; worst 0.66" in found["dies.equation_before_accuracy"].detail
    assert found["dies.mismatch_before_yield"].value == 0.0


def test_a_run_without_gains_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dies_trained.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip() == f"{tmp_path}: has no design.toml; make one with: cosim map designs/iris_5_5_5.toml"
