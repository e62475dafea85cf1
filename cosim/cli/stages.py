"""The commands that run the stages of a design, each as far as its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cosim.cli.errors import GOES_ON, clear_errors
from cosim.cli.options import StageOptions, path_option, takes
from cosim.cli.say import command_line, monitor, say, say_run


@dataclass(frozen=True)
class ReportOptions(StageOptions):
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Also write report.pdf.")] = True


@dataclass(frozen=True)
class TrainOptions(StageOptions):
    hardware: Annotated[
        Path | None,
        path_option("--hardware", metavar="FILE", help="Take this hardware.json (cosim fit), characterize nothing."),
    ] = None


@dataclass(frozen=True)
class MapOptions(StageOptions):
    weights: Annotated[
        Path | None,
        path_option("--weights", metavar="FILE", help="Take these weights (safetensors), train none."),
    ] = None


@dataclass(frozen=True)
class ValidateOptions(StageOptions):
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="CONDITION", help="Only this condition, such as temperature_c=85; may be repeated."),
    ] = None
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Only what a board, its supply and its temperature may be off by, one by one.")
    ] = False
    biases: Annotated[
        str,
        typer.Option("--biases", metavar="NAME,...", help="There: fixed, replica, rebiased, calibrated; of --sensitivity fixed."),
    ] = ""

    @property
    def keywords(self) -> dict[str, Any]:
        return {name: value for name, value in super().keywords.items() if name not in ("at", "sensitivity", "biases")}


@takes(ReportOptions)
def run(options: ReportOptions) -> None:
    """All stages, and the datasheet where [datasheet] asks for it. Resumes where it stopped; does nothing twice.

    Example: cosim run designs/iris_5_5_5.toml --samples 10 --out runs/short
    """
    _run_until("report", options)


@takes(StageOptions)
def characterize(options: StageOptions) -> None:
    """Sweep the cells of a design and extract its hardware model; then the datasheet that [datasheet] asks for.

    Example: cosim characterize designs/iris_5_5_5.toml --jobs 2
    """
    _run_until("datasheet", options)


@takes(TrainOptions)
def train(options: TrainOptions) -> None:
    """Train both networks on the hardware model (and characterize first where needed).

    Example: cosim train designs/iris_5_5_5.toml --json

    Example: cosim train designs/digits_64_32_10.toml --structure ternary_8_2 --out runs/ternary

    Example: cosim train designs/iris_5_5_5.toml --hardware silicon/hardware.json --out runs/silicon
    """
    _run_until("train", options)


@takes(MapOptions)
def map_weights(options: MapOptions) -> None:
    """Turn the trained weights, or weights from elsewhere, into gate biases (and do what comes before where needed).

    Example: cosim map designs/iris_5_5_5.toml

    Example: cosim map designs/iris_5_5_5.toml --weights mine.safetensors --out runs/mine
    """
    _run_until("map", options)


@takes(ValidateOptions)
def validate(options: ValidateOptions) -> None:
    """Simulate the mapped network transistor by transistor beside its model (and do what comes before where needed).

    With --at, the finished weights at other conditions, with --sensitivity on a board that is not ideal: a table of errors and
    labels (docs/calibration.md).

    Example: cosim validate designs/iris_5_5_5.toml --samples 10 --dies 0

    Example: cosim validate designs/iris_5_5_5.toml --at corner=ff,temperature_c=85,supply_v=1.98 --biases fixed,rebiased

    Example: cosim validate designs/iris_5_5_5.toml --sensitivity --samples 10
    """
    if options.at and options.sensitivity:
        raise typer.BadParameter("names conditions of its own; leave out --at", param_hint="--sensitivity")
    if not (options.at or options.sensitivity):
        if options.biases:
            raise typer.BadParameter("goes with --at or --sensitivity", param_hint="--biases")
        _run_until("validate", options)
    if unheard := next((name for name in ("structure", "judge", "dies") if getattr(options, name)), ""):
        raise typer.BadParameter("does not go with --at and --sensitivity", param_hint=f"--{unheard}")
    with clear_errors(GOES_ON):
        from cosim.pipeline.validate_at import validate_at

        result = validate_at(
            options.design, options.at or (), options.biases, options.out, samples=options.samples, jobs=options.jobs,
            scheduler=options.scheduler, monitor=monitor(options.verbose), command=command_line(),
        )  # fmt: skip
    say(options.as_json, result.rows.to_dict("records"), result.lines())
    raise typer.Exit(result.exit_code)


@takes(ReportOptions)
def report(options: ReportOptions) -> None:
    """Write report.html and report.pdf (and do what comes before where needed).

    Example: cosim report designs/iris_5_5_5.toml --no-pdf
    """
    _run_until("report", options)


def _run_until(stage: str, options: StageOptions) -> NoReturn:
    with clear_errors(GOES_ON):
        from cosim.pipeline.run import run as run_stages

        watching = monitor(options.verbose, lines=not options.as_json)
        result = run_stages(**options.keywords, until=stage, monitor=watching, command=command_line())
    say_run(result, options.as_json)
    raise typer.Exit(result.exit_code)
