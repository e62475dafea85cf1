"""`cosim sweep`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.errors import GOES_ON, clear_errors
from cosim.cli.options import DesignFile, Jobs, Out, Scheduler, Verbose, takes
from cosim.cli.say import command_line, monitor
from cosim.errors import InputError

if TYPE_CHECKING:
    from cosim.sweep.request import SweepRequest


@dataclass(frozen=True)
class SweepWords:
    design: DesignFile
    measure: Annotated[list[str] | None, typer.Option("--measure", metavar="NAME", help="Measurement; may be repeated.")] = None
    corners: Annotated[str, typer.Option("--corners", metavar="tt,ss", help="Corners.")] = ""
    temperatures: Annotated[str, typer.Option("--temperatures", metavar="-40,27,125", help="Temperatures in Celsius.")] = ""
    supplies: Annotated[str, typer.Option("--supplies", metavar="1.62,1.8", help="Supply voltages in V.")] = ""
    seeds: Annotated[str, typer.Option("--seeds", metavar="0:200", help="Monte Carlo dies, the end not included.")] = ""
    parameter: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=V1,V2", help="Values of a field of the design; may be repeated.")
    ] = None
    only: Annotated[str, typer.Option("--only", metavar="CONDITION", help="One condition, such as corner=ss,seed=17.")] = ""
    plain: Annotated[bool, typer.Option("--plain", help="Load every deck as it is: slow, to compare with.")] = False
    check_accuracy: Annotated[
        int, typer.Option("--check-accuracy", metavar="N", min=0, help="Repeat N points of each at a tenth of the reltol.")
    ] = 0
    scheduler: Scheduler = ""
    out: Out = None
    jobs: Jobs = None
    as_json: Annotated[bool, typer.Option("--json", help="Events and the result as JSON lines on standard output.")] = False
    verbose: Verbose = False


@takes(SweepWords)
def sweep(words: SweepWords) -> None:
    """Measure cells over corners, temperatures, supplies, any parameter of the design, and Monte Carlo dies.

    Resumes where it stopped. What is not given comes from the design's [sweep].

    Example: cosim sweep designs/iris_5_5_5.toml --corners tt,ss,ff --temperatures -40,27,125 --seeds 0:200
    """
    with clear_errors(GOES_ON):
        from cosim.runs.progress import JsonMonitor
        from cosim.sweep.request import sweep_design

        result = sweep_design(
            words.design, _request(words), words.out, jobs=words.jobs, scheduler=words.scheduler, command=command_line(),
            monitor=JsonMonitor(typer.echo) if words.as_json else monitor(words.verbose),
        )  # fmt: skip
    # Events and the result share standard output, a line each.
    for line in [json.dumps({"event": "result", **result.summary()})] if words.as_json else result.lines():
        typer.echo(line)
    raise typer.Exit(3 if len(result.failures) else 0)


def _request(words: SweepWords) -> SweepRequest:
    """What the words mean. Raises `InputError`."""
    from cosim.design.condition import seeds
    from cosim.sweep.request import SweepRequest

    return SweepRequest(
        measurements=words.measure or (),
        corners=_listed(words.corners),
        temperatures_c=[_number("--temperatures", word) for word in _listed(words.temperatures)],
        supplies_v=[_number("--supplies", word) for word in _listed(words.supplies)],
        parameters=dict(map(_parameter, words.parameter or ())),
        seeds=seeds(words.seeds),
        only=words.only,
        plain=words.plain,
        check_accuracy=words.check_accuracy,
    )


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(option: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(f"{option}: {word!r} is not a number") from None


def _parameter(text: str) -> tuple[str, list[str]]:
    name, equals, values = text.partition("=")
    if not equals or not _listed(values):
        raise InputError(f"--set: {text!r} is not FIELD=VALUE,VALUE, such as synapse.nmos.length_um=0.25,0.5")
    return name.strip(), _listed(values)
