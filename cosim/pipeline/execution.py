"""Carries out one stage and records it; deletes what stages have left."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cosim.design.cells import sizes_by_key
from cosim.errors import InputError
from cosim.pipeline import told
from cosim.pipeline.freshness import Records, inputs_digest, outputs_digest, records_of, sealed, tools
from cosim.pipeline.packages import one_line_errors
from cosim.pipeline.result import LIMITS, METRICS
from cosim.pipeline.stages import Stage
from cosim.pipeline.workspace import Workspace
from cosim.runs import provenance
from cosim.runs.directory import LAYOUT, PROVENANCE, RunDirectory
from cosim.runs.effort import Effort
from cosim.simulator.pools import processors
from reports.published import KEY, is_published_circuit


def forget(directory: RunDirectory, stages: Sequence[Stage]) -> None:
    """Delete the results of stages, their records first: whatever is interrupted here is run again."""
    if not stages:
        return
    names = {stage.name for stage in stages}
    provenance_record, records = directory.read_json(PROVENANCE), records_of(directory)
    kept = {name: record for name, record in records.items() if name not in names}
    if kept != records:
        directory.write_json(PROVENANCE, {**provenance_record, "stages": kept})
        write_metrics(directory)
    directory.remove([*(name for stage in stages for name in (*stage.outputs, *stage.followed_by)), LIMITS])


def run_stage(space: Workspace, stage: Stage) -> None:
    """Do the work of a stage and record what it came from and what it cost."""
    space.effort = Effort()
    space.monitor.begin(stage.name)
    started, wall, cpu = datetime.now(UTC), time.monotonic(), time.process_time()
    inputs = inputs_digest(space, stage, records_of(space.run))
    simulates = stage.simulates and stage.works(space)
    with one_line_errors(), sizes_by_key(space.design):
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
        # What could not be measured (a mean of nothing) is absent, and a limit on it fails.
        "metrics": {name: value for name, value in metrics.items() if math.isfinite(value)},
    }
    # The record last: only what is complete counts as done.
    _write_provenance(space, {**records_of(space.run), stage.name: sealed(record)})
    write_metrics(space.run)
    space.monitor.end()
    for line in told.found(space, stage, metrics):
        space.monitor.tell(line)


def mend_provenance(space: Workspace) -> None:
    """Say anew what holds for the whole run, where provenance.json is not as it was written; reports show it."""
    found = space.run.read_json(PROVENANCE)
    stages = found.pop("stages", None)
    if stages and found != sealed(found):
        _write_provenance(space, records_of(space.run))


def _write_provenance(space: Workspace, records: Records) -> None:
    space.run.write_json(PROVENANCE, {**sealed(_origin(space)), "stages": records})


def write_metrics(directory: RunDirectory) -> None:
    """metrics.json as the records of the stages have it, with times and points over all of them, unless it is so already."""
    records = records_of(directory)
    own = {name: value for record in records.values() for name, value in record["metrics"].items()}
    wanted = {**own, **(_totals(records) if records else {})}
    try:
        found = directory.read_json(METRICS)
    except InputError:
        found = {}
    if found != wanted:
        directory.write_json(METRICS, wanted)
    directory.seal(METRICS)


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
        KEY: is_published_circuit(design.model_dump(mode="json")),
        "seeds": {
            "split": design.network.split_seed, "training": design.training.seed, "mismatch": design.validation.mismatch_seed,
        },
        "processors": processors(),
        "jobs": space.jobs,
    }  # fmt: skip
