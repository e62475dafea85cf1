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
    """So many outcomes of each measurement, evenly over a sweep whose length nobody knows before it ends."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: dict[str, list[Outcome]] = {}
        self._seen: dict[str, int] = {}
        self._every: dict[str, int] = {}

    def offer(self, measurement: str, outcome: Outcome) -> None:
        """The next outcome of a measurement. Every so many is kept; twice as many are skipped when there are twice too many."""
        seen, every = self._seen.get(measurement, 0), self._every.setdefault(measurement, 1)
        self._seen[measurement] = seen + 1
        if not self._count or seen % every:
            return
        kept = self._kept.setdefault(measurement, [])
        kept.append(outcome)
        if len(kept) > 2 * self._count:
            self._kept[measurement] = kept[::2]
            self._every[measurement] = 2 * every

    def chosen(self) -> list[Outcome]:
        """Those to be repeated."""
        places = {name: np.linspace(0, len(kept) - 1, self._count).round().astype(int) for name, kept in self._kept.items()}
        return [self._kept[name][place] for name, found in places.items() for place in np.unique(found)]


def accuracy(before: Sequence[Outcome], store: Store, pool: Pool, monitor: Monitor) -> list[dict[str, Any]]:
    """Rows: measurement, column, points, worst_relative_difference."""
    monitor.expect(len(before))
    changes: dict[tuple[str, str], list[float]] = {}
    for outcome in stream([_tightened(one.point) for one in before], store, pool):
        monitor.outcome(outcome)
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
