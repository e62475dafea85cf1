"""`cosim study`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.errors import GOES_ON, clear_errors
from cosim.cli.options import AsJson, Verbose, takes
from cosim.cli.say import monitor, say


@dataclass(frozen=True)
class StudyOptions:
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Study file (TOML), e.g. designs/studies/digits.toml.")]
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of the result; runs/NAME OF THE STUDY unless given.")
    ] = None
    data: Annotated[Path | None, typer.Option("--data", metavar="FOLDER", help="Official files of the data set.")] = None
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu"
    as_json: AsJson = False
    verbose: Verbose = False


@takes(StudyOptions)
def study(options: StudyOptions) -> None:
    """Train every network of a study, a grid of methods and settings, and tell how accurate each is on the circuit.

    Resumes where it stopped; does nothing twice (docs/training.md).

    Example: cosim study designs/studies/digits.toml
    """
    with clear_errors(GOES_ON):
        from cosim.networks.study import lines, run_study

        folder, rows = run_study(options.study, options.out, options.data, options.device, monitor(options.verbose))
    say(options.as_json, rows, [*lines(rows), f"table and pictures: {folder}"])
