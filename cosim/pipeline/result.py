"""What a run has come to: metrics, limits passed or failed, and the exit code of a command."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cosim.pipeline.freshness import Records, records_of
from cosim.pipeline.stages import StageName
from cosim.pipeline.workspace import Workspace
from cosim.runs.limits import Verdict, judge
from reports.baseline import LEFT_OUT, NOTES, is_of_baseline
from reports.remarks import remarks

METRICS, LIMITS, DATASHEET_LIMITS = "metrics.json", "limits.json", "datasheet/limits.json"


@dataclass(frozen=True)
class RunResult:
    """What a run has come to. `ran` are the stages that were not up to date; `verdicts` are those on the stages asked for."""

    directory: Path
    ran: tuple[StageName, ...]
    metrics: dict[str, float]
    verdicts: tuple[Verdict, ...]
    failed_points: int
    remarks: tuple[str, ...] = ()
    """What a user should know of the run, a line each."""

    @property
    def exit_code(self) -> int:
        """0 done, 1 a limit failed, 3 a simulation failed."""
        if self.failed_points:
            return 3
        return 0 if all(verdict.passed for verdict in self.verdicts) else 1


def result_of(space: Workspace, asked: Collection[StageName], ran: tuple[StageName, ...]) -> RunResult:
    """The result of a run as far as the stages `asked`; writes limits.json where the run has what the limits are on."""
    records = records_of(space.run)
    verdicts = _of_metrics(space) if StageName.VALIDATE in records else []
    return RunResult(
        directory=space.run.path,
        ran=ran,
        metrics=space.run.read_json(METRICS),
        verdicts=(
            *(verdicts if StageName.VALIDATE in asked else []),
            *(_of_datasheet(space) if StageName.DATASHEET in asked else []),
        ),
        failed_points=int(sum(record["failed_points"] for record in records.values())),
        remarks=(*space.monitor.remarks, *_remarks(space, records)),
    )


def _remarks(space: Workspace, records: Records) -> list[str]:
    """What the metrics and notes of a run give reason to say, and which limits could not be judged."""
    notes = space.run.read_json(NOTES) if StageName.MAP in records else {}
    unjudged = [name for name in space.design.limits if is_of_baseline(name)] if LEFT_OUT in notes else []
    said = [f"limits not judged, for there is no conventional mapping: {', '.join(unjudged)}"] if unjudged else []
    return [*remarks(space.run.read_json(METRICS), notes), *said]


def _of_metrics(space: Workspace) -> list[Verdict]:
    baseline = LEFT_OUT not in space.run.read_json(NOTES)
    verdicts = judge(space.design.limits, space.run.read_json(METRICS), baseline=baseline)
    space.run.write_json(LIMITS, [asdict(verdict) for verdict in verdicts])
    space.run.seal(LIMITS)
    return verdicts


def _of_datasheet(space: Workspace) -> list[Verdict]:
    """As the datasheet judged them, each on its worst circuit."""
    rows = json.loads((space.run / DATASHEET_LIMITS).read_text(encoding="utf-8"))
    return [Verdict(**{field.name: row[field.name] for field in fields(Verdict)}) for row in rows]
