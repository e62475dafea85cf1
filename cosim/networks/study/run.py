"""Trains what is missing of a study, one network or several at a time, and draws what the grid allows."""

from __future__ import annotations

import importlib.util
import shlex
import tempfile
from pathlib import Path

import pandas as pd
import torch

from cosim.networks.study.attempt import Failure, Row, Work
from cosim.networks.study.outcomes import outcomes
from cosim.networks.study.progress import StudyProgress
from cosim.networks.study.result import StudyResult
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from training.study import solvers
from training.study.plan import SolverPlan, Study, StudyError, load_study
from training.study.runs import COLUMNS, Run, runs_of
from training.study.table import GrowingTable

TABLE, FAILURES = "study.csv", "failures.csv"
DEVICES = ("cpu", "cuda")


def run_study(
    study: Path | str,
    out: Path | str | None = None,
    *,
    data: Path | str | None = None,
    device: str = "cpu",
    jobs: int = 1,
    only: str = "",
    monitor: Monitor | None = None,
) -> StudyResult:
    """Train and evaluate what is not done yet of a study.

    The folder gets study.csv (one row a network), failures.csv where one failed, checkpoints/ (an interrupted training goes on
    from there), and pictures as PNG and SVG. A training that fails costs its own network; the others go on.

    Args:
        study: the TOML file.
        out: the folder; runs/<name of the study> where None.
        data: folder of the data set's official files.
        device: "cpu" or "cuda".
        jobs: networks trained at a time; where more than one, in processes of one thread each. The rows are the same.
        only: the `run` of one row: train that network and no other.
        monitor: hears of the progress.

    Raises `TrainingError` (one line) for a study, its data or its hardware that cannot be used.
    """
    plan = load_study(Path(study))
    _check_device(device)
    folder = Path(out) if out is not None else Path("runs") / plan.name
    _check_writable(folder)
    work = Work(None if data is None else Path(data), folder / "checkpoints", device)
    with monitor or Monitor() as watching:
        failures = _Failures(Path(study), folder, work)
        rows = _train(plan, folder, work, jobs, only, watching, failures)
        failures.write()
        result = StudyResult(folder, rows, failures.rows, drawn=importlib.util.find_spec("matplotlib") is not None)
        tables = _measure_solvers(plan.solvers, folder, watching) if plan.solvers is not None and not only else {}
        if result.drawn:
            from cosim.networks.study.pictures import draw_networks, draw_solvers

            draw_networks(plan, folder, result.table)
            draw_solvers(folder, tables)
    return result


def _check_device(device: str) -> None:
    if device not in DEVICES or (device == "cuda" and not torch.cuda.is_available()):
        raise StudyError(
            f"command line: device: {device!r} is not there; take 'cpu'" + ", or 'cuda' on a GPU" * (device != "cuda")
        )


def _check_writable(folder: Path) -> None:
    """Before the first training, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StudyError(f"{folder}: cannot be written: {error.strerror}; choose another folder with --out") from error


def _train(
    study: Study, folder: Path, work: Work, jobs: int, only: str, monitor: Monitor, failures: _Failures
) -> list[dict[str, str]]:
    """Rows of the study's networks in the order of the grid, those that were missing trained first."""
    table, runs = GrowingTable(folder / TABLE, COLUMNS), list(runs_of(study))
    if only and only not in {run.key for run in runs}:
        raise StudyError(f"command line: only: {only!r} is no network of this study; take the `run` of one in failures.csv")
    known = {row["run"] for row in table.rows()}
    missing = [run for run in runs if run.key not in known and only in ("", run.key)]
    monitor.begin("study")
    progress = StudyProgress(monitor, runs, missing)
    for run, outcome in outcomes(missing, work, jobs, progress.heard, progress.begun):
        if isinstance(outcome, Row):
            table.append(outcome.values)
            progress.trained(run)
        else:
            progress.failed(failures.add(run, outcome))
    monitor.activity("")
    monitor.end()
    rows = {row["run"]: row for row in table.rows()}
    return [rows[run.key] for run in runs if run.key in rows]


class _Failures:
    """Networks that failed, in a table with the command that tries each again."""

    def __init__(self, study: Path, folder: Path, work: Work) -> None:
        self.rows: list[dict[str, str]] = []
        self._folder = RunDirectory(folder)
        data = [] if work.data is None else ["--data", str(work.data)]
        self._again = ["cosim", "study", str(study), "--out", str(folder), *data, "--device", work.device]

    def add(self, run: Run, failure: Failure) -> dict[str, str]:
        """The row of one."""
        rerun = shlex.join([*self._again, "--only", run.key])
        said = {"reason": failure.reason, "rerun": rerun, "traceback": failure.traceback}
        self.rows.append({"run": run.key, "network": run.title, **said})
        return self.rows[-1]

    def write(self) -> None:
        """Put the table in the place of that of the last time."""
        self._folder.remove([FAILURES])
        if self.rows:
            self._folder.write(FAILURES, pd.DataFrame(self.rows).to_csv(index=False).encode())


def _measure_solvers(plan: SolverPlan, folder: Path, monitor: Monitor) -> dict[str, pd.DataFrame]:
    """Tables of the solvers, measured anew."""
    measures = {"membranes": solvers.membranes, "errors": solvers.errors, "costs": _costs}
    tables: dict[str, pd.DataFrame] = {}
    torch.set_num_threads(1)
    monitor.begin("solvers")
    monitor.expect(len(measures))
    for name, measure in measures.items():
        monitor.activity(name)
        tables[name] = measure(plan)
        RunDirectory(folder).write(f"{name}.csv", tables[name].to_csv(index=False, float_format="%.6g").encode())
        monitor.step()
    monitor.end()
    return tables


def _costs(plan: SolverPlan) -> pd.DataFrame:
    return pd.DataFrame(solvers.costs(plan))
