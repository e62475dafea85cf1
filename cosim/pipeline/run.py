"""Runs the stages of a design, and none that is up to date.

The results of stages that are not up to date are deleted before anything runs, whether they are asked for or not, so that a run
directory never mixes two designs. Simulated points stay in points.sqlite: what is the same is not simulated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cosim.design import load_design
from cosim.pipeline import told
from cosim.pipeline.execution import forget, mend_provenance, run_stage, write_metrics
from cosim.pipeline.freshness import outdated
from cosim.pipeline.packages import check_packages, one_line_errors
from cosim.pipeline.request import Request
from cosim.pipeline.result import RunResult, result_of
from cosim.pipeline.stages import STAGES, Stage, StageName, wanted
from cosim.pipeline.workspace import Workspace
from cosim.runs.directory import DESIGN, RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator.pools import processors


def run(
    design: Path | str,
    out: Path | str | None = None,
    *,
    until: StageName | str = StageName.REPORT,
    jobs: int | None = None,
    scheduler: str = "",
    samples: int | None = None,
    dies: int | None = None,
    judge: str | None = None,
    structure: str | None = None,
    pdf: bool = True,
    weights: Path | str | None = None,
    hardware: Path | str | None = None,
    monitor: Monitor | None = None,
    command: str = "",
) -> RunResult:
    """Bring a run directory up to date, as far as the stage `until` and what that needs.

    Args:
        design: the TOML file.
        out: the run directory; runs/<name of the design> where None.
        until: the last stage. "report" makes the datasheet on its way where the design asks for one; "datasheet" makes it always.
        jobs: simulator processes; one per processor where None.
        scheduler: address of a Dask cluster that simulates instead.
        samples, dies, judge: instead of validation.samples, validation.mismatch_dies and validation.judge of the design.
        structure: of the weights, by its name ("ternary_8_2", ...; "dense" is none), instead of the section of the design.
        pdf: also write report.pdf and datasheet.pdf.
        weights: safetensors file with weights from elsewhere; the run directory keeps them and trains none.
        hardware: hardware.json from elsewhere; the run directory keeps it and characterises nothing.
        monitor: hears of the progress.
        command: recorded in provenance.json.

    Raises:
        InputError: bad input, an unwritable folder, a missing PDK, simulator or package; one line.
        CosimError: a stage could not give its result.
    """
    request = Request(
        Path(design),
        _path(out),
        StageName(until),
        jobs,
        scheduler,
        samples,
        dies,
        judge,
        structure,
        pdf,
        _path(weights),
        _path(hardware),
        command,
    )
    with monitor or Monitor() as watching:
        return carry_out(request, watching)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def carry_out(request: Request, monitor: Monitor) -> RunResult:
    """See `run`."""
    loaded = load_design(request.design_file)
    design = request.effective(loaded)
    directory = RunDirectory(request.out or Path("runs") / loaded.name)
    space = Workspace(
        design, directory, monitor, request.jobs or processors(), request.pdf, request.scheduler, request.command,
        request.design_file, request.brought, request.points,
    )  # fmt: skip
    asked = wanted(STAGES, request.until, design)
    with one_line_errors():
        for stage in asked:
            stage.check(space)
    with directory.open(loaded.name, monitor.remark):
        request.keep_brought(directory, design)
        directory.write(DESIGN, request.design_text())
        mend_provenance(space)
        ran = _bring_up_to_date(space, asked)
        write_metrics(directory)
        return result_of(space, {stage.name for stage in asked}, ran)


def _bring_up_to_date(space: Workspace, asked: Sequence[Stage]) -> tuple[StageName, ...]:
    """Delete what is out of date, and make anew what is asked for; the stages that were."""
    old = outdated(space, STAGES, asked)
    followed = [folder for stage in old for folder in stage.followed_by if (space.run / folder).exists()]
    forget(space.run, old)
    if followed:
        space.monitor.remark(
            f"what {' and '.join(followed)} held was of the network before, and is gone; its simulations are kept: the same "
            "commands again make what is still so of the new one"
        )
    for stage in asked:
        if stage not in old:
            space.monitor.skip(stage.name)
    missing = [stage for stage in asked if stage in old]
    for stage in missing:
        if stage.works(space):
            check_packages(stage.packages, stage.name)
    for line in told.plan(space, missing):
        space.monitor.tell(line)
    for stage in missing:
        run_stage(space, stage)
    return tuple(stage.name for stage in missing)
