"""`cosim fit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.errors import clear_errors
from cosim.cli.options import AsJson, path_argument, path_option, takes
from cosim.cli.say import say
from cosim.errors import InputError


@dataclass(frozen=True)
class FitOptions:
    measured: Annotated[list[Path], path_argument(metavar="CSV...", help="Measured I-V tables and membrane waveforms.")]
    design: Annotated[Path, path_option("--design", metavar="DESIGN", help="Design file (TOML) that was built.")]
    hardware: Annotated[
        Path | None,
        path_option("--hardware", metavar="FILE", help="Simulated hardware.json; that of the design's run unless given."),
    ] = None
    out: Annotated[
        Path | None,
        path_option("--out", metavar="DIR", help="Folder of the result; silicon/ of the design's run unless given."),
    ] = None
    as_json: AsJson = False


@takes(FitOptions)
def fit(options: FitOptions) -> None:
    """Fit measured waveforms and I-V curves: parameters with errors, and a hardware model of your own silicon.

    A file that cannot be used is one line and exit code 2; the others are fitted all the same (docs/silicon.md).

    Example: cosim fit bench/iv.csv bench/pattern_*.csv --design designs/iris_5_5_5.toml
    """
    with clear_errors():
        from cosim.silicon.command import run_fit

        result = run_fit(options.measured, options.design, options.hardware, options.out)
    for line in result.refused:
        typer.echo(f"cosim: {line}", err=True)
    say(options.as_json, result.as_dict(), result.lines())
    raise typer.Exit(InputError.exit_code if result.refused else 0)
