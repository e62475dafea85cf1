"""`cosim study`: rows once, pictures, one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosim.cli.main import app

STUDY = """
name = "tiny"
methods = ["ideal", "scaled", "ode", "ode-frozen"]
reversal = [0.5, 5.0]
noise = [0.0, 0.02]
steps = [0, 2, 3]
hidden = [4]
train_samples = 60
dies = 2
[recipe]
epochs = 1
[solvers]
reversal = [0.5, 1.0, 2.0, 8.0]
steps = [2, 4]
inputs = [5, 10]
samples = 2
"""


@pytest.mark.slow
def test_a_study_is_trained_once_and_drawn(tmp_path: Path) -> None:
    file, out = tmp_path / "study.toml", tmp_path / "out"
    file.write_text(STUDY)
    words = ["study", str(file), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    lines = (out / "study.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 2 * 2 * 3
    assert f"table and pictures: {out}" in result.output
    over = {f"accuracy_over_{axis}" for axis in ("reversal", "steps", "noise")}
    for name in {"methods_0.5", "methods_5", "membranes", "errors", "costs"} | over:
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (out / f"{name}.svg").read_text()
    (out / "study.csv").write_text("\n".join(lines[:-1]) + "\n")  # as if killed before the last row
    rows = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert len(rows) == 48
    again = (out / "study.csv").read_text().splitlines()
    assert again[:-1] == lines[:-1]
    assert again[-1].rsplit(",", 2)[0] == lines[-1].rsplit(",", 2)[0]


def test_a_missing_study_is_one_line() -> None:
    result = CliRunner().invoke(app, ["study", "none.toml"])
    assert result.exit_code == 2
    assert "none.toml: cannot be read" in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_a_study_without_its_data_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('name = "x"\ndataset = "fashion-mnist"\nreversal = [1.0]\n')
    result = CliRunner().invoke(app, ["study", str(file), "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "train-images-idx3-ubyte: missing" in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('name = "x"\nreversal = [1.0]\n')
    result = CliRunner().invoke(app, ["study", str(file), "--device", "abacus"])
    assert result.exit_code == 2
    assert "device: 'abacus' is not there" in result.stderr and len(result.stderr.strip().splitlines()) == 1
