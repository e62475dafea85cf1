"""What the benchmark says of a run of the reference design; the run itself takes minutes and is made by the benchmark alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cosim
from benchmarks.truth import PARTS, judges

METRICS = {
    "simulation.operating_point_fallbacks": 3.0,
    "simulation.points": 192.0,
    "validation.second_judge_rmse_s": 5e-12,
    "validation.second_judge_samples": 2.0,
    "validation.numerical_error_s": 4e-12,
    "validation.both_judges_error_s": 6.4e-12,
    "validation.ode.output_spike_rmse_s": 1.8e-10,
}


def test_the_figures_are_those_of_a_judged_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def run(design: Path, out: Path, **keywords: Any) -> SimpleNamespace:
        asked.update(keywords)
        return SimpleNamespace(metrics=METRICS)

    monkeypatch.setattr(cosim, "run", run)
    found = {figure.name: figure for figure in judges.figures(quick=False)}
    assert "judges" in PARTS and asked == {"until": "validate", "samples": 3, "dies": 0, "judge": "vacask"}
    assert {name: figure.value for name, figure in found.items()} == {
        "truth.operating_point_fallbacks": 3.0,
        "truth.second_judge_rmse_s": 5e-12,
    }
    assert "192 simulations" in found["truth.operating_point_fallbacks"].detail
    assert "2 samples" in found["truth.second_judge_rmse_s"].detail and "6.4e-12 s" in found["truth.second_judge_rmse_s"].detail
