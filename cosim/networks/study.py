"""`cosim study`: the runs of a study one after the other, and its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from cosim.runs.progress import Monitor
from reports.figures import solvers as solver_figures
from reports.figures.study import accuracy_over, methods, write_pictures
from training.study import solvers
from training.study.plan import SolverPlan, Study, StudyError, hardware_name, load_study
from training.study.runs import COLUMNS, perform, runs_of, study_data
from training.study.table import GrowingTable

TABLE = "study.csv"
DEVICES = ("cpu", "cuda")
LINE = "{:<12} {:>12} {:>8} {:>6} {:>5} {:>9} {:>8} {:>11}"


def run_study(
    path: Path, out: Path | None = None, data: Path | None = None, device: str = "cpu", monitor: Monitor | None = None
) -> tuple[Path, list[dict[str, str]]]:
    """Do what is not done yet of a study; returns its folder and the rows of its table that belong to it.

    The folder gets study.csv (one row a run), checkpoints/ (an interrupted run goes on from there), and pictures as PNG and SVG.
    `data` is the folder of the data set's official files. Raises `StudyError`, `DataFileError`, `HardwareModelError`.
    """
    study = load_study(path)
    if device not in DEVICES or (device == "cuda" and not torch.cuda.is_available()):
        raise StudyError(
            f"command line: device: {device!r} is not there; take 'cpu'" + ", or 'cuda' on a GPU" * (device != "cuda")
        )
    folder = out or Path("runs") / study.name
    torch.set_num_threads(1)
    with monitor or Monitor() as watching:
        rows = _train(study, folder, data, device, watching)
        folder.mkdir(parents=True, exist_ok=True)
        _draw(study, folder, pd.DataFrame(rows, columns=COLUMNS))
        if study.solvers is not None:
            _measure_solvers(study.solvers, folder, watching)
    return folder, rows


def _train(study: Study, folder: Path, data: Path | None, device: str, monitor: Monitor) -> list[dict[str, str]]:
    table, runs = GrowingTable(folder / TABLE, COLUMNS), list(runs_of(study))
    known = {row["run"] for row in table.rows()}
    monitor.begin("study")
    monitor.expect(len(runs))
    missing = [run for run in runs if run.key not in known]
    monitor.cached = monitor.done = len(runs) - len(missing)
    spikes = study_data(study, data) if missing else None
    for run in missing:
        assert spikes is not None
        monitor.activity(run.title)
        table.append(perform(run, spikes, folder / "checkpoints", lambda epoch: None, device))
        monitor.step()
    monitor.end()
    own = {run.key for run in runs}
    return [row for row in table.rows() if row["run"] in own]


def _draw(study: Study, folder: Path, rows: pd.DataFrame) -> None:
    """What the grid allows to be drawn."""
    if rows.empty:
        return
    numbers = [column for column in COLUMNS if column not in ("run", "dataset", "network", "solver", "e_rev", "method", "device")]
    rows[numbers] = rows[numbers].apply(pd.to_numeric, errors="coerce")  # NaN of a training that came apart
    targets = list(rows.groupby("e_rev", sort=False))
    for name, part in targets:
        write_pictures(folder, "methods" if len(targets) == 1 else f"methods_{name}", methods, part)
    on_reversals = rows[~rows.e_rev.isin([hardware_name(file) for file in study.hardware])]
    on_reversals = on_reversals.assign(e_rev=pd.to_numeric(on_reversals.e_rev))
    if len(study.reversal) > 1:
        write_pictures(folder, "accuracy_over_reversal", accuracy_over("e_rev"), on_reversals)
    if len(set(study.steps) - {0}) > 1:
        write_pictures(folder, "accuracy_over_steps", accuracy_over("steps"), rows[rows.solver == "dstd"])
    if len(study.noise) > 1:
        write_pictures(folder, "accuracy_over_noise", accuracy_over("noise", logarithmic=False), rows)


def _measure_solvers(plan: SolverPlan, folder: Path, monitor: Monitor) -> None:
    """Tables and pictures of the solvers, measured anew."""
    drawings = {"membranes": solver_figures.membranes, "errors": solver_figures.errors, "costs": solver_figures.costs}
    monitor.begin("solvers")
    monitor.expect(len(drawings))
    for name, plot in drawings.items():
        monitor.activity(name)
        table = {"membranes": solvers.membranes, "errors": solvers.errors}.get(name, _costs)(plan)
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
        write_pictures(folder, name, plot, table)
        monitor.step()
    monitor.end()


def _costs(plan: SolverPlan) -> pd.DataFrame:
    return pd.DataFrame(solvers.costs(plan))


def lines(rows: list[dict[str, str]]) -> Iterator[str]:
    """The accuracies of a study as a table for people: mean over the seeds, a line per setting."""
    if not rows:
        return
    table = pd.DataFrame(rows)
    settings = ["method", "e_rev", "solver", "steps", "noise"]
    accuracies = ["test_accuracy", "own_die_accuracy", "other_dies_accuracy"]
    table[accuracies] = table[accuracies].apply(pd.to_numeric)
    means = table.groupby(settings, sort=False)[accuracies].agg("mean").reset_index()
    means["seeds"] = table.groupby(settings, sort=False).size().to_numpy()
    heading = ("method", "|E|", "solver", "noise", "seeds", "accuracy", "die 1", "other dies")
    yield LINE.format(*heading)
    for row in means.itertuples():
        shares = ["-" if math.isnan(value) else f"{100 * value:.2f} %" for value in row[6:9]]
        solver = f"DSTD {row.steps}" if row.steps else str(row.solver)
        yield LINE.format(row.method, row.e_rev, solver, row.noise, row.seeds, *shares)
