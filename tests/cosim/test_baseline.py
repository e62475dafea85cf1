"""The conventional mapping is there to compare with: a run may be without it, says so, and every reader copes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cosim.cli.main import app
from cosim.design.sections import Limit
from cosim.mapping import gain_search
from cosim.runs.limits import judge
from reports.baseline import is_of_baseline
from training.hardware import HardwareModel

DESIGN = """
name = "short"
[training]
epochs = {epochs}
[validation]
samples = 1
mismatch_dies = 0
accuracy_samples = 1
[mapping]
conventional = {conventional}
[limits]
"validation.ode.membrane_rmse_v" = {{ max = 1.0 }}
"validation.error_ratio" = {{ min = 20.0 }}
"""
REASON = "gain search: after 8 refinements the best gains still lie at the edge of 0.1 .. 10 and 0.4 .. 3"


def cosim(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def written(folder: Path, *, conventional: bool, epochs: int = 2) -> tuple[Path, Path]:
    """A design, and the reference's hardware model for it."""
    design, hardware = folder / "short.toml", folder / "hardware.json"
    design.write_text(DESIGN.format(conventional=str(conventional).lower(), epochs=epochs))
    HardwareModel.reference().save(hardware)
    return design, hardware


def test_a_design_that_wants_none_trains_none(tmp_path: Path) -> None:
    design, hardware = written(tmp_path, conventional=False)
    run = tmp_path / "run"
    result = cosim("train", design, "--hardware", hardware, "--out", run)
    assert result.exit_code == 0, result.output
    assert json.loads((run / "network.json").read_text())["sizes"] == {"ode": [5, 5, 5]}
    assert set(pd.read_parquet(run / "training.parquet").mapping) == {"ode"}
    assert not [name for name in json.loads((run / "metrics.json").read_text()) if is_of_baseline(name)]


def test_a_limit_on_it_is_judged_only_where_there_is_one() -> None:
    limits = {"validation.error_ratio": Limit(min=20.0), "circuit.test_accuracy": Limit(min=0.9)}
    assert [one.passed for one in judge(limits, {"circuit.test_accuracy": 0.95})] == [False, True]
    assert [one.name for one in judge(limits, {"circuit.test_accuracy": 0.95}, baseline=False)] == ["circuit.test_accuracy"]
    assert [one.passed for one in judge(limits, {}, baseline=False)] == [False], "what was not measured has not passed"


@pytest.mark.slow
def test_gains_that_are_not_found_cost_the_comparison_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = pd.DataFrame(
        {"gain_plus": [1.0], "gain_minus": [1.0], "stage": ["coarse"], "rmse_s": [1e-7], "samples": [4], "refinement_gain": [0.0]}
    )

    def lost(*words: Any) -> None:
        raise gain_search.GainSearchError(REASON, points)

    monkeypatch.setattr(gain_search, "search_gains", lost)
    design, hardware = written(tmp_path, conventional=True, epochs=60)
    run, without = tmp_path / "run", tmp_path / "without"
    assert cosim("train", design, "--hardware", hardware, "--out", run).exit_code == 0
    result = cosim("report", design, "--out", run, "--no-pdf")
    assert result.exit_code == 0, result.output
    assert f"no conventional mapping to compare with: {REASON}" in result.output
    assert "limits not judged, for there is no conventional mapping: validation.error_ratio" in result.output
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["validation.ode.output_spike_rmse_s"] < 20e-9 and "validation.error_ratio" not in metrics
    assert metrics["mapping.synapses"] == 50
    page = (run / "report.html").read_text()
    assert REASON in page and "not judged" in page and "1 / 1" in page and "Gain search" in page
    assert len(pd.read_parquet(run / "validation" / "gain_search.parquet")) == 1
    assert set(pd.read_parquet(run / "validation" / "spikes.parquet").mapping) == {"ode"}
    again = cosim("report", design, "--out", run, "--no-pdf")
    assert REASON in again.output, "a run that has nothing to do says it too"

    quiet, _ = written(tmp_path, conventional=False, epochs=60)
    assert cosim("train", quiet, "--hardware", hardware, "--out", without).exit_code == 0
    result = cosim("map", quiet, "--out", without)
    assert result.exit_code == 0 and "mapping.conventional of the design is false" in result.output
    assert not (without / "validation" / "gain_search.parquet").exists()
    compared = cosim("diff", run, without)
    assert compared.exit_code == 0, compared.output
