"""What came of a batch of points, asked for by the point: nobody counts positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cosim.simulator import Outcome, Point, Row


class Measured(NamedTuple):
    """A point that worked, and what was read off its waveforms."""

    point: Point
    row: Row


class Results:
    """Outcomes of a batch. `of` gives those of some of its points, `alive` what worked, `failed` the rest."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._outcomes = {outcome.point: outcome for outcome in outcomes}

    def __len__(self) -> int:
        return len(self._outcomes)

    def of(self, points: Iterable[Point]) -> Results:
        """Those of these points, in their order. Raises `KeyError` for a point that was not in the batch."""
        return Results(self._outcomes[point] for point in points)

    def row(self, point: Point) -> Row | None:
        """What was read off the waveforms of a point; None where it failed."""
        return self._outcomes[point].row

    @property
    def alive(self) -> list[Measured]:
        """Points that worked, in the order of the batch."""
        return [Measured(outcome.point, outcome.row) for outcome in self._outcomes.values() if outcome.row is not None]

    @property
    def failed(self) -> list[Outcome]:
        """Points that failed, with their errors."""
        return [outcome for outcome in self._outcomes.values() if outcome.row is None]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes.values())
