"""A few points of a sweep again, at a tenth of the relative tolerance: how much each number moves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.simulator import Outcome, Point, Pool, Store, stream

if TYPE_CHECKING:
    from cosim.runs.progress import Monitor

TIGHTER = 10.0
"""An accuracy check repeats points at this much less relative tolerance."""


class Spread:
    """So many outcomes of each measurement, evenly over a sweep whose length nobody knows before it ends.

    The same ones in whatever order they come: of each stretch of places the first, and when there are twice too many stretches,
    each is joined with its neighbour.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: dict[str, dict[int, Outcome]] = {}
        self._stretch: dict[str, int] = {}

    def offer(self, measurement: str, outcome: Outcome) -> None:
        """An outcome of a measurement, with its place in the sweep."""
        if not self._count:
            return
        kept, stretch = self._kept.setdefault(measurement, {}), self._stretch.setdefault(measurement, 1)
        _keep(kept, outcome, stretch)
        while len(kept) > 2 * self._count:
            stretch *= 2
            outcomes, kept = kept.values(), {}
            for one in outcomes:
                _keep(kept, one, stretch)
        self._kept[measurement], self._stretch[measurement] = kept, stretch

    def chosen(self) -> list[Outcome]:
        """Those to be repeated, each measurement's in the order of their places."""
        found = []
        for name in sorted(self._kept):
            kept = [outcome for _, outcome in sorted(self._kept[name].items())]
            places = np.linspace(0, len(kept) - 1, self._count).round().astype(int)
            found += [kept[place] for place in np.unique(places)]
        return found


def _keep(kept: dict[int, Outcome], outcome: Outcome, stretch: int) -> None:
    """In its stretch of places, unless an earlier one is there."""
    number = outcome.index // stretch
    if number not in kept or outcome.index < kept[number].index:
        kept[number] = outcome


def accuracy(before: Sequence[Outcome], store: Store, pool: Pool, monitor: Monitor) -> list[dict[str, Any]]:
    """Rows: measurement, column, points, worst_relative_difference."""
    monitor.expect(len(before))
    changes: dict[tuple[str, str], list[float]] = {}
    again = []
    for outcome in stream([_tightened(one.point) for one in before], store, pool):
        monitor.outcome(outcome)
        again.append(outcome)
    for outcome in sorted(again, key=lambda one: one.index):
        tight = outcome.row or {}
        for column, value in (before[outcome.index].row or {}).items():
            if isinstance(value, float) and np.isfinite(value) and np.isfinite(tight.get(column, np.nan)):
                change = abs(value - tight[column]) / max(abs(tight[column]), 1e-300)
                changes.setdefault((str(outcome.point.condition["measurement"]), column), []).append(change)
    return [
        {"measurement": name, "column": column, "points": len(found), "worst_relative_difference": max(found)}
        for (name, column), found in changes.items()
    ]


def _tightened(point: Point) -> Point:
    return dataclasses.replace(point, deck=point.deck.with_reltol(point.deck.options.reltol / TIGHTER))
