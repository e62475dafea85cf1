"""`cosim diff`: what changed between two runs, and whether it is a regression."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosim.cli.main import app
from cosim.errors import InputError
from cosim.runs.diff import compare


def write_run(path: Path, rmse: float, capacitance: float, passed: bool) -> Path:
    path.mkdir()
    (path / "metrics.json").write_text(json.dumps({"validation.ode.output_spike_rmse_s": rmse, "validation.samples": 50}))
    curve = {"x": [1.0, 2.0], "y": [3.0, capacitance], "y_unit": "V"}
    (path / "hardware.json").write_text(
        json.dumps({"neuron": {"capacitance": {"value": capacitance, "unit": "F"}, "membrane": curve}})
    )
    (path / "limits.json").write_text(json.dumps([{"name": "validation.error_ratio", "passed": passed}]))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    return write_run(tmp_path / "a", 1.0e-9, 1.4e-13, True), write_run(tmp_path / "b", 1.5e-9, 1.5e-13, False)


def test_changes_and_regressions(runs: tuple[Path, Path]) -> None:
    found = compare(*runs)
    [metric] = found.metrics
    assert metric.name == "validation.ode.output_spike_rmse_s" and metric.relative == pytest.approx(0.5)
    assert [change.name for change in found.hardware] == ["neuron.capacitance.value", "neuron.membrane.y.1"]
    assert found.regressions == ["validation.error_ratio"] and not found.repairs
    assert compare(*reversed(runs)).repairs == ["validation.error_ratio"]


def test_a_regression_is_exit_code_1(runs: tuple[Path, Path]) -> None:
    a, b = map(str, runs)
    worse = CliRunner().invoke(app, ["diff", a, b])
    assert worse.exit_code == 1 and "+50.000%" in worse.stdout
    assert CliRunner().invoke(app, ["diff", b, a]).exit_code == 0
    same = CliRunner().invoke(app, ["diff", a, a, "--json"])
    assert same.exit_code == 0 and json.loads(same.stdout) == {"metrics": [], "hardware": [], "regressions": [], "repairs": []}


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=r"metrics\.json: cannot be read: No such file"):
        compare(runs[0], tmp_path)
    assert CliRunner().invoke(app, ["diff", str(runs[0]), str(tmp_path)]).exit_code == 2
