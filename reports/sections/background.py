"""What the run was made of: cells, training, mapping, times, provenance, the design itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reports.blocks import Block, Drawing, Listing, Plot, Table
from reports.figures import training as figures
from reports.figures.style import NAME
from reports.formatting import MISSING, engineering, metric, number, percent
from reports.run import Run

_CLOCKS = ("wall_s", "cpu_s")
_STAGE_COLUMNS = {
    "started": "started", "points": "points", "cached_points": "from the store", "failed_points": "failed",
    "operating_point_fallbacks": "fell back", "git_revision": "revision",
}  # fmt: skip
_NOT_SHOWN = ("simulate_s", "simulate_cpu_s", "inputs_sha256", "outputs_sha256", "seal", "decks_sha256")


def cells(run: Run) -> list[Block]:
    """Schematics of the cells."""
    return [Drawing(_data_uri(svg), name.replace("_", " ")) for name, svg in run.drawings.items()]


def training(run: Run) -> list[Block]:
    """Loss and accuracy by epoch, and where they ended."""
    table = run.tables["training"]
    rows = [
        [NAME.get(name, name), number(last.epoch), number(last.loss), percent(last.train_accuracy), percent(last.test_accuracy)]
        for name, last in ((str(name), part.loc[part.epoch.idxmax()]) for name, part in table.groupby("mapping"))
    ]
    return [
        Plot(
            figures.history(table),
            "Loss and accuracy by epoch. The conventional network is trained without the circuit's saturation.",
        ),
        Table(("mapping", "last epoch", "loss", "training accuracy", "test accuracy"), rows, words=("mapping",)),
    ]


def mapping(run: Run) -> list[Block]:
    """How the trained weights landed on the cells."""
    rows = [
        [NAME.get(str(name), str(name)), str(layer), *_landed(part)]
        for (name, layer), part in run.tables["mapping"].groupby(["mapping", "layer"])
    ]
    header = ("mapping", "layer", "synapses", "w > 0", "w < 0", "off", "weights", "current at rest, sum")
    return [Table(header, rows, "Weights as mapped; a weight below the smallest code is off.", words=("mapping", "layer"))]


def times(run: Run) -> list[Block]:
    """Wall and CPU time of each stage."""
    clocks: dict[str, dict[str, Any]] = {}
    for name, value in _flat(run.provenance):
        stage, _, clock = name.rpartition(".")
        if clock in _CLOCKS:
            clocks.setdefault(stage.removeprefix("stages.") or "total", {})[clock] = value
    rows = [[stage, *(_seconds(times.get(clock)) for clock in _CLOCKS)] for stage, times in clocks.items()]
    if run.metric("time.total_s") is not None:
        rows.append(["all", _seconds(run.metric("time.total_s")), MISSING])
    return [Table(("stage", "wall time", "CPU time"), rows, words=("stage",))] if rows else []


def provenance(run: Run) -> list[Block]:
    """Versions, digests, seeds, options; and every metric by its flat name."""
    stages = {name: record for name, record in _mapping(run.provenance.get("stages")).items() if isinstance(record, Mapping)}
    general = {name: value for name, value in run.provenance.items() if name != "stages"}
    rows = [[name, str(value)] for name, value in _flat(general)] + _said_by_stages(stages)
    metrics = [[name, metric(name, run.metric(name)), str(value)] for name, value in run.metrics.items()]
    blocks: list[Block] = [Table(("what", "value"), rows, words=("value",))] if rows else []
    if stages:
        header = ("stage", *_STAGE_COLUMNS.values())
        counts = [[name, *(str(record.get(key, MISSING)) for key in _STAGE_COLUMNS)] for name, record in stages.items()]
        blocks.append(Table(header, counts, "Simulated points of each stage and its revision of the code.", words=("stage",)))
    if metrics:
        blocks.append(Table(("metric", "value", "as stored (SI)"), metrics, "Every entry of metrics.json.", words=("metric",)))
    return blocks


def design(run: Run) -> list[Block]:
    """The design file as it was run."""
    return [Listing(run.design_text, "design.toml")]


def _said_by_stages(stages: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """What the stages say beyond counts and times, each saying once, with the stages that share it."""
    said: dict[tuple[str, str], list[str]] = {}
    for stage, record in stages.items():
        for name, value in _flat({name: value for name, value in record.items() if name != "metrics"}):
            if name not in (*_STAGE_COLUMNS, *_CLOCKS, *_NOT_SHOWN) and value not in ("", None):
                said.setdefault((name, str(value)), []).append(stage)
    return [[f"{name} ({', '.join(shared)})", value] for (name, value), shared in said.items()]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _landed(part: pd.DataFrame) -> list[str]:
    """Counts, range and total current of the mapped weights of one layer."""
    weight = part.mapped_weight
    return [
        number(len(part)), number((weight > 0).sum()), number((weight < 0).sum()), number((weight == 0).sum()),
        f"{number(weight.min())} … {number(weight.max())}", engineering(part.current_a.abs().sum(), "A"),
    ]  # fmt: skip


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested records as (dotted name, value)."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else value


def _seconds(value: Any) -> str:
    return f"{value:.1f} s" if isinstance(value, int | float) else MISSING


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
