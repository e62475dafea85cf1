"""How commands say what they are at, and what has come of it."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from cosim.pipeline.result import RunResult
    from cosim.runs.progress import Monitor

HEADLINE = (
    ("output spike-time error, ODE-aware", "validation.ode.output_spike_rmse_s", 1e9, "ns"),
    ("output spike-time error, conventional", "validation.conventional.output_spike_rmse_s", 1e9, "ns"),
    ("conventional / ODE-aware", "validation.error_ratio", 1.0, ""),
    ("numerical error of the validation", "validation.numerical_error_s", 1e9, "ns"),
    ("against the second simulator", "validation.second_judge_rmse_s", 1e9, "ns"),
    ("test accuracy, model", "training.test_accuracy", 100.0, "%"),
    ("test accuracy, circuit", "circuit.test_accuracy", 100.0, "%"),
    ("time, all stages", "time.total_s", 1.0, "s"),
    ("time, simulations", "time.simulate_s", 1.0, "s"),
)


def monitor(verbose: bool, *, lines: bool = False) -> Monitor:
    """A live line on a terminal; elsewhere a log line now and then, or what a run does and finds in `lines`, or nothing."""
    from cosim.runs.progress import LineMonitor, LogMonitor, Monitor, TerminalMonitor

    if sys.stderr.isatty():
        return TerminalMonitor()
    if not verbose:
        return LineMonitor(partial(typer.echo, err=True)) if lines else Monitor()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    # Only our own lines: the libraries that typeset the report log every page.
    log = logging.getLogger("cosim")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    return LogMonitor()


def command_line() -> str:
    """The command line for provenance, without the folders of this machine."""
    return shlex.join(["cosim", *(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])])


def say(as_json: bool, content: Any, lines: Iterable[str]) -> None:
    """The result on standard output: `content` as JSON, or the lines for people."""
    for line in [json.dumps(content, indent=1)] if as_json else lines:
        typer.echo(line)


def say_run(result: RunResult, as_json: bool) -> None:
    """The result of stages."""
    say(as_json, result.metrics, _run_lines(result))


def _run_lines(result: RunResult) -> Iterator[str]:
    """The result in a few lines."""
    for what, name, scale, unit in HEADLINE:
        if name in result.metrics:
            yield f"{what:<40} {result.metrics[name] * scale:8.4g} {unit}".rstrip()
    if cached := int(result.metrics.get("simulation.cached_points", 0)):
        points = int(result.metrics["simulation.points"])
        yield f"{cached} of {points} simulated points were known from before; the times do not hold them"
    if fallbacks := int(result.metrics.get("simulation.operating_point_fallbacks", 0)):
        yield f"{fallbacks} simulations found no operating point at first; they were solved again, or failed"
    for verdict in result.verdicts:
        if not verdict.passed:
            allowed = f"{_number(verdict.min)} .. {_number(verdict.max)}"
            yield f"limit failed: {verdict.name} = {_number(verdict.value)}, allowed {allowed}"
    if result.verdicts:
        yield f"{'limits passed':<40} {sum(v.passed for v in result.verdicts)} of {len(result.verdicts)}"
    if result.failed_points:
        yield f"{result.failed_points} simulations failed; see the failures tables, and run again to retry them"
    yield from result.remarks
    pages = [name for name in ("report", "datasheet") if (result.directory / f"{name}.html").exists()]
    for name in pages:
        yield f"{name:<40} {result.directory / name}.html"
    if not pages:
        yield f"{'run directory':<40} {result.directory}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
