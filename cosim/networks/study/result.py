"""What a study has come to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from training.study.runs import COLUMNS

_WORDS = ("run", "dataset", "network", "solver", "e_rev", "method", "device")
_LINE = "{:<12} {:>12} {:>8} {:>6} {:>5} {:>9} {:>8} {:>11}"


@dataclass(frozen=True)
class StudyResult:
    """The networks of a study: those that have a row, in the order of the grid, and those that failed.

    Attributes:
        folder: where study.csv and the pictures are.
        rows: cells of study.csv as text, by column.
        failures: `run, network, reason, rerun, traceback` of each that failed; `rerun` is the command that tries it again.
        drawn: whether there are pictures; they need matplotlib.
    """

    folder: Path
    rows: list[dict[str, str]]
    failures: list[dict[str, str]]
    drawn: bool = True

    @property
    def table(self) -> pd.DataFrame:
        """The rows with their numbers as numbers (NaN of a training that came apart), one a network; columns as in study.csv."""
        table = pd.DataFrame(self.rows, columns=list(COLUMNS))
        numbers = [column for column in COLUMNS if column not in _WORDS]
        table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
        return table

    @property
    def exit_code(self) -> int:
        """0 done, 3 a training failed."""
        return 3 if self.failures else 0

    def as_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return {"folder": str(self.folder), "rows": self.rows, "failures": self.failures}

    def lines(self) -> Iterator[str]:
        """The same for people: accuracies (means over the seeds, a line a setting), what failed, and where the rest is."""
        if self.rows:
            yield from self._accuracies()
        for failure in self.failures:
            yield f"failed: {failure['network']}: {failure['reason']}; again: {failure['rerun']}"
        if self.drawn:
            yield f"table and pictures: {self.folder}"
        else:
            yield f"table: {self.folder} (pictures need matplotlib: pip install 'cosim[reports]')"

    def _accuracies(self) -> Iterator[str]:
        table = pd.DataFrame(self.rows)
        settings = ["method", "e_rev", "solver", "steps", "noise"]
        accuracies = ["test_accuracy", "own_die_accuracy", "other_dies_accuracy"]
        table[accuracies] = table[accuracies].apply(pd.to_numeric)
        means = table.groupby(settings, sort=False)[accuracies].agg("mean").reset_index()
        means["seeds"] = table.groupby(settings, sort=False).size().to_numpy()
        yield _LINE.format("method", "|E|", "solver", "noise", "seeds", "accuracy", "die 1", "other dies")
        for row in means.itertuples():
            shares = ["-" if math.isnan(value) else f"{100 * value:.2f} %" for value in row[6:9]]
            solver = f"DSTD {row.steps}" if row.steps else str(row.solver)
            yield _LINE.format(row.method, row.e_rev, solver, row.noise, row.seeds, *shares)
