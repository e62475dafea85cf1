"""The page of a CI job: limits, what moved, the datasheet in a fold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cosim.cli.main import app
from reports.errors import ReportError
from reports.summary import MOST_MOVED, summarise

METRICS = {"validation.ode.output_spike_rmse_s": 5e-10, "circuit.test_accuracy": 0.96, "time.total_s": 100.0, "note": "x"}
LIMIT = {"name": "validation.ode.output_spike_rmse_s", "value": 5e-10, "min": None, "typ": None, "max": 1.97e-9, "passed": True}


def write_run(folder: Path, e_dis: float = 6.2, passed: bool = True, metrics: dict[str, object] | None = None) -> Path:
    sheet = folder / "datasheet"
    sheet.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(METRICS if metrics is None else metrics))
    (folder / "limits.json").write_text(json.dumps([LIMIT]))
    row = {"name": "rebiased.spike_s", "value": e_dis * 1e-7, "min": 5e-7, "typ": None, "max": None, "passed": passed}
    (sheet / "limits.json").write_text(json.dumps([{**row, "margin": 0.1, "at": "ss, -40 C | 1.62 V", "rerun": ""}]))
    (sheet / "datasheet.json").write_text(json.dumps({"title": "Iris <5-5-5>"}))
    rows = [
        {"mode": "rebiased", "parameter": name, "what": "", "unit": unit, "group": "neuron", "min": low, "typ": typ, "max": high,
         "worst_at": "ss", "rerun": ""}
        for name, unit, low, typ, high in (("e_dis", "", 5.0, e_dis, 8.0), ("spike_s", "s", 9e-7, 1e-6, 1.1e-6))
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(sheet / "extremes.parquet")
    return folder


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, ["datasheet", *map(str, words)])


def test_limits_with_units_and_the_datasheet_in_a_fold(tmp_path: Path) -> None:
    text = summarise(write_run(tmp_path / "run")).markdown()
    assert text.startswith("## Iris &lt;5-5-5>: 2 of 2 limits passed\n")
    assert "| validation.ode.output_spike_rmse_s | 500 ps | – | 1.97 ns |  | pass |" in text
    assert "| rebiased.spike_s | 620 ns | 500 ns | – | ss, -40 C \\| 1.62 V | pass |" in text
    assert "<details><summary>Datasheet: 2 parameters</summary>" in text
    assert "| rebiased | spike_s | 900 ns | 1.00 µs | 1.10 µs | ss |" in text
    assert "Moved" not in text and "moved" not in text


def test_every_table_has_as_many_cells_as_its_head(tmp_path: Path) -> None:
    text = summarise(write_run(tmp_path / "b", e_dis=6.6), write_run(tmp_path / "a")).markdown()
    tables = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_what_moved_comes_by_size_without_the_times(tmp_path: Path) -> None:
    before = write_run(tmp_path / "a")
    now = write_run(tmp_path / "b", 6.51, False, {**METRICS, "circuit.test_accuracy": 0.48, "time.total_s": 1.0})
    found = summarise(now, before)
    assert [(one.name, one.before, one.after, one.change) for one in found.moved] == [
        ("circuit.test_accuracy", "96.0 %", "48.0 %", "-50 %"),
        ("rebiased.e_dis (typ)", "6.20", "6.51", "+5 %"),
    ]
    assert found.failed == ["rebiased.spike_s"]
    assert "**FAIL** (was pass)" in found.markdown()
    assert summarise(now, now).markdown().count("Nothing moved against") == 1


def test_from_zero_and_many(tmp_path: Path) -> None:
    names = [f"validation.n{k}" for k in range(MOST_MOVED + 4)]
    before = write_run(tmp_path / "a", metrics={name: float(k) for k, name in enumerate(names)})
    now = write_run(tmp_path / "b", metrics={name: k + 1.0 for k, name in enumerate(names)})
    found = summarise(now, before)
    assert found.moved[0].name == "validation.n0" and found.moved[0].change == "from zero"
    assert "and 4 that moved less" in found.markdown()
    assert json.loads(invoke(now, "--against", before, "--json").stdout)["moved"][0]["relative"] is None


def test_the_command_ends_with_1_where_a_limit_fails(tmp_path: Path) -> None:
    good, bad = write_run(tmp_path / "a"), write_run(tmp_path / "b", passed=False)
    assert invoke(good, "--summary").stdout == summarise(good).markdown()
    lines = invoke(bad)
    assert lines.exit_code == 1 and "FAILED  rebiased.spike_s" in lines.stdout and "limits passed 1 of 2" in lines.stdout


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda run: (run / "metrics.json").unlink() or (run / "datasheet" / "limits.json").unlink(), "neither metrics nor"),
        (lambda run: (run / "limits.json").write_text("{}"), r"limits\.json: holds no list of limits"),
        (lambda run: (run / "limits.json").write_text("["), r"limits\.json: not valid JSON"),
        (lambda run: (run / "datasheet" / "extremes.parquet").write_text("x"), r"extremes\.parquet: not a readable Parquet file"),
    ],
)
def test_a_damaged_run_is_one_line(damage: object, told: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    damage(run)  # type: ignore[operator]
    with pytest.raises(ReportError, match=told):
        summarise(run)
    result = invoke(run, "--summary")
    assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1 and not result.stdout
