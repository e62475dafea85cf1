"""What came of a batch of points, asked for by the point: nobody counts positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from cosim.simulator import Outcome, Point, Row


@dataclass(frozen=True)
class Measured:
    """A point that worked, what was read off its waveforms, and the CPU time that took (s)."""

    point: Point
    row: Row
    cpu_s: float = 0.0

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Raises the error of an outcome that has no row."""
        if outcome.row is None:
            raise outcome.error or LookupError(f"{outcome.point.deck.title}: no result")
        return cls(outcome.point, outcome.row, outcome.cpu_s)


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

    def known(self, point: Point) -> Row | None:
        """The same, None also for a point that was not in the batch."""
        outcome = self._outcomes.get(point)
        return None if outcome is None else outcome.row

    @property
    def alive(self) -> list[Measured]:
        """Points that worked, in the order of the batch."""
        return [Measured.of(outcome) for outcome in self._outcomes.values() if outcome.row is not None]

    @property
    def failed(self) -> list[Outcome]:
        """Points that failed, with their errors."""
        return [outcome for outcome in self._outcomes.values() if outcome.row is None]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes.values())
