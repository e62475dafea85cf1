"""Writes the datasheet of a run directory: datasheet.html, and the same on paper, from datasheet/* alone."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from reports.blocks import Block, Section
from reports.errors import ReportError
from reports.report import page, replace_file, typeset
from reports.sections import datasheet as sections

TABLES = ("extremes", "pvt", "unreached", "dies", "statistics", "outliers", "ladder", "failures")
CURVES = ("synapse_iv", "discharger_iv", "firing", "membrane", "switching")


@dataclass(frozen=True)
class Sheet:
    """What a datasheet is written from: its record, its limits as judged, its tables by name (none of them empty)."""

    title: str
    record: dict[str, Any]
    limits: list[dict[str, Any]]
    tables: dict[str, pd.DataFrame]

    @cached_property
    def _units(self) -> dict[str, str]:
        tables = [self.tables[name] for name in ("extremes", "statistics") if name in self.tables]
        return {parameter: unit for table in tables for parameter, unit in zip(table.parameter, table.unit, strict=True)}

    def unit(self, parameter: str) -> str:
        """The unit of a parameter; empty for one that has none."""
        return self._units.get(parameter, "")


CONTENTS: tuple[tuple[str, tuple[tuple[Callable[[Sheet], list[Block]], tuple[str, ...]], ...]], ...] = (
    ("Datasheet", ((sections.at_a_glance, ()),)),
    ("Limits", ((sections.limits, ()),)),
    ("Parameters", ((sections.parameters, ("extremes",)),)),
    ("Weights out of reach", ((sections.unreached, ("unreached",)),)),
    ("Over the conditions", ((sections.over_conditions, ("pvt",)),)),
    ("Typical curves", ((sections.typical, ()),)),
    ("Choice of the neuron model", ((sections.ladder, ("ladder",)),)),
    (
        "Monte Carlo",
        (
            (sections.statistics, ("statistics",)),
            (sections.distributions, ("dies", "statistics")),
            (sections.compared, ("statistics",)),
            (sections.outliers, ("outliers",)),
        ),
    ),
    ("Points that failed", ((sections.failures, ("failures",)),)),
    ("To run a row again", ((sections.commands, ("extremes",)),)),
    ("Environment", ((sections.environment, ()),)),
)


def write_datasheet(run_dir: Path, *, pdf: bool = True) -> list[Path]:
    """Write `datasheet.html` and, with `pdf`, `datasheet.pdf` into a run directory; returns the files written.

    Raises `ReportError`: datasheet/datasheet.json is missing, a file cannot be read or written, or pango is missing.
    """
    html = render(read_sheet(run_dir))
    written = [replace_file(run_dir / "datasheet.html", html.encode("utf-8"))]
    if pdf:
        written.append(replace_file(run_dir / "datasheet.pdf", typeset(html, "datasheet.pdf")))
    return written


def render(sheet: Sheet) -> str:
    """The whole page as HTML text."""
    found = [
        Section(
            title,
            "-".join(title.lower().split()),
            [block for part, needs in parts if _has(sheet, needs) for block in part(sheet)],
        )
        for title, parts in CONTENTS
    ]
    return page("cosim datasheet", sheet, [section for section in found if not section.is_empty])


def _has(sheet: Sheet, needs: tuple[str, ...]) -> bool:
    return all(name in sheet.tables for name in needs)


def read_sheet(run_dir: Path) -> Sheet:
    """Read what a run directory holds of a datasheet. Raises `ReportError` with one line."""
    folder = run_dir / "datasheet"
    record, limits = (_json(folder / f"{name}.json") for name in ("datasheet", "limits"))
    tables = {name: _table(folder / f"{name}.parquet") for name in TABLES}
    tables |= {f"characterization/{name}": _table(run_dir / f"characterization/{name}.parquet") for name in CURVES}
    design = tomllib.loads((run_dir / "design.toml").read_text(encoding="utf-8")) if (run_dir / "design.toml").exists() else {}
    title = str(record.get("title") or design.get("title") or record.get("design") or run_dir.name)
    return Sheet(title, record, limits, {name: table for name, table in tables.items() if table is not None and len(table)})


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReportError(f"{path}: missing; `cosim characterize DESIGN` writes it") from error
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: cannot be read: {error}") from error


def _table(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors derive from these two
        raise ReportError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error
