"""Sweeps as data: conditions (corner, temperature, supply, any design parameter, Monte Carlo seed), products and subsets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from cosim.design.design import Design, explain
from cosim.design.sections import Sweep
from cosim.errors import InputError
from sky130_models.corners import Corner

OWN_FIELDS = ("corner", "temperature_c", "supply_v", "seed")
_PATH = re.compile(r"[a-z]\w*(?:\.[a-z]\w*)+")

Value = float | str


@dataclass(frozen=True, order=True)
class Condition:
    """One condition. `seed` draws a die (process and mismatch); None is the nominal device.

    `parameters` are fields of the design by their path ("synapse.nmos.length_um") and what they are instead; a field of several
    numbers is written FIRST:SECOND ("synapse.nmos_bias_v=0.45:0.7"). As text:
    `corner=ss,temperature_c=125.0,supply_v=1.62,synapse.nmos.length_um=0.5,seed=17`.
    """

    corner: Corner
    temperature_c: float
    supply_v: float
    parameters: tuple[tuple[str, Value], ...] = ()
    seed: int | None = None

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.as_dict().items() if value is not None)

    def as_dict(self) -> dict[str, Value | None]:
        """Name to value, the seed last; None where there is no seed."""
        own: dict[str, Value | None] = {
            "corner": str(self.corner),
            "temperature_c": self.temperature_c,
            "supply_v": self.supply_v,
        }
        return {**own, **dict(self.parameters), "seed": self.seed}

    @property
    def nominal(self) -> Condition:
        """The same without a seed."""
        return replace(self, seed=None)

    def applied(self, design: Design) -> Design:
        """The design at this condition. Raises `InputError` for a parameter it does not have, or a value that it refuses."""
        content = design.model_dump()
        process = {"corner": self.corner, "temperature_c": self.temperature_c, "supply_v": self.supply_v}
        content["process"].update(process)
        for path, value in self.parameters:
            _put(content, path, value)
        try:
            return Design.model_validate(content)
        except ValidationError as error:
            raise InputError(f"condition {self}: {explain(error)}") from None


def of_design(design: Design) -> Condition:
    """The condition that a design is at."""
    process = design.process
    return Condition(process.corner, process.temperature_c, process.supply_v)


def parse(text: str, design: Design) -> tuple[Condition, tuple[tuple[str, str], ...]]:
    """The condition that a text names, and what else it asks of a point (sign, code, ...).

    What it leaves out is as in the design. Raises `InputError`.
    """
    condition, parameters, of_point = of_design(design), dict[str, Value](), list[tuple[str, str]]()
    for part in filter(None, re.split(r"[,\s]+", text.strip())):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise InputError(f"condition {text!r}: {part!r} is not NAME=VALUE, such as corner=ss")
        if name in OWN_FIELDS:
            condition = replace(condition, **{name: _own_value(name, value)})
        elif _PATH.fullmatch(name):
            parameters[name] = _value(value)
        else:
            of_point.append((name, value))
    return replace(condition, parameters=tuple(sorted(parameters.items()))), tuple(of_point)


def product(sweep: Sweep, design: Design) -> list[Condition]:
    """All combinations, the seeds innermost, because dies of one condition share a circuit; what is not swept is the design's."""
    own = of_design(design)
    names = sorted(sweep.parameters)
    grid = itertools.product(
        sweep.corners or (own.corner,),
        sweep.temperatures_c or (own.temperature_c,),
        sweep.supplies_v or (own.supply_v,),
        itertools.product(*(sweep.parameters[name] for name in names)),
        seeds(sweep.seeds) or (None,),
    )
    return [
        Condition(Corner(corner), float(temperature), float(supply), tuple(zip(names, values, strict=True)), seed)
        for corner, temperature, supply, values, seed in grid
    ]


def seeds(text: str | int) -> Sequence[int]:
    """`200` is 0 to 199; `100:200` from 100 to 199; `7` alone is written `7:8`; empty is none. Raises `InputError`."""
    match = re.fullmatch(r"\s*(?:(\d+)\s*:)?\s*(\d+)?\s*", str(text))
    if match is None:
        raise InputError(f"seeds: {text!r} is neither a number of dies nor FIRST:END, such as 0:200")
    first, end = int(match[1] or 0), int(match[2] or 0)
    if match[1] and end <= first:
        raise InputError(f"seeds: {text!r} is empty; the end is not included: 0:200 is 0 to 199")
    return range(first, end)


def grouped(conditions: Sequence[Condition]) -> Iterator[tuple[Condition, list[int | None]]]:
    """Conditions that differ in their seed only: one circuit each."""
    for nominal, group in itertools.groupby(conditions, key=lambda condition: condition.nominal):
        yield nominal, [condition.seed for condition in group]


def _own_value(name: str, text: str) -> Any:
    try:
        return {"corner": Corner, "seed": int}.get(name, float)(text)
    except ValueError:
        right = ", ".join(Corner) if name == "corner" else "a number"
        raise InputError(f"condition: {name}: must be {right}, not {text!r}") from None


def _value(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text


def _put(content: dict[str, Any], path: str, value: Value) -> None:
    *sections, field = path.split(".")
    place: Any = content
    for section in sections:
        place = place.get(section) if isinstance(place, Mapping) else None
    if not isinstance(place, dict) or field not in place:
        raise InputError(f"condition: {path}: the design has no such field; see docs/design.md")
    if isinstance(place[field], tuple) and isinstance(value, str):
        place[field] = tuple(_value(part) for part in value.split(":"))
    else:
        place[field] = int(value) if isinstance(place[field], int) and isinstance(value, float) and value.is_integer() else value
