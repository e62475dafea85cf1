"""The page of a search: its best designs, every trial, and the commands that run them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports import page as pages
from reports.blocks import Block, Figures, Plot, Section, Table, Text
from reports.errors import ReportError
from reports.figures.search import objectives
from reports.formatting import MISSING, engineering, number, percent

UM2 = 1e-12
AREA = "cost.area_m2"


@dataclass(frozen=True)
class _Shown:
    called: str
    unit: str
    text: Callable[[float], str]


SHOWN = {
    "training.test_accuracy": _Shown("accuracy, model", "%", percent),
    "energy.per_inference_j": _Shown("energy of an inference", "J", lambda value: engineering(value, "J")),
    AREA: _Shown("drawn area", "µm²", lambda value: f"{number(value / UM2)} µm²"),
    "fidelity.spike_error": _Shown("spike error of the extraction, in phases", "", number),
}
"""Objectives by their metric."""

CIRCUIT = {
    "circuit spike_error_s": _Shown("spike error in the circuit", "s", lambda value: engineering(value, "s")),
    "circuit energy_j": _Shown("energy in the circuit", "J", lambda value: engineering(value, "J")),
    "circuit accuracy": _Shown("accuracy in the circuit", "%", percent),
}


@dataclass(frozen=True)
class _Titled:
    title: str


def page(table: Path, title: str) -> str:
    """The page of a search.csv as HTML. Raises `ReportError` for a file that cannot be read."""
    try:
        rows = pd.read_csv(table, dtype={"missed": str, "reason": str}).fillna({"missed": "", "reason": ""})
    except (OSError, ValueError) as error:
        raise ReportError(f"{table}: cannot be read: {str(error).splitlines()[0]}") from error
    parts = (("Result", _result(rows)), ("The best", _best(rows)), ("All trials", _all(rows)))
    sections = [Section(name, "-".join(name.lower().split()), blocks) for name, blocks in parts if blocks]
    return pages.html("cosim search", _Titled(title), sections)


def _objectives(rows: pd.DataFrame) -> list[str]:
    return [name for name in SHOWN if name in rows]


def _varied(rows: pd.DataFrame) -> list[str]:
    """Columns that a trial set: between the objectives and what came of it."""
    names = list(rows.columns)
    start = max(k for k, name in enumerate(names) if name.endswith(" +-")) + 1
    return [name for name in names[start : names.index("missed")] if not name.startswith("circuit ")]


def _result(rows: pd.DataFrame) -> list[Block]:
    done = rows[rows.state == "done"]
    counts = [
        (str(len(rows)), "trials", f"{len(done)} with a result"),
        (str(int(rows.best.sum())), "best", "no other is as good in everything and better in something"),
        (str(int((done.missed != "").sum())), "miss a limit", "of the design or of the search"),
        (str(len(rows) - len(done)), "without a result", "refused or failed; why stands below"),
    ]
    names = _objectives(rows)
    if not len(done) or len(names) < 2:
        return [Figures(counts)]
    caption = (
        "Every trial with a result. Numbers name the best ones; each counts with its mean over its networks, worse by their "
        "standard deviation."
    )
    scaled = done.assign(**{AREA: done[AREA] / UM2}) if AREA in names else done
    drawn = objectives(scaled, [(name, SHOWN[name].called, SHOWN[name].unit) for name in names])
    return [Figures(counts), Plot(drawn, caption)]


def _best(rows: pd.DataFrame) -> list[Block]:
    best = rows[rows.best]
    if best.empty:
        return [Text("No trial holds all limits.")]
    names, varied = _objectives(rows), _varied(rows)
    circuit = [name for name in CIRCUIT if name in rows and rows[name].notna().any()]
    header = ("trial", *(SHOWN[name].called for name in names), *(CIRCUIT[name].called for name in circuit), *varied)
    table = [
        [
            str(row.trial),
            *(_with_spread(SHOWN[name], row[name], row[f"{name} +-"]) for name in names),
            *(MISSING if pd.isna(row[name]) else CIRCUIT[name].text(row[name]) for name in circuit),
            *(_value(row[path]) for path in varied),
        ]
        for _, row in best.iterrows()
    ]
    commands = Table(
        ("trial", "to its report"), [[str(row.trial), row.command] for row in best.itertuples()], words=("to its report",)
    )
    caption = "Mean and, where several networks were trained, standard deviation. Fields as in the design file, in its units."
    return [Table(header, table, caption), commands]


def _all(rows: pd.DataFrame) -> list[Block]:
    names, varied = _objectives(rows), _varied(rows)
    header = ("trial", *(SHOWN[name].called for name in names), *varied, "remark")
    table = [
        [
            str(row.trial),
            *(MISSING if pd.isna(row[name]) else SHOWN[name].text(row[name]) for name in names),
            *(_value(row[path]) for path in varied),
            "best" if row.best else row.reason or (f"misses: {row.missed}" if row.missed else ""),
        ]
        for _, row in rows.iterrows()
    ]
    return [Table(header, table, words=("remark",))]


def _with_spread(shown: _Shown, value: float, spread: float) -> str:
    return f"{shown.text(value)} ± {shown.text(spread)}" if spread > 0 else shown.text(value)


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float | int) else str(value)
