"""The command `cosim`. Everything heavy is imported by the command that needs it, so that `cosim --help` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from cosim.cli import calibrate, fit, layout, looks, new, prune, search, stages, study, sweep
from cosim.errors import InputError
from cosim.version import __version__, collision

COMMANDS: dict[str, Callable[..., None]] = {
    "new": new.new,
    "run": stages.run,
    "characterize": stages.characterize,
    "train": stages.train,
    "map": stages.map_weights,
    "validate": stages.validate,
    "report": stages.report,
    "sweep": sweep.sweep,
    "calibrate": calibrate.calibrate,
    "search": search.search,
    "fit": fit.fit,
    "prune": prune.prune,
    "study": study.study,
    "layout": layout.layout,
    "datasheet": looks.datasheet,
    "doctor": looks.doctor,
    "cells": looks.cells,
    "schema": new.schema,
    "diff": looks.diff,
}

app = typer.Typer(
    name="cosim",
    help="Co-design of analog in-memory computing around SPICE: from transistors to a trained network and back.\n\n"
    "Exit codes: 0 done, 1 a limit of the design failed, 2 bad input, 3 a simulation or a training failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for name, command in COMMANDS.items():
    app.command(name)(command)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"cosim {__version__}")
        raise typer.Exit


def _refused(line: str) -> int:
    typer.echo(f"cosim: {line}", err=True)
    return InputError.exit_code


def main() -> None:
    """Entry point of the `cosim` command."""
    if found := collision():
        sys.exit(_refused(found))
    app(prog_name="cosim")


if __name__ == "__main__":
    main()
