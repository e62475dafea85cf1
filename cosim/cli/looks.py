"""The commands that look at what there is: the environment, the cells, two runs. They change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.errors import clear_errors
from cosim.cli.options import AsJson, path_argument, path_option
from cosim.cli.say import say
from cosim.errors import InputError


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and how to get it.

    Example: cosim doctor
    """
    from cosim.cli.doctor import examine

    findings = examine()
    say(as_json, [finding.as_dict() for finding in findings], (finding.line() for finding in findings))
    raise typer.Exit(InputError.exit_code if any(finding.stops for finding in findings) else 0)


def cells(as_json: AsJson = False) -> None:
    """List the cells, corners and model sets that a design can use.

    Example: cosim cells
    """
    from cosim.cli.cells import catalogue

    found = catalogue()
    say(as_json, found, _catalogue_lines(found))


def _catalogue_lines(found: dict[str, dict[str, str]]) -> Iterator[str]:
    for group, entries in found.items():
        yield group
        yield from (f"  {name:<22} {what}" for name, what in entries.items())


def datasheet(
    run: Annotated[Path, path_argument(metavar="RUN", help="Run directory, as cosim characterize or cosim run leaves it.")],
    against: Annotated[
        Path | None, path_option("--against", metavar="RUN", help="An earlier run directory: what moved since.")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Markdown, for the page of a CI job.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a datasheet and the limits of a run have come to, and what moved. Exit code 1 if a limit fails.

    `cosim characterize DESIGN` makes the datasheet.

    Example: cosim datasheet runs/iris_5_5_5 --summary --against runs/before >> $GITHUB_STEP_SUMMARY
    """
    with clear_errors():
        from reports.summary import summarise

        found = summarise(run, against)
    say(as_json, found.as_dict(), [found.markdown().rstrip()] if summary else found.lines())
    raise typer.Exit(1 if found.failed else 0)


def diff(
    run_a: Annotated[Path, path_argument(metavar="RUN_A", help="The run directory to compare with.")],
    run_b: Annotated[Path, path_argument(metavar="RUN_B", help="The run directory that may have got worse.")],
    as_json: AsJson = False,
) -> None:
    """Compare two runs: metrics, hardware parameters, limits. Exit code 1 if RUN_B fails a limit that RUN_A passes.

    Example: cosim diff runs/before runs/after
    """
    with clear_errors():
        from cosim.runs.diff import compare

        comparison = compare(run_a, run_b)
    say(as_json, comparison.as_dict(), comparison.lines())
    raise typer.Exit(1 if comparison.regressions else 0)
