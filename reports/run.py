"""Reads a run directory: its tables, its JSON records, its design and its drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports import files
from reports.errors import ReportError

# Columns by table, as docs/architecture.md lists them.
TABLES: Mapping[str, tuple[str, ...]] = {
    "characterization/synapse_iv": ("sign", "code", "membrane_v", "current_a", "fit_a"),
    "characterization/synapse_fit": (
        "sign", "code", "code_unit", "current_a", "weight", "lambda_per_v", "reversal_v", "residual_fraction",
    ),
    "characterization/discharger_iv": ("membrane_v", "current_a", "fit_a"),
    "characterization/membrane": ("synapses", "charge_c", "membrane_v"),
    "characterization/firing": ("displacement_v", "membrane_v", "spike_s", "law_s"),
    "characterization/switching": (
        "sign", "code", "current_a", "weight", "charge_on_c", "charge_off_c", "charge_off_tail_c",
    ),
    "characterization/published": ("quantity", "unit", "published", "measured", "remark"),
    "training": ("mapping", "epoch", "loss", "train_accuracy", "test_accuracy"),
    "mapping": ("mapping", "layer", "neuron", "input", "weight", "mapped_weight", "sign", "code", "code_unit", "current_a"),
    "validation/spikes": ("mapping", "die", "sample", "layer", "neuron", "model_spike_s", "circuit_spike_s"),
    "validation/membranes": ("mapping", "die", "sample", "layer", "neuron", "model_v", "circuit_v"),
    "validation/labels": (
        "mapping", "die", "sample", "label", "model_label", "circuit_label", "model_margin_s", "circuit_margin_s",
    ),
    "validation/waveforms": ("mapping", "sample", "layer", "neuron", "time_s", "circuit_v", "model_v"),
    "validation/energy": ("mapping", "sample", "source", "energy_j"),
    "validation/gain_search": ("stage", "gain_plus", "gain_minus", "rmse_s", "samples"),
    "validation/failures": ("mapping", "die", "sample", "corner", "seed", "reason", "message"),
}  # fmt: skip


_WORDS = {
    "code_unit", "quantity", "unit", "remark", "mapping", "source", "stage", "corner", "reason", "message",
    "condition", "deck", "seed",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """The content of a run directory. A file that is absent is an empty mapping, or missing from `tables` and `drawings`."""

    directory: Path
    design_text: str
    design: dict[str, Any]
    metrics: dict[str, Any]
    hardware: dict[str, Any]
    provenance: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    drawings: dict[str, str]

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
    tables = {name: files.table(directory / f"{name}.parquet", columns, _WORDS) for name, columns in TABLES.items()}
    return Run(
        directory=directory,
        design_text=files.text(directory / "design.toml"),
        design=files.settings(directory / "design.toml"),
        metrics=files.record(directory / "metrics.json"),
        hardware=files.record(directory / "hardware.json"),
        provenance=files.record(directory / "provenance.json"),
        tables={name: table for name, table in tables.items() if table is not None},
        drawings={path.stem: files.text(path) for path in sorted(directory.glob("drawings/*.svg"))},
    )


def _section(design: dict[str, Any], name: str) -> dict[str, Any]:
    section = design.get(name)
    return section if isinstance(section, dict) else {}
