"""Sweeps as data: conditions (corner, temperature, supply, bias, any design parameter, Monte Carlo seed), products and subsets.

A condition is an object from the request to the cell of a table. `parse` and `text` stand at the two ends: what a user writes,
and what a table, a log and a command to run again say.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from cosim.design.design import Design, explain
from cosim.errors import InputError

OWN_FIELDS = ("corner", "temperature_c", "supply_v", "discharger_bias_v", "seed")
_PATH = re.compile(r"[a-z]\w*(?:\.[a-z]\w*)+")

Value = float | str | tuple[float, ...]
"""What a field of a design is set to: a number, several of them, or a word."""


@dataclass(frozen=True)
class Condition:
    """What a circuit is at. `seed` draws a die (process and mismatch); None is the nominal device.

    `discharger_bias_v` is what the dischargers are set to, such as characterisation found; None is the middle of the range in
    which it looks (`neuron.discharger_bias_v`). `parameters` are fields of the design by their path ("synapse.nmos.length_um")
    and what they are instead, in the order of their names. As text:
    `corner=ss,temperature_c=125.0,supply_v=1.62,discharger_bias_v=0.56,synapse.nmos_bias_v=0.45:0.7,seed=17`.
    """

    corner: str
    temperature_c: float
    supply_v: float
    parameters: tuple[tuple[str, Value], ...] = ()
    seed: int | None = None
    discharger_bias_v: float | None = None

    def __str__(self) -> str:
        return text(self.as_dict())

    def as_dict(self) -> dict[str, Value | None]:
        """Name to value, the seed last; None where there is no bias or no seed."""
        own: dict[str, Value | None] = {
            "corner": str(self.corner), "temperature_c": self.temperature_c, "supply_v": self.supply_v,
            "discharger_bias_v": self.discharger_bias_v,
        }  # fmt: skip
        return {**own, **dict(self.parameters), "seed": self.seed}

    def with_parameters(self, fields: Mapping[str, Value]) -> Condition:
        """The condition with these fields of the design beside its own."""
        return replace(self, parameters=tuple(sorted({**dict(self.parameters), **fields}.items())))

    def at_bias(self, discharger_bias_v: float) -> Condition:
        """The condition with the dischargers at a bias, to a microvolt."""
        return replace(self, discharger_bias_v=round(discharger_bias_v, 6))

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


@dataclass(frozen=True, eq=False)
class PointCondition(Mapping[str, Any]):
    """Which point of a sweep: what the circuit is at, what is measured, and where (sign, code, ...: the measurement's own names).

    As a mapping it is what a row of a table says of its point.
    """

    measurement: str
    circuit: Condition
    own: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Measurement, circuit and place by name."""
        return {"measurement": self.measurement, **self.circuit.as_dict(), **self.own}

    @classmethod
    def of(cls, condition: Mapping[str, Any]) -> PointCondition:
        """The condition of a point of a sweep, typed. Raises `TypeError` for that of another point."""
        if not isinstance(condition, cls):
            raise TypeError(f"{condition!r} is not the condition of a point of a sweep")
        return condition

    def __getitem__(self, name: str) -> Any:
        return self.as_dict()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())


def text(condition: Mapping[str, object]) -> str:
    """A condition as `name=value` separated by commas, as `parse` and `cosim sweep --only` take it; without what is None."""
    return ",".join(
        f"{name}={written(value)}" for name, value in condition.items() if name != "measurement" and value is not None
    )


def written(value: object) -> object:
    """A value as a table or a command says it: several numbers are FIRST:SECOND."""
    return ":".join(repr(number) for number in value) if isinstance(value, tuple) else value


def of_design(design: Design) -> Condition:
    """The condition that a design is at."""
    process = design.process
    return Condition(process.corner, process.temperature_c, process.supply_v)


def parse(words: str, design: Design) -> tuple[Condition, tuple[tuple[str, Value], ...]]:
    """The condition that a text names, and what else it asks of a point (sign, code, ...).

    What it leaves out is as in the design. Raises `InputError`.
    """
    condition, parameters, of_point = of_design(design), dict[str, Value](), list[tuple[str, Value]]()
    for part in filter(None, re.split(r"[,\s]+", words.strip())):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise InputError(f"condition {words!r}: {part!r} is not NAME=VALUE, such as corner=ss")
        if name in OWN_FIELDS:
            condition = replace(condition, **{name: _own_value(name, value)})
        elif _PATH.fullmatch(name):
            parameters[name] = _value(value)
        else:
            of_point.append((name, _value(value)))
    check_corner(condition.corner, design, "condition: corner")
    return condition.with_parameters(parameters), tuple(of_point)


def product(
    design: Design,
    *,
    corners: Sequence[str] = (),
    temperatures_c: Sequence[float] = (),
    supplies_v: Sequence[float] = (),
    parameters: Mapping[str, Sequence[Value]] = MappingProxyType({}),
    seeds: Sequence[int] = (),
) -> list[Condition]:
    """All combinations, the seeds innermost, because dies of one condition share a circuit; what is not swept is the design's."""
    own = of_design(design)
    names = sorted(parameters)
    grid = itertools.product(
        corners or (own.corner,),
        temperatures_c or (own.temperature_c,),
        supplies_v or (own.supply_v,),
        itertools.product(*([_value(value) for value in parameters[name]] for name in names)),
        seeds or (None,),
    )
    return [
        Condition(str(corner), float(temperature), float(supply), tuple(zip(names, values, strict=True)), seed)
        for corner, temperature, supply, values, seed in grid
    ]


MOST_DIES, LARGEST_SEED = 10_000_000, 2**62
_SEED_DIGITS = 19


def seeds(asked: str | int) -> Sequence[int]:
    """`200` is 0 to 199; `100:200` from 100 to 199; `7` alone is written `7:8`; empty is none. Raises `InputError`."""
    match = re.fullmatch(r"\s*(?:(\d+)\s*:)?\s*(\d+)?\s*", str(asked))
    if match is None:
        raise InputError(f"seeds: {asked!r} is neither a number of dies nor FIRST:END, such as 0:200")
    digits = max(len(match[1] or ""), len(match[2] or ""))
    first, end = (int(match[1] or 0), int(match[2] or 0)) if digits <= _SEED_DIGITS else (0, LARGEST_SEED + 1)
    if end > LARGEST_SEED or end - first > MOST_DIES:
        raise InputError(f"seeds: {str(asked)[:40]!r}: must be at most {MOST_DIES} dies, with seeds below {LARGEST_SEED}")
    if match[1] and end <= first:
        raise InputError(f"seeds: {asked!r} is empty; the end is not included: 0:200 is 0 to 199")
    return range(first, end)


def grouped(conditions: Sequence[Condition]) -> Iterator[tuple[Condition, list[int | None]]]:
    """Conditions that differ in their seed only: one circuit each."""
    for nominal, group in itertools.groupby(conditions, key=lambda condition: condition.nominal):
        yield nominal, [condition.seed for condition in group]


def check_corner(corner: str, design: Design, where: str) -> str:
    """The corner. Raises `InputError` for one that the process of a design does not have."""
    corners = design.technology.corners
    if corner not in corners:
        raise InputError(f"{where}: {corner!r} is none of {', '.join(corners)}")
    return corner


def _own_value(name: str, word: str) -> Any:
    try:
        return {"corner": str, "seed": int}.get(name, float)(word)
    except ValueError:
        raise InputError(f"condition: {name}: must be a number, not {word!r}") from None


def _value(word: Value) -> Value:
    """What a word of a user means: a number, several of them (FIRST:SECOND), or itself."""
    if isinstance(word, tuple):
        return word
    try:
        return tuple(map(float, word.split(":"))) if isinstance(word, str) and ":" in word else float(word)
    except ValueError:
        return str(word)


def _put(content: dict[str, Any], path: str, value: Value) -> None:
    *sections, field = path.split(".")
    place: Any = content
    for section in sections:
        place = place.get(section) if isinstance(place, Mapping) else None
    if not isinstance(place, dict) or field not in place:
        raise InputError(f"condition: {path}: the design has no such field; see docs/design.md")
    place[field] = int(value) if isinstance(place[field], int) and isinstance(value, float) and value.is_integer() else value
