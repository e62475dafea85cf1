"""Circuits that were measured: their parameters from the rows of a sweep, and the extremes over many of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.bench.results import Measured
from cosim.datasheet.parameters import all_parameters, parameters_of
from cosim.design import Design
from cosim.design.condition import Condition, PointCondition
from cosim.sweep.run import Swept


@dataclass(frozen=True)
class Circuit:
    """One circuit: its mode, its condition as it was simulated, and its parameters (NaN where there is none)."""

    mode: str
    condition: Condition
    values: Mapping[str, float]


def by_condition(result: Swept) -> dict[Condition, dict[str, list[Measured]]]:
    """What was measured, by what the circuit was at and then by measurement."""
    found: dict[Condition, dict[str, list[Measured]]] = {}
    for name, measured in result.measured.items():
        for one in measured:
            found.setdefault(PointCondition.of(one.point.condition).circuit, {}).setdefault(name, []).append(one)
    return found


def circuits_of(mode: str, result: Swept, design: Design) -> list[Circuit]:
    """The parameters of every condition (and seed) of a sweep."""
    measured = by_condition(result)
    designs = {nominal: nominal.applied(design) for nominal in {condition.nominal for condition in measured}}
    return [Circuit(mode, condition, parameters_of(mine, designs[condition.nominal])) for condition, mine in measured.items()]


@dataclass(frozen=True)
class Extremes:
    """One parameter in one mode: what it is at the design's own condition, its least and largest value, and where they are.

    `worst` is the condition farthest from typical, by ratio for a parameter that is spread over factors.
    """

    mode: str
    parameter: str
    typical: float
    least: float
    largest: float
    least_at: Condition
    largest_at: Condition
    worst: Condition
    circuits: int


def extremes(circuits: Sequence[Circuit], nominal: Circuit) -> Iterator[Extremes]:
    """One line a mode and parameter, over the circuits that have it."""
    for mode in dict.fromkeys(circuit.mode for circuit in circuits):
        for name, parameter in all_parameters().items():
            here = [one for one in circuits if one.mode == mode and np.isfinite(one.values[name])]
            if not here:
                continue
            values = np.array([one.values[name] for one in here])
            typical = nominal.values[name]
            logarithmic = parameter.scale == "log" and np.all(values > 0) and typical > 0
            distance = np.abs(np.log(values / typical) if logarithmic else values - typical)
            low, high, worst = int(values.argmin()), int(values.argmax()), int(np.nan_to_num(distance).argmax())
            yield Extremes(
                mode, name, typical, float(values[low]), float(values[high]), here[low].condition, here[high].condition,
                here[worst].condition, len(here),
            )  # fmt: skip
