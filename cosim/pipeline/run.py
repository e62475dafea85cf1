"""Runs the stages of a design in order, and none that is up to date.

A stage is up to date if the design sections that decide it, the code, its input files, the device models and ngspice are what
they were, and its outputs are as it left them. As soon as one is not, its results and those of every later stage are deleted
before it starts, so that a run directory never mixes two designs. Simulated points stay in points.sqlite: what is the same is not
simulated again.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.pipeline.packages import check_packages, one_line_errors
from cosim.pipeline.stages import STAGES, Stage, StageName, Workspace
from cosim.runs import provenance
from cosim.runs.directory import DESIGN, PROVENANCE, RunDirectory
from cosim.runs.effort import Effort
from cosim.runs.given import GIVEN_HARDWARE, GIVEN_WEIGHTS, NO_DIES, read_hardware
from cosim.runs.limits import Verdict, judge
from cosim.runs.progress import Monitor
from cosim.simulator.pools import processors

if TYPE_CHECKING:
    from cosim.datasheet.make import DatasheetResult

METRICS, LIMITS = "metrics.json", "limits.json"


@dataclass(frozen=True)
class DatasheetNeeds:
    """What `cosim characterize` needs beyond its stage, and what it leaves."""

    name: str = "datasheet"
    packages: tuple[str, ...] = ("jinja2", "matplotlib", "weasyprint")
    pages: tuple[str, ...] = ("datasheet.html", "datasheet.pdf")
    tables: str = "datasheet"


DATASHEET = DatasheetNeeds()


@dataclass(frozen=True)
class RunResult:
    """What a run has come to. `ran` are the stages that were not up to date; `verdicts` is empty before validation."""

    directory: Path
    ran: tuple[StageName, ...]
    metrics: dict[str, float]
    verdicts: tuple[Verdict, ...]
    failed_points: int

    @property
    def exit_code(self) -> int:
        """0 done, 1 a limit failed, 3 a simulation failed."""
        if self.failed_points:
            return 3
        return 0 if all(verdict.passed for verdict in self.verdicts) else 1


def run(
    design: Path | str,
    out: Path | str | None = None,
    *,
    until: StageName | str = StageName.REPORT,
    jobs: int | None = None,
    scheduler: str = "",
    samples: int | None = None,
    dies: int | None = None,
    pdf: bool = True,
    weights: Path | str | None = None,
    hardware: Path | str | None = None,
    monitor: Monitor | None = None,
    command: str = "",
) -> RunResult:
    """Bring a run directory up to date, as far as the stage `until`.

    Args:
        design: the TOML file.
        out: the run directory; runs/<name of the design> where None.
        jobs: simulator processes; one per processor where None.
        scheduler: address of a Dask cluster that simulates instead.
        samples, dies: instead of validation.samples and validation.mismatch_dies of the design.
        pdf: also write report.pdf.
        weights: safetensors file with weights from elsewhere; the run directory keeps them and trains none (see
            `cosim.networks.given_weights`).
        hardware: hardware.json from elsewhere; the run directory keeps it and characterises nothing (see `cosim.runs.given`).
        monitor: hears of the progress.
        command: recorded in provenance.json.

    Raises:
        InputError: bad input, an unwritable folder, a missing PDK, simulator or package; one line.
        CosimError: a stage could not give its result.
    """
    path, last = Path(design), StageName(until)
    loaded = load_design(path)
    asked = {"samples": samples, "mismatch_dies": dies}
    overrides = {key: value for key, value in asked.items() if value is not None}
    effective = _override(loaded, overrides)
    if last == StageName.CHARACTERIZE:
        _check_datasheet(path, effective)
    directory = RunDirectory(Path(out) if out is not None else Path("runs") / loaded.name)
    with directory.open(loaded.name), monitor or Monitor() as watching:
        if hardware is not None:
            _take_hardware(directory, Path(hardware), effective)
        if weights is not None:
            _take_weights(directory, Path(weights), effective)
        _check_dies(directory, effective, last)
        directory.write(DESIGN, _design_text(path, overrides))
        space = Workspace(effective, directory, watching, jobs or processors(), pdf, scheduler, command)
        ran = tuple(_bring_up_to_date(space, last))
        sheet = _datasheet(space, path) if last == StageName.CHARACTERIZE else None
        return _result(space, last, ran, sheet)


def _take_weights(directory: RunDirectory, weights: Path, design: Design) -> None:
    """Keep weights from elsewhere in the run directory, whose training stage takes them. Refuses what does not fit."""
    with one_line_errors():
        from cosim.networks.given_weights import read_weights

        read_weights(weights, design.network)
        directory.write(GIVEN_WEIGHTS, weights.read_bytes())


def _take_hardware(directory: RunDirectory, hardware: Path, design: Design) -> None:
    """Keep a hardware model from elsewhere in the run directory, whose characterisation takes it. Refuses what does not fit."""
    with one_line_errors():
        read_hardware(hardware, design)
        directory.write(GIVEN_HARDWARE, hardware.read_bytes())


def _check_dies(directory: RunDirectory, design: Design, last: StageName) -> None:
    """A circuit that is characterised on the way to its training has no dies to train for: `InputError` before it is."""
    given = any((directory / name).exists() for name in (GIVEN_HARDWARE, GIVEN_WEIGHTS))
    if design.training.mismatch and last != StageName.CHARACTERIZE and not given:
        raise InputError(NO_DIES)


def _check_datasheet(path: Path, design: Design) -> None:
    """Before anything is simulated for it. Raises `InputError`."""
    check_packages(DATASHEET.packages, DATASHEET.name)
    with one_line_errors():
        from cosim.datasheet.make import check_limits

        try:
            check_limits(design)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _datasheet(space: Workspace, design_file: Path) -> DatasheetResult:
    """Characterisation ends with it; it is no stage, so that a changed limit makes no later stage run again."""
    with one_line_errors():
        from cosim.datasheet.make import make_datasheet

        space.monitor.begin("datasheet")
        space.run.remove(DATASHEET.pages)  # so that none stands beside tables that it was not made from
        with space.pool() as pool:
            made = make_datasheet(space.design, design_file, space.run, pool, space.monitor, pdf=space.pdf, command=space.command)
        space.monitor.end()
        return made


def _override(design: Design, overrides: dict[str, int]) -> Design:
    content = design.model_dump()
    content["validation"].update(overrides)
    try:
        effective = Design.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "design"
        raise InputError(f"command line: {field}: {first['msg']}, not {first['input']!r}") from error
    validation, available = effective.validation, effective.network.test_samples
    if validation.samples > available:
        raise InputError(f"validation.samples: {validation.samples} is more than the {available} of network.test_samples")
    return effective


def _design_text(path: Path, overrides: dict[str, int]) -> bytes:
    comments = [f"# on the command line: validation.{key} = {value}\n" for key, value in overrides.items()]
    return path.read_bytes() + "".join(comments).encode()


def _bring_up_to_date(space: Workspace, last: StageName) -> Iterator[StageName]:
    """Run what has to be run; yields the stages that were."""
    wanted = STAGES[: list(StageName).index(last) + 1]
    records = space.run.read_json(PROVENANCE).get("stages", {})
    current = _current_count(space, records)
    for stage in STAGES[:current]:
        space.monitor.skip(stage.name)
    _forget(space.run, STAGES[current:])
    for stage in wanted[current:]:
        if not _is_given(space, stage):
            check_packages(stage.packages, stage.name)
    for stage in wanted[current:]:
        _run_stage(space, stage)
        yield stage.name


def _is_given(space: Workspace, stage: Stage) -> bool:
    """Whether a stage takes what the run directory was given, and simulates nothing."""
    return stage.name == StageName.CHARACTERIZE and (space.run / GIVEN_HARDWARE).exists()


def _current_count(space: Workspace, records: dict[str, Any]) -> int:
    """How many stages, from the first, are up to date."""
    for count, stage in enumerate(STAGES):
        record = records.get(stage.name)
        if record is None or record["failed_points"] or not _is_current(space, stage, record, records):
            return count
    return len(STAGES)


def _is_current(space: Workspace, stage: Stage, record: dict[str, Any], records: dict[str, Any]) -> bool:
    return (
        record["inputs_sha256"] == _inputs_digest(space, stage, records)
        and record["outputs_sha256"] == space.run.digest(_outputs(space, stage))
        and _tools_unchanged(space, stage, record)
    )


def _inputs_digest(space: Workspace, stage: Stage, records: dict[str, Any]) -> str:
    """Over everything that decides the result of a stage, the tools apart."""
    before = [
        records[name]["outputs_sha256"] for name in StageName if name in records and list(StageName).index(name) < _place(stage)
    ]
    return provenance.content_digest(
        [
            space.design.model_dump(mode="json", include=stage.sections),
            provenance.code_digest(stage.code),
            space.run.digest(stage.inputs),
            before if stage.name == StageName.REPORT else [],
        ]
    )


def _place(stage: Stage) -> int:
    return list(StageName).index(stage.name)


def _outputs(space: Workspace, stage: Stage) -> tuple[str, ...]:
    return tuple(name for name in stage.outputs if space.pdf or name != "report.pdf")


def _tools_unchanged(space: Workspace, stage: Stage, record: dict[str, Any]) -> bool:
    """Whether PDK and ngspice are what they were. Where they are missing a finished run can still be read and reported."""
    if not stage.simulates or _is_given(space, stage):
        return True
    try:
        now = {"device_models": _device_models(space.design), "ngspice": _ngspice()}
    except InputError:
        return True
    return all(record[name] == value for name, value in now.items())


def _device_models(design: Design) -> str:
    """What the device models are: their origin, and a digest of the folder's place and date. No path of the machine."""
    with one_line_errors():
        pdk = design.process.pdk()
        files = pdk.files(design.process.corner)
    place = " ".join(f"{file.resolve()} {file.stat().st_mtime_ns}" for file in files)
    return f"{pdk.source}, {pdk.model_set}, {hashlib.sha256(place.encode()).hexdigest()[:12]}"


def _ngspice() -> str:
    from cosim.simulator import ngspice_version

    with one_line_errors():
        return ngspice_version()


def _forget(directory: RunDirectory, stages: Sequence[Stage]) -> None:
    """Delete the results of stages, their records first: whatever is interrupted here is run again."""
    names = {stage.name for stage in stages}
    record = directory.read_json(PROVENANCE)
    if names & set(record.get("stages", {})):
        record["stages"] = {name: content for name, content in record["stages"].items() if name not in names}
        directory.write_json(PROVENANCE, record)
    prefixes = tuple(prefix for stage in stages for prefix in stage.metrics)
    metrics = directory.read_json(METRICS)
    kept = {name: value for name, value in metrics.items() if not name.startswith(prefixes)} if prefixes else metrics
    if kept != metrics:
        directory.write_json(METRICS, kept)
    directory.remove([*(name for stage in stages for name in stage.outputs), LIMITS] if stages else [])
    if StageName.CHARACTERIZE in names:
        directory.remove([*DATASHEET.pages, DATASHEET.tables])


def _run_stage(space: Workspace, stage: Stage) -> None:
    space.effort = Effort()
    space.monitor.begin(stage.name)
    started, wall, cpu = datetime.now(UTC), time.monotonic(), time.process_time()
    inputs = _inputs_digest(space, stage, space.run.read_json(PROVENANCE).get("stages", {}))
    simulates = stage.simulates and not _is_given(space, stage)
    if stage.name == StageName.REPORT:
        _write_limits(space)
    with one_line_errors():
        metrics = stage.work(space)
    record = {
        "started": started.isoformat(timespec="seconds"),
        "wall_s": round(time.monotonic() - wall, 3),
        "cpu_s": round(time.process_time() - cpu + space.effort.simulate_cpu_s, 3),
        **space.effort.record(),
        "inputs_sha256": inputs,
        "outputs_sha256": space.run.digest(_outputs(space, stage)),
        "versions": ", ".join(f"{name} {version}" for name, version in provenance.versions().items()),
        **({"git_revision": revision} if (revision := provenance.git_revision()) else {}),
        **({"device_models": _device_models(space.design), "ngspice": _ngspice()} if simulates else {}),
    }
    _record(space, stage, metrics, record)
    space.monitor.end()


def _record(space: Workspace, stage: Stage, metrics: dict[str, float], record: dict[str, Any]) -> None:
    """Metrics first, the stage's record last: only what is complete counts as done."""
    content = space.run.read_json(PROVENANCE)
    stages = {**content.get("stages", {}), stage.name: record}
    own = {name: value for name, value in space.run.read_json(METRICS).items() if not name.startswith(("time.", "simulation."))}
    # What could not be measured (a mean of nothing) is absent, and a limit on it fails.
    measured = {name: value for name, value in metrics.items() if math.isfinite(value)}
    space.run.write_json(METRICS, {**own, **measured, **_totals(stages)})
    space.run.write_json(PROVENANCE, {**_origin(space), "stages": stages})


def _totals(stages: dict[str, Any]) -> dict[str, float]:
    """Times and points over the stages, each as it last ran."""

    def total(name: str) -> float:
        return float(sum(record[name] for record in stages.values()))

    return {
        "time.total_s": total("wall_s"),
        "time.simulate_s": total("simulate_s"),
        "time.simulate_cpu_s": total("simulate_cpu_s"),
        **{f"time.{name}_s": record["wall_s"] for name, record in stages.items()},
        "simulation.points": total("points"),
        "simulation.cached_points": total("cached_points"),
        "simulation.failed_points": total("failed_points"),
    }


def _origin(space: Workspace) -> dict[str, Any]:
    """What holds for the whole run; stage by stage stands in the records of the stages."""
    design = space.design
    hardware = space.run.read_json("hardware.json")
    return {
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


def _write_limits(space: Workspace) -> list[Verdict]:
    verdicts = judge(space.design.limits, space.run.read_json(METRICS))
    space.run.write_json(LIMITS, [asdict(verdict) for verdict in verdicts])
    return verdicts


def _result(space: Workspace, last: StageName, ran: tuple[StageName, ...], sheet: DatasheetResult | None = None) -> RunResult:
    """`sheet` is judged by limits of its own."""
    validated = last in (StageName.VALIDATE, StageName.REPORT)
    records = space.run.read_json(PROVENANCE).get("stages", {})
    return RunResult(
        directory=space.run.path,
        ran=ran,
        metrics=space.run.read_json(METRICS),
        verdicts=tuple(_write_limits(space)) if validated else tuple(one.verdict for one in sheet.judged) if sheet else (),
        failed_points=int(sum(record["failed_points"] for record in records.values())) + (sheet.failed if sheet else 0),
    )
