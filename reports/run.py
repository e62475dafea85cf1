"""Reads a run directory: its tables, its JSON records, its design and its drawings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reports import files
from reports.baseline import LEFT_OUT, NOTES
from reports.errors import ReportError
from reports.published import KEY
from reports.tables import RUN


@dataclass(frozen=True)
class Run:
    """The content of a run directory. A file that is absent is an empty mapping, or missing from `tables` and `drawings`."""

    directory: Path
    design_text: str
    design: dict[str, Any]
    metrics: dict[str, Any]
    hardware: dict[str, Any]
    provenance: dict[str, Any]
    mapping: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    drawings: dict[str, str]
    layout: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    """Of the cells of a layout, as data URIs."""
    decks: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every deck that lies in it, by its name."""
    simulator_setup: str = ""
    """What ngspice is told before it loads one of them."""
    metrics_sha256: str = ""

    @property
    def title(self) -> str:
        return str(self.design.get("title") or self.design.get("name") or self.directory.name)

    @property
    def phase_s(self) -> float | None:
        """Length of one phase (s) where the run states it."""
        stated = self.hardware.get("phase_s", _section(self.design, "timing").get("phase_s"))
        return float(stated) if isinstance(stated, int | float) else None

    @property
    def limits(self) -> dict[str, Any]:
        return _section(self.design, "limits")

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """What the provenance says of each stage."""
        return {name: record for name, record in _section(self.provenance, "stages").items() if isinstance(record, dict)}

    @property
    def is_published_circuit(self) -> bool:
        """Whether the run says that its design is the published circuit; one that says nothing of it is not taken for it."""
        return self.provenance.get(KEY) is True

    @property
    def without_baseline(self) -> str:
        """Why the run has no conventional mapping to compare with; empty where it has one."""
        return str(self.mapping.get(LEFT_OUT, ""))

    def metric(self, name: str) -> float | None:
        """A metric in its SI unit, or None where the run does not have it."""
        value = self.metrics.get(name)
        return float(value) if isinstance(value, int | float) else None


def read_run(directory: Path) -> Run:
    """Read whatever a run directory holds. `design.toml` must be there; every other file may be missing, none may be corrupt.

    Raises:
        ReportError: the directory or its design is missing, or a file cannot be read or lacks a column.
    """
    if not directory.is_dir():
        raise ReportError(f"{directory}: not a run directory; `cosim run DESIGN` writes one")
    tables = {name: files.table(directory / f"{name}.parquet", columns) for name, columns in RUN.items()}
    return Run(
        directory=directory,
        design_text=files.text(directory / "design.toml"),
        design=files.settings(directory / "design.toml"),
        metrics=files.record(directory / "metrics.json"),
        hardware=files.record(directory / "hardware.json"),
        provenance=files.record(directory / "provenance.json"),
        mapping=files.record(directory / NOTES),
        tables={name: table for name, table in tables.items() if table is not None},
        drawings={path.stem: files.text(path) for path in sorted(directory.glob("drawings/*.svg"))},
        layout=files.record(directory / "layout" / "layout.json"),
        pictures={path.stem: files.png(path) for path in sorted(directory.glob("layout/*.png"))},
        decks={path.relative_to(directory).as_posix(): files.sha256(path) for path in sorted(directory.glob("netlist/*.spice"))},
        simulator_setup=files.text(setup) if (setup := directory / "netlist" / ".spiceinit").exists() else "",
        metrics_sha256=files.sha256(metrics) if (metrics := directory / "metrics.json").exists() else "",
    )


def _section(design: dict[str, Any], name: str) -> dict[str, Any]:
    section = design.get(name)
    return section if isinstance(section, dict) else {}
