"""What a datasheet is written from: its record, its limits as judged, its tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from reports import files
from reports.errors import ReportError
from reports.tables import CURVES, DATASHEET, RUN


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


def read_sheet(run_dir: Path) -> Sheet:
    """Read what a run directory holds of a datasheet. Raises `ReportError` with one line."""
    folder = run_dir / "datasheet"
    record, limits = (_written(folder / f"{name}.json") for name in ("datasheet", "limits"))
    tables = {name: files.table(folder / f"{name}.parquet", columns) for name, columns in DATASHEET.items()}
    curves = [f"characterization/{name}" for name in CURVES]
    tables |= {name: files.table(run_dir / f"{name}.parquet", RUN[name]) for name in curves}
    design = files.settings(run_dir / "design.toml") if (run_dir / "design.toml").exists() else {}
    title = str(record.get("title") or design.get("title") or record.get("design") or run_dir.name)
    return Sheet(title, record, limits, {name: table for name, table in tables.items() if table is not None and len(table)})


def _written(path: Path) -> Any:
    if not path.exists():
        raise ReportError(f"{path}: missing; `cosim characterize DESIGN` writes it")
    return files.json_of(path)
