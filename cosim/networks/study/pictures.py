"""Pictures of a study, as PNG and SVG; they need matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from reports.figures import solvers as solver_figures
from reports.figures.study import accuracy_over, methods, write_pictures
from training.study.plan import Study, hardware_name


def draw_networks(study: Study, folder: Path, rows: pd.DataFrame) -> None:
    """What the grid allows to be drawn of the rows of study.csv, its numbers as numbers."""
    if rows.empty:
        return
    targets = list(rows.groupby("e_rev", sort=False))
    for name, part in targets:
        write_pictures(folder, "methods" if len(targets) == 1 else f"methods_{name}", methods, part)
    reversals = pd.to_numeric(
        rows.e_rev.where(~rows.e_rev.isin([hardware_name(file) for file in study.hardware])), errors="coerce"
    )
    on_reversals = rows.assign(e_rev=reversals)[reversals.notna()]
    if on_reversals.e_rev.nunique() > 1:
        write_pictures(folder, "accuracy_over_reversal", accuracy_over("e_rev"), on_reversals)
    if len(set(study.steps) - {0}) > 1:
        write_pictures(folder, "accuracy_over_steps", accuracy_over("steps"), rows[rows.solver == "dstd"])
    if len(study.noise) > 1:
        write_pictures(folder, "accuracy_over_noise", accuracy_over("noise", logarithmic=False), rows)


def draw_solvers(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """What was measured of the solvers: membranes, errors, costs."""
    drawings = {"membranes": solver_figures.membranes, "errors": solver_figures.errors, "costs": solver_figures.costs}
    for name, table in tables.items():
        write_pictures(folder, name, drawings[name], table)
