"""`cosim study`: rows once, pictures, one line for what is wrong."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cosim.cli.main import app
from cosim.networks.study import attempt
from cosim.networks.study.progress import StudyProgress
from cosim.runs.progress import Monitor, duration
from training.study.plan import load_study
from training.study.runs import Run, perform, runs_of
from training.trainer import Epoch

ROOT = Path(__file__).parents[2]

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
    said = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert len(said["rows"]) == 48 and said["failures"] == []
    again = (out / "study.csv").read_text().splitlines()
    assert again[:-1] == lines[:-1]
    assert again[-1].rsplit(",", 3)[0] == lines[-1].rsplit(",", 3)[0]


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


SMALL = """
name = "small"
methods = ["ideal", "scaled", "ode"]
reversal = [0.5, 5.0]
hidden = [4]
train_samples = 60
[recipe]
epochs = {epochs}
"""


def small(folder: Path, epochs: int = 2) -> Path:
    """Six networks of three trainings: the ideal one is shared by four."""
    path = folder / "study.toml"
    path.write_text(SMALL.format(epochs=epochs))
    return path


def results(folder: Path) -> dict[str, dict[str, str]]:
    """study.csv by network, without the time that each took, and without its digest."""
    left_out = ("train_seconds", "row_digest")
    with (folder / "study.csv").open() as file:
        return {row["run"]: {name: row[name] for name in row if name not in left_out} for row in csv.DictReader(file)}


def fails_in_ode(run: Run, *work: Any) -> dict[str, object]:
    if run.method == "ode" and run.e_rev == 0.5:
        raise RuntimeError("out of memory\nand more")
    return perform(run, *work)


def test_a_training_that_fails_costs_its_own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = small(tmp_path), tmp_path / "out"
    words = ["study", str(file), "--out", str(out)]
    with monkeypatch.context() as patched:
        patched.setattr(attempt, "perform", fails_in_ode)
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 3 and result.stderr == ""
    assert len(results(out)) == 5
    with (out / "failures.csv").open() as table:
        (failure,) = csv.DictReader(table)
    assert failure["reason"] == "RuntimeError: out of memory" and "Traceback" in failure["traceback"]
    assert failure["rerun"] == f"cosim study {file} --out {out} --device cpu --only {failure['run']}"
    said = f"failed: {failure['network']}: RuntimeError: out of memory; again: {failure['rerun']}"
    assert said in result.stdout.splitlines()
    again = CliRunner().invoke(app, failure["rerun"].split()[1:])
    assert again.exit_code == 0, again.output
    assert len(results(out)) == 6 and not (out / "failures.csv").exists()
    unknown = CliRunner().invoke(app, [*words, "--only", "nothing"])
    assert unknown.exit_code == 2 and "only: 'nothing' is no network of this study" in unknown.stderr


def test_progress_is_told_in_epochs_of_networks(tmp_path: Path) -> None:
    runs, monitor = list(runs_of(load_study(small(tmp_path, epochs=4)))), Monitor()
    monitor.begin("study")
    progress = StudyProgress(monitor, runs, runs)
    assert monitor.expected == 3 * 4 and monitor.left_s is None
    progress.heard(runs[0], Epoch(3, 0.5, 0.25, 0.0))  # the first two were in a checkpoint
    assert (monitor.done, monitor.cached) == (3, 2)
    assert monitor.doing == f"network 1 of 6, epoch 3 of 4, loss 0.5, accuracy 25.0 %: {runs[0].title}"
    assert monitor.left_s == pytest.approx(9 * monitor.elapsed_s, rel=0.5)
    progress.heard(runs[0], Epoch(4, 0.5, 0.25, 0.0))
    for run in runs[:4]:
        progress.trained(run)
    assert (monitor.done, monitor.cached) == (4, 2)
    progress.failed({"network": "one", "reason": "why", "rerun": "how"})
    assert "1 failed" in monitor.summary()
    known = Monitor()
    StudyProgress(known, runs, runs[4:])
    assert (known.expected, known.done, known.cached) == (12, 4, 4)
    assert [duration(seconds) for seconds in (3.2, 63, 3723)] == ["0:03", "1:03", "1:02:03"]


@pytest.mark.slow
def test_networks_trained_at_once_are_what_they_are_one_by_one(tmp_path: Path) -> None:
    file = small(tmp_path)
    alone, together = (CliRunner().invoke(app, ["study", str(file), "--out", str(tmp_path / n), "--jobs", n]) for n in "12")
    assert alone.exit_code == together.exit_code == 0, together.output
    assert together.stderr == ""
    assert results(tmp_path / "1") == results(tmp_path / "2")
    assert together.stdout.splitlines()[:-1] == alone.stdout.splitlines()[:-1]


def children(pid: int) -> list[int]:
    """Process ids of the children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def at_work(words: list[str]) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """`cosim` as a process, once both its processes train, and those."""
    command = [sys.executable, "-m", "cosim", *words, "--verbose"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "epoch" not in process.stderr.readline():
            assert process.poll() is None
        yield process, children(process.pid)
        process.kill()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_killed_study_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    file, out = small(tmp_path, epochs=500), tmp_path / "out"
    words = ["study", str(file), "--out", str(out), "--jobs", "2"]
    with at_work(words) as (process, trainers):
        assert len(trainers) == 2
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{trainer}").exists() for trainer in trainers):
        assert time.monotonic() < deadline, "a process trains on without its parent"
        time.sleep(0.1)
    with at_work(words) as (process, trainers):
        os.kill(trainers[0], signal.SIGKILL)
        output, _ = process.communicate()
    assert process.returncode == 3
    assert "the process that trained it died (exit code -9)" in output
    assert len(results(out)) == 5
    assert CliRunner().invoke(app, words).exit_code == 0
    undisturbed = tmp_path / "undisturbed"
    assert CliRunner().invoke(app, ["study", str(file), "--out", str(undisturbed)]).exit_code == 0
    assert results(out) == results(undisturbed)
