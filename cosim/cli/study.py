"""`cosim study`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.errors import GOES_ON, clear_errors
from cosim.cli.options import AsJson, Verbose, path_argument, path_option, takes
from cosim.cli.say import monitor, say


@dataclass(frozen=True)
class StudyOptions:
    study: Annotated[Path, path_argument(metavar="STUDY", help="Study file (TOML), e.g. designs/studies/digits.toml.")]
    out: Annotated[
        Path | None,
        path_option("--out", metavar="DIR", help="Folder of the result; runs/NAME OF THE STUDY unless given."),
    ] = None
    data: Annotated[Path | None, path_option("--data", metavar="FOLDER", help="Official files of the data set.")] = None
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu"
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Networks trained at a time, one thread each.")] = 1
    only: Annotated[str, typer.Option("--only", metavar="RUN", help="Train one network, as a failure names it.")] = ""
    as_json: AsJson = False
    verbose: Verbose = False


@takes(StudyOptions)
def study(options: StudyOptions) -> None:
    """Train every network of a study, a grid of methods and settings, and tell how accurate each is on the circuit.

    Resumes where it stopped; does nothing twice. A training that fails costs its own network; exit code 3 (docs/training.md).

    Example: cosim study designs/studies/digits.toml --jobs 2
    """
    with clear_errors(GOES_ON):
        from cosim.networks.study.run import run_study

        result = run_study(
            options.study,
            options.out,
            data=options.data,
            device=options.device,
            jobs=options.jobs,
            only=options.only,
            monitor=monitor(options.verbose),
        )
    say(options.as_json, result.as_dict(), result.lines())
    raise typer.Exit(result.exit_code)
