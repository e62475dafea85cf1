"""Which stages of a run directory are up to date.

The design sections that decide a stage, the source that its work reaches, its input files, the device models and ngspice must be
what they were, its outputs as it left them, and so must be every stage that it needs. A record of an older cosim never is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cosim.design import Design
from cosim.errors import InputError
from cosim.pipeline.closure import own_sources
from cosim.pipeline.packages import one_line_errors
from cosim.pipeline.stages import STAGES, Stage, roots
from cosim.pipeline.workspace import Workspace
from cosim.runs import provenance
from cosim.runs.directory import PROVENANCE, RunDirectory

Records = dict[str, dict[str, Any]]


def records_of(directory: RunDirectory) -> Records:
    """What the stages left in provenance.json, by name; not what was changed since."""
    stages = directory.read_json(PROVENANCE).get("stages")
    found = stages.items() if isinstance(stages, dict) else ()
    return {name: record for name, record in found if isinstance(record, dict) and record.get("seal") == _seal(record)}


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with a digest of itself."""
    return {**record, "seal": _seal(record)}


def _seal(record: Mapping[str, Any]) -> str:
    return provenance.content_digest({name: value for name, value in record.items() if name != "seal"})


def outdated(space: Workspace, stages: Sequence[Stage], asked: Sequence[Stage] = ()) -> tuple[Stage, ...]:
    """The stages, in order, whose results are absent, incomplete, or not what they would be once those that are `asked` ran."""
    records, current = records_of(space.run), dict[str, dict[str, Any]]()
    for stage in stages:
        record, needs = records.get(stage.name), set(stage.needs)
        if stage.gathers and stage in asked:
            needs |= {other.name for other in asked if other is not stage}
        if record is not None and needs <= set(current) and _is_current(space, stage, record, current):
            current[stage.name] = record
    return tuple(stage for stage in stages if stage.name not in current)


def _is_current(space: Workspace, stage: Stage, record: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]) -> bool:
    return (
        record.get("failed_points") == 0
        and not _lacks_pdf(space, stage)
        and record.get("inputs_sha256") == inputs_digest(space, stage, before)
        and record.get("outputs_sha256") == outputs_digest(space, stage)
        and _tools_unchanged(space, stage, record)
    )


def _lacks_pdf(space: Workspace, stage: Stage) -> bool:
    """Whether one is asked for that could not be typeset: what was missing then may be there now."""
    return space.pdf and any(name.endswith(".pdf") and not (space.run / name).exists() for name in stage.outputs)


def inputs_digest(space: Workspace, stage: Stage, before: Mapping[str, Mapping[str, Any]]) -> str:
    """Over everything that decides the result of a stage, the tools apart; `before` are the records of the stages there are."""
    gathered = {name: record["outputs_sha256"] for name, record in before.items() if name != stage.name}
    return provenance.content_digest(
        [
            space.design.model_dump(mode="json", include=stage.sections),
            own_sources().digest(roots(stage, space.design)),
            space.run.digest(stage.inputs),
            gathered if stage.gathers else {},
        ]
    )


def outputs_digest(space: Workspace, stage: Stage) -> str:
    """Over the files that a stage writes. Without `pdf` it matters to no stage whether it has one."""
    return space.run.digest(name for name in stage.outputs if space.pdf or not name.endswith(".pdf"))


def check_recorded(directory: RunDirectory, name: str) -> None:
    """Raises `InputError` for a file of a run directory that is not as the stage that made it left it."""
    directory.check_sealed(name)
    records = records_of(directory)
    for stage in STAGES:
        made = any(name == output or name.startswith(f"{output}/") for output in stage.outputs)
        if made and stage.name in records and records[stage.name].get("outputs_sha256") not in _outputs_digests(directory, stage):
            raise InputError(f"{directory / name}: is not as {stage.name} left it; cosim {stage.name} makes it anew")


def _outputs_digests(directory: RunDirectory, stage: Stage) -> set[str]:
    """With a PDF and without: it matters to no other file."""
    return {directory.digest(stage.outputs), directory.digest(name for name in stage.outputs if not name.endswith(".pdf"))}


def _tools_unchanged(space: Workspace, stage: Stage, record: Mapping[str, Any]) -> bool:
    """Whether PDK and ngspice are what they were. Where they are missing a finished run can still be read and reported."""
    if not (stage.simulates and stage.works(space)):
        return True
    try:
        return all(record.get(name) == value for name, value in tools(space.design, stage).items())
    except InputError:
        return True


def tools(design: Design, stage: Stage) -> dict[str, str]:
    """What a stage simulates with: device models (origin, and a digest of the files that name them), ngspice, and the second
    judge where it has one."""
    from cosim.judge import second_judge
    from cosim.simulator import ngspice_version
    from netlists.models.cache import content_digest

    with one_line_errors():
        pdk = design.process.pdk()
        contents = " ".join(map(content_digest, pdk.files(design.process.corner)))
        digest = hashlib.sha256(contents.encode()).hexdigest()[:12]
        found = {"device_models": f"{pdk.source}, {pdk.model_set}, {digest}", "ngspice": ngspice_version()}
        judge = second_judge(design.validation.judge) if stage.judges else None
        return found if judge is None else {**found, "second_judge": judge.version}
