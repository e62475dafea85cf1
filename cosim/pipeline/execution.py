"""Carries out one stage and records it; deletes what stages have left."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cosim.pipeline.freshness import Records, inputs_digest, outputs_digest, records_of, tools
from cosim.pipeline.packages import one_line_errors
from cosim.pipeline.result import LIMITS, METRICS
from cosim.pipeline.stages import Stage
from cosim.pipeline.workspace import Workspace
from cosim.runs import provenance
from cosim.runs.directory import LAYOUT, PROVENANCE, RunDirectory
from cosim.runs.effort import Effort
from cosim.simulator.pools import processors

_TOTALS = ("time.", "simulation.")


def forget(directory: RunDirectory, stages: Sequence[Stage]) -> None:
    """Delete the results of stages, their records first: whatever is interrupted here is run again."""
    if not stages:
        return
    names = {stage.name for stage in stages}
    provenance_record, records = directory.read_json(PROVENANCE), records_of(directory)
    kept = {name: record for name, record in records.items() if name not in names}
    if kept != records:
        directory.write_json(PROVENANCE, {**provenance_record, "stages": kept})
    prefixes = tuple(prefix for stage in stages for prefix in stage.metrics)
    metrics = directory.read_json(METRICS)
    left = {name: value for name, value in metrics.items() if not name.startswith(prefixes)}
    if left != metrics:
        _write_metrics(directory, left, kept)
    directory.remove([*(name for stage in stages for name in stage.outputs), LIMITS])


def run_stage(space: Workspace, stage: Stage) -> None:
    """Do the work of a stage and record what it came from and what it cost."""
    space.effort = Effort()
    space.monitor.begin(stage.name)
    started, wall, cpu = datetime.now(UTC), time.monotonic(), time.process_time()
    inputs = inputs_digest(space, stage, records_of(space.run))
    simulates = stage.simulates and stage.works(space)
    with one_line_errors():
        metrics = stage.work(space)
    record = {
        "started": started.isoformat(timespec="seconds"),
        "wall_s": round(time.monotonic() - wall, 3),
        "cpu_s": round(time.process_time() - cpu + space.effort.simulate_cpu_s, 3),
        **space.effort.record(),
        "inputs_sha256": inputs,
        "outputs_sha256": outputs_digest(space, stage),
        "versions": ", ".join(f"{name} {version}" for name, version in provenance.versions().items()),
        **({"git_revision": revision} if (revision := provenance.git_revision()) else {}),
        **(tools(space.design, stage) if simulates else {}),
    }
    _record(space, stage, metrics, record)
    space.monitor.end()


def _record(space: Workspace, stage: Stage, metrics: Mapping[str, float], record: dict[str, Any]) -> None:
    """Metrics first, the stage's record last: only what is complete counts as done."""
    records = {**records_of(space.run), stage.name: record}
    # What could not be measured (a mean of nothing) is absent, and a limit on it fails.
    measured = {name: value for name, value in metrics.items() if math.isfinite(value)}
    _write_metrics(space.run, {**space.run.read_json(METRICS), **measured}, records)
    space.run.write_json(PROVENANCE, {**_origin(space), "stages": records})


def _write_metrics(directory: RunDirectory, metrics: Mapping[str, float], records: Records) -> None:
    """With times and points over the stages, each as it last ran."""
    own = {name: value for name, value in metrics.items() if not name.startswith(_TOTALS)}
    directory.write_json(METRICS, {**own, **_totals(records)})


def _totals(records: Records) -> dict[str, float]:
    def total(name: str) -> float:
        return float(sum(record[name] for record in records.values()))

    return {
        "time.total_s": total("wall_s"),
        "time.simulate_s": total("simulate_s"),
        "time.simulate_cpu_s": total("simulate_cpu_s"),
        **{f"time.{name}_s": record["wall_s"] for name, record in records.items()},
        "simulation.points": total("points"),
        "simulation.cached_points": total("cached_points"),
        "simulation.failed_points": total("failed_points"),
        "simulation.operating_point_fallbacks": total("operating_point_fallbacks"),
    }


def _origin(space: Workspace) -> dict[str, Any]:
    """What holds for the whole run; stage by stage stands in the records of the stages."""
    design = space.design
    hardware = space.run.read_json("hardware.json")
    return {
        "layout": LAYOUT,
        "design": design.name,
        "command": space.command,
        "corner": str(design.process.corner),
        "temperature_c": design.process.temperature_c,
        "model_set": hardware.get("model_set", str(design.process.model_set)),
        "model_library_sha256": hardware.get("model_digest"),
        "hardware": hardware.get("provenance"),
        "seeds": {
            "split": design.network.split_seed, "training": design.training.seed, "mismatch": design.validation.mismatch_seed,
        },
        "processors": processors(),
        "jobs": space.jobs,
    }  # fmt: skip
