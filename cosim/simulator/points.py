"""A point: one deck, what to make of its waveforms, and what it is called; an outcome: what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cosim.simulator.deck import Deck
from cosim.simulator.errors import SimulationError
from cosim.simulator.waveforms import Waveforms

Row = dict[str, Any]
Extract = Callable[[Waveforms], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Point:
    """One simulation and its extraction. A point is itself: two with the same deck are two points.

    `condition` (JSON-able) says to people which point this is. `extract` is a function of a module, or a functools.partial of
    one; it runs in the worker, so only its small row travels: numbers, strings, lists and float64 arrays by name.
    """

    condition: Mapping[str, Any]
    deck: Deck
    extract: Extract


@dataclass(frozen=True)
class Outcome:
    """Either a row or an error.

    `index` is the point's place in what was given; times in seconds, memory is the worker's peak. `fallbacks`: how many times
    ngspice gave up on an operating point and went on from a pseudo-transient; such a solution is solved again or is a failure.
    `not_flat`: what in the deck only ngspice itself could read, so that it was loaded as it is; empty where it was made flat.
    """

    point: Point
    row: Row | None
    error: SimulationError | None
    cached: bool = False
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_mb: float = 0.0
    index: int = 0
    fallbacks: int = 0
    not_flat: str = ""
