"""`cosim search`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.errors import GOES_ON, clear_errors
from cosim.cli.options import AsJson, DesignFile, Jobs, Scheduler, Verbose, path_option, takes
from cosim.cli.say import monitor, say


@dataclass(frozen=True)
class SearchOptions:
    design: DesignFile
    trials: Annotated[int, typer.Option("--trials", min=1, help="Designs to try, those of before included.")] = 20
    simulate: Annotated[
        int, typer.Option("--simulate", min=0, metavar="SAMPLES", help="Test samples of each of the best in the circuit.")
    ] = 0
    out: Annotated[
        Path | None,
        path_option("--out", metavar="DIR", help="Folder of the result; runs/NAME OF THE DESIGN-search unless given."),
    ] = None
    jobs: Jobs = None
    scheduler: Scheduler = ""
    as_json: AsJson = False
    verbose: Verbose = False


@takes(SearchOptions)
def search(options: SearchOptions) -> None:
    """Search for better designs: sizes, capacitor, phase, biases and hidden neurons against accuracy, energy, area and fidelity.

    Each trial is characterized, trained and predicted. Resumes where it stopped; what it varies is [search] (docs/search.md).

    Example: cosim search designs/iris_5_5_5.toml --trials 20
    """
    with clear_errors(GOES_ON):
        from cosim.pipeline.packages import check_packages

        check_packages(("optuna",), "search")  # before imports that take seconds
        from cosim.search.run import search_design

        result = search_design(
            options.design, options.out, trials=options.trials, simulate=options.simulate, jobs=options.jobs,
            scheduler=options.scheduler, monitor=monitor(options.verbose),
        )  # fmt: skip
    say(options.as_json, result.as_dict(), result.lines())
    raise typer.Exit(result.exit_code)
