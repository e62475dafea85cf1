"""The datasheet from a design: limits, tables, the command that runs a row again, and no simulation the second time."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cosim.cli.main import app
from cosim.datasheet.circuits import Circuit
from cosim.datasheet.make import DatasheetResult, check_limits, make_datasheet
from cosim.datasheet.parameters import no_values
from cosim.datasheet.pvt import FIXED
from cosim.datasheet.tables import MONTE_CARLO, Judged, Rerun, judge, judged_row, short
from cosim.design import Design, load_design
from cosim.design.condition import Condition
from cosim.design.sections import Limit
from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from cosim.runs.effort import Effort
from cosim.runs.given import GIVEN_HARDWARE
from cosim.runs.limits import Verdict
from cosim.runs.progress import Monitor
from cosim.simulator import WorkerPool
from sky130_models.corners import Corner
from training.hardware import REFERENCE_FILE, HardwareModel

ROOT = Path(__file__).parents[2]
RERUN = Rerun("design.toml", "runs/x")
SMALL = """
name = "small"
[datasheet]
corners = ["ss"]
modes = ["fixed", "rebiased"]
dies = 8
split_dies = 4
compared_dies = 4
spike_patterns = 2
[datasheet.limits]
"rebiased.e_dis" = {{ min = {e_dis} }}
"monte_carlo.capacitance_f" = {{ typ = 140e-15, max = 150e-15 }}
"""


def circuits(*values: float) -> list[Circuit]:
    places = (Condition(Corner.TT, 27.0, 1.8), Condition(Corner.SS, -40.0, 1.62), Condition(Corner.FF, 125.0, 1.98, (), 17))
    return [Circuit(FIXED, place, {**no_values(), "e_dis": value}) for place, value in zip(places, values, strict=False)]


@pytest.mark.parametrize(
    ("limit", "passed", "margin", "value"),
    [
        (Limit(min=5.0), True, 0.5, 5.5),
        (Limit(min=5.5), True, 0.0, 5.5),
        (Limit(min=6.0), False, -0.5, 5.5),
        (Limit(max=0.0), False, -7.0, 7.0),
        (Limit(min=5.0, max=6.8), False, pytest.approx(-0.2), 7.0),
    ],
)
def test_a_limit_is_judged_on_its_worst_circuit(limit: Limit, passed: bool, margin: float, value: float) -> None:
    (judged,) = judge({"fixed.e_dis": limit}, circuits(6.0, 5.5, 7.0), RERUN)
    assert (judged.verdict.passed, judged.margin, judged.verdict.value) == (passed, margin, value)
    if value == 5.5:
        assert judged.at == "ss, -40 C, 1.62 V"
    assert "--measure discharger_current" in judged.rerun


def test_a_parameter_that_nobody_measured_fails_its_limit() -> None:
    (judged,) = judge({"monte_carlo.e_dis": Limit(min=0.0)}, circuits(np.nan), RERUN)
    assert not judged.verdict.passed and judged.verdict.value is None


def test_a_circuit_without_the_parameter_fails_its_limit() -> None:
    """A neuron that never fires at a corner has no spike to be late."""
    (judged,) = judge({"fixed.e_dis": Limit(min=5.0)}, circuits(6.0, np.nan, 7.0), RERUN)
    assert not judged.verdict.passed and judged.verdict.value is None and judged.margin is None
    assert judged.at == "ss, -40 C, 1.62 V" and "corner=ss" in judged.rerun


def test_a_limit_on_something_else_is_one_line() -> None:
    design = Design.model_validate({"name": "x", "datasheet": {"limits": {"fixed.e_diss": {"min": 1.0}}}})
    with pytest.raises(InputError, match=r"datasheet\.limits: 'fixed\.e_diss' is not MODE\.PARAMETER"):
        check_limits(design)


def test_the_command_of_a_row_names_its_point_and_its_die() -> None:
    condition = Condition(Corner.SS, -40.0, 1.62, (("synapse.nmos_bias_v", (0.5, 0.6)),), 17, discharger_bias_v=0.55)
    words = shlex.split(RERUN.command("e_minus_strong", condition))
    assert words[:5] == ["cosim", "sweep", "design.toml", "--measure", "synapse_current"]
    only = "corner=ss,temperature_c=-40.0,supply_v=1.62,discharger_bias_v=0.55,synapse.nmos_bias_v=0.5:0.6,seed=17"
    assert words[5:7] == ["--only", f"{only},sign=-1,weight=strong"]
    assert short(condition) == "ss, -40 C, 1.62 V, die 17"


def test_a_pair_of_numbers_in_a_condition_is_a_pair_in_the_design() -> None:
    condition = Condition(Corner.TT, 27.0, 1.8, (("neuron.discharger_bias_v", (0.5, 0.6)),))
    assert condition.applied(Design(name="x")).neuron.discharger_bias_v == (0.5, 0.6)


def test_cosim_characterize_ends_with_the_verdicts_of_the_datasheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And knows them, and the points that failed, when there is nothing left to do."""
    failed = Judged(Verdict("fixed.e_dis", 5.0, 6.0, None, None, False), -1.0, "tt", "")
    made = []

    def make(design: Design, file: Path, run: RunDirectory, *_: object, **__: object) -> DatasheetResult:
        made.append(file)
        run.write_json("datasheet/limits.json", [judged_row(failed)])
        run.write("datasheet.pdf", b"%PDF")  # what could not be typeset is tried again
        return DatasheetResult([failed], Effort(points=9, cached_points=4, simulate_s=1.5))

    monkeypatch.setattr("cosim.datasheet.make.make_datasheet", make)
    (tmp_path / "small.toml").write_text(SMALL.format(e_dis=5.0))
    words = ("characterize", str(tmp_path / "small.toml"), "--out", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    shutil.copy(REFERENCE_FILE, tmp_path / "run" / GIVEN_HARDWARE)
    for _ in range(2):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 1 and "limit failed: fixed.e_dis = 5, allowed 6 .. -" in result.output, result.output
        metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
        assert metrics["datasheet.fixed.e_dis"] == 5.0 and metrics["time.simulate_s"] == 1.5
        assert (metrics["simulation.points"], metrics["simulation.cached_points"]) == (9, 4)
    assert made == [tmp_path / "small.toml"]
    record = json.loads((tmp_path / "run" / "provenance.json").read_text())["stages"]
    assert list(record) == ["characterize", "datasheet"] and "ngspice" in record["datasheet"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, DatasheetResult]:
    folder = tmp_path_factory.mktemp("datasheet")
    file, run = folder / "small.toml", folder / "run"
    file.write_text(SMALL.format(e_dis=5.0))
    run.mkdir()
    shutil.copy(file, run / "design.toml")
    shutil.copy(REFERENCE_FILE, run / "hardware.json")
    return file, run, _make(file, run)


def _make(file: Path, run: Path) -> DatasheetResult:
    with WorkerPool(jobs=2) as pool:
        return make_datasheet(load_design(file), file, RunDirectory(run), pool, Monitor(), pdf=False)


@pytest.mark.slow
def test_tables_hold_every_mode_and_die(made: tuple[Path, Path, DatasheetResult]) -> None:
    _, run, result = made
    assert result.effort.failed_points == 0 and all(one.verdict.passed for one in result.judged)
    extremes = pd.read_parquet(run / "datasheet/extremes.parquet")
    assert set(extremes["mode"]) == {"fixed", "rebiased"} and set(extremes.worst_at) <= {"tt, 27 C, 1.8 V", "ss, 27 C, 1.8 V"}
    current = extremes[extremes.parameter == "current_plus_middle_a"].set_index("mode")
    assert current["min"]["fixed"] < 0.7 * current.typ["fixed"] and current["min"]["rebiased"] > 0.9 * current.typ["rebiased"]
    dies = pd.read_parquet(run / "datasheet/dies.parquet")
    assert list(dies.seed) == list(range(8)) and dies.current_plus_middle_a.nunique() == 8
    statistics = pd.read_parquet(run / "datasheet/statistics.parquet")
    assert set(statistics.model_set) == {"continuous", "binned"}
    assert set(statistics[statistics.model_set == "binned"].parameter) & {"current_plus_middle_a", "leakage_a"}
    record = json.loads((run / "datasheet/datasheet.json").read_text())
    assert "no model for W = 1 um, L = 0.47 um" in record["remarks"], (
        "what the other set cannot do is told, and costs only itself"
    )
    variation = HardwareModel.load(run / "datasheet/hardware.json").variation
    assert variation is not None and variation.dies == 4
    assert variation.sigma("current_plus_middle_a")[1] > 3 * variation.sigma("current_plus_middle_a")[0]


@pytest.mark.slow
def test_the_ladder_says_what_each_term_buys(made: tuple[Path, Path, DatasheetResult]) -> None:
    table = pd.read_parquet(made[1] / "datasheet/ladder.parquet").set_index("rung")
    assert table.held_out_rms_v["ideal"] > 5 * table.held_out_rms_v["+ reversal"]
    assert table.held_out_rms_v["hardware model, currents as measured"] < 0.5e-3
    assert "Choice of the neuron model" in (made[1] / "datasheet.html").read_text()


@pytest.mark.slow
def test_another_limit_costs_no_simulation(made: tuple[Path, Path, DatasheetResult]) -> None:
    file, run, first = made
    file.write_text(SMALL.format(e_dis=50.0))
    again = _make(file, run)
    file.write_text(SMALL.format(e_dis=5.0))
    assert again.simulated == 0 and again.effort.points == first.effort.points > 0
    assert [one.verdict.passed for one in again.judged] == [False, True]
    page = (run / "datasheet.html").read_text()
    assert "rebiased.e_dis" in page and "fail" in page


@pytest.mark.slow
def test_the_command_of_a_row_gives_its_number_again(made: tuple[Path, Path, DatasheetResult], tmp_path: Path) -> None:
    _, run, _ = made
    rows = pd.read_parquet(run / "datasheet/extremes.parquet").set_index(["mode", "parameter"])
    row = rows.loc["rebiased", "charge_off_minus_c"]
    words = shlex.split(row.rerun)[1:]
    words[words.index("--out") + 1] = str(tmp_path / "run")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(tmp_path / "run/sweep/synapse_switching.parquet")
    assert len(table) == 1 and table.charge_off_c[0] in (row["min"], row["max"])


def test_the_reference_design_asks_for_a_datasheet_that_cosim_run_leaves_out() -> None:
    design = load_design(ROOT / "designs" / "iris_5_5_5.toml")
    asked = design.datasheet
    assert asked is not None and (len(asked.corners), asked.dies, asked.run) == (15, 1000, False)
    check_limits(design)
    assert {name.partition(".")[0] for name in asked.limits} <= {"fixed", "rebiased", MONTE_CARLO}
