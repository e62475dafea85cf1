"""From the words of `cosim sweep` to a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.design import Design, load_design
from cosim.design.condition import Condition, Value, parse, product
from cosim.design.sections import Sweep
from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from cosim.runs.given import read_hardware
from cosim.runs.progress import Monitor
from cosim.simulator.pools import open_pool, processors
from sky130_models.corners import Corner

if TYPE_CHECKING:
    from cosim.sweep.run import SweepResult


@dataclass(frozen=True)
class SweepRequest:
    """What the command line asks for, as it was written; an empty text leaves it to the design."""

    design: Path
    measurements: tuple[str, ...] = ()
    corners: str = ""
    temperatures: str = ""
    supplies: str = ""
    seeds: str = ""
    parameters: tuple[str, ...] = ()
    only: str = ""
    plain: bool = False
    check_accuracy: int = 0
    scheduler: str = ""
    out: Path | None = None
    jobs: int | None = None
    command: str = ""


def run_command(request: SweepRequest, monitor: Monitor) -> SweepResult:
    """Do what was asked for. Raises `InputError` with one line."""
    design = load_design(request.design)
    asked = _sweep(request, design.sweep)
    conditions, of_point = _conditions(request, asked, design)
    directory = RunDirectory(request.out or Path("runs") / design.name)
    conditions, remarks = _biased(conditions, design, directory)
    workers = open_pool(request.jobs or processors(), design.accuracy.timeout_s, request.scheduler, at_once=True)
    with monitor, directory.open(design.name), workers as pool:
        # The workers get ready while this imports.
        from cosim.sweep.run import SweepOptions, run_sweep

        options = SweepOptions(request.plain, request.check_accuracy, of_point, request.command, remarks=remarks)
        return run_sweep(design, request.design, asked.measurements, conditions, directory, pool, monitor, options)


def _sweep(request: SweepRequest, own: Sweep) -> Sweep:
    """The design's sweep with what the command line says instead."""
    return Sweep(
        measurements=request.measurements or own.measurements,
        corners=tuple(_corner(word) for word in _words(request.corners)) or own.corners,
        temperatures_c=tuple(_number("--temperatures", word) for word in _words(request.temperatures)) or own.temperatures_c,
        supplies_v=tuple(_number("--supplies", word) for word in _words(request.supplies)) or own.supplies_v,
        parameters={**own.parameters, **dict(_parameter(text) for text in request.parameters)},
        seeds=request.seeds or own.seeds,
    )


def _conditions(request: SweepRequest, asked: Sweep, design: Design) -> tuple[list[Condition], tuple[tuple[str, Value], ...]]:
    if not request.only:
        return product(asked, design), ()
    condition, of_point = parse(request.only, design)
    return [condition], of_point


def _biased(conditions: list[Condition], design: Design, directory: RunDirectory) -> tuple[list[Condition], tuple[str, ...]]:
    """The conditions, at the bias that the run directory's characterisation found where they say nothing of it; and a remark."""
    file = directory / "hardware.json"
    if not file.exists() or not any(map(_is_open, conditions)):
        return conditions, ()
    try:
        bias_v = read_hardware(file, design).neuron.discharger_bias.value
    except InputError as error:  # of another design: it says nothing of this one
        return conditions, (f"dischargers in the middle of neuron.discharger_bias_v: {error}",)
    biased = [one.at_bias(bias_v) if _is_open(one) else one for one in conditions]
    return biased, (f"dischargers at {bias_v:.6g} V, as {file} says",)


def _is_open(condition: Condition) -> bool:
    """Whether a condition leaves it to others what its dischargers are set to."""
    return condition.discharger_bias_v is None and "neuron.discharger_bias_v" not in dict(condition.parameters)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _corner(word: str) -> Corner:
    try:
        return Corner(word)
    except ValueError:
        raise InputError(f"--corners: {word!r} is none of {', '.join(Corner)}") from None


def _number(option: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(f"{option}: {word!r} is not a number") from None


def _parameter(text: str) -> tuple[str, tuple[float | str, ...]]:
    name, equals, values = text.partition("=")
    if not equals or not _words(values):
        raise InputError(f"--set: {text!r} is not FIELD=VALUE,VALUE, such as synapse.nmos.length_um=0.25,0.5")
    return name.strip(), tuple(_number_or_text(word) for word in _words(values))


def _number_or_text(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
