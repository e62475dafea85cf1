"""The parameters of a datasheet, as the measurements of the catalogue declare them, and their values from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter

from cosim.bench.results import Measured
from cosim.characterize.catalogue import MEASUREMENTS, NAN, NEURON, SYNAPSE, Measurement, Parameter
from cosim.characterize.named_weights import GROUPS
from cosim.design import Design
from netlists.synapse import SIGNS

ORDER = (*(GROUPS[sign] for sign in SIGNS), SYNAPSE, NEURON)
"""Of the groups on a datasheet; any other comes after them."""


@cache
def all_parameters() -> dict[str, Parameter]:
    """By name, in the order of a datasheet."""
    declared = [one for made in sorted(MEASUREMENTS.values(), key=lambda made: made.place) for one in made.parameters]
    groups = dict.fromkeys((*ORDER, *(one.group for one in declared)))
    return {one.name: one for group in groups for one in declared if one.group == group}


def measured_names() -> tuple[str, ...]:
    """Measurements that a datasheet reads something off."""
    return tuple(name for name, made in MEASUREMENTS.items() if made.parameters)


def no_values() -> dict[str, float]:
    """NaN for every parameter."""
    return dict.fromkeys(all_parameters(), NAN)


def parameters_of(measured: Mapping[str, Sequence[Measured]], design: Design) -> dict[str, float]:
    """The parameters of one circuit at one condition from its measurements; NaN for what could not be measured."""
    found = no_values()
    for made in _in_order():
        found.update(made.read(measured.get(made.name, ()), design, found))
    return found


@cache
def _in_order() -> tuple[Measurement, ...]:
    """Measurements that give parameters, each after those whose parameters it needs."""
    needed = {name: {all_parameters()[need].measurement for need in MEASUREMENTS[name].needs} for name in measured_names()}
    return tuple(MEASUREMENTS[name] for name in TopologicalSorter(needed).static_order())
