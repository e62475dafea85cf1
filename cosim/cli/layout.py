"""`cosim layout`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.errors import clear_errors
from cosim.cli.options import AsJson, DesignFile, path_option, takes
from cosim.cli.say import monitor, say


@dataclass(frozen=True)
class LayoutOptions:
    design: DesignFile
    out: Annotated[
        Path | None,
        path_option("--out", metavar="DIR", help="Folder of the result; layout/ of the design's run unless given."),
    ] = None
    run: Annotated[
        Path | None,
        path_option(
            "--run",
            metavar="DIR",
            help="Run whose trained weights are drawn, where devices make them; the design's unless given.",
        ),
    ] = None
    gold: Annotated[
        bool | None,
        typer.Option("--gold/--no-gold", help="Ask magic and netgen too; where they and PDK_ROOT are found unless given."),
    ] = None
    as_json: AsJson = False


@takes(LayoutOptions)
def layout(options: LayoutOptions) -> None:
    """Draw the cells and the network of a design, check them, and compare them with the netlists that are simulated.

    Writes a GDS file, a picture of each cell and of the network, and layout.json. Exit code 1 where a rule is broken or a
    netlist does not match (docs/layout.md), by what comes along or by magic and netgen where PDK_ROOT and both are there.

    Example: cosim layout designs/iris_5_5_5.toml
    """
    with clear_errors():
        from cosim.layout import run_layout

        with monitor(verbose=False) as watching:
            result = run_layout(options.design, options.out, watching, options.gold, options.run)
    say(options.as_json, result.as_dict(), result.lines())
    raise typer.Exit(result.exit_code)
