"""When a batch is given up, with a pool that simulates nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from simulator_decks import divider, everything

from cosim.simulator import Outcome, Point, Reason, SimulationError, Store, stream
from cosim.simulator.batch import MOST_FAILURES, MOST_KNOWN_AHEAD
from cosim.simulator.errors import HopelessBatchError


class Failing:
    """A pool in which every point fails but those that are named."""

    version = "none"

    def __init__(self, *good: int) -> None:
        self.good, self.taken = good, 0

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        for k, point in enumerate(points):
            self.taken += 1
            good = k in self.good
            error = None if good else SimulationError(Reason.UNKNOWN_MODEL, f"point {k}: unknown model")
            yield Outcome(point, {"a": 1.0} if good else None, error, index=k)


def points(count: int) -> list[Point]:
    return [Point({"k": k}, divider(), everything) for k in range(count)]


def test_a_batch_in_which_nothing_succeeds_is_given_up() -> None:
    """Each failure costs a process: 100 000 of them would take five hours."""
    pool, told = Failing(), list[Outcome]()
    with pytest.raises(
        HopelessBatchError, match=rf"the first {MOST_FAILURES} .*unknown_model {MOST_FAILURES}.*said: point 0: unknown model"
    ):
        told.extend(stream(points(1000), None, pool))
    assert pool.taken == MOST_FAILURES


@pytest.mark.parametrize("good", [0, 20, MOST_FAILURES - 1])
def test_one_success_and_it_goes_on_to_the_end(good: int) -> None:
    pool = Failing(good)
    outcomes = list(stream(points(300), None, pool))
    assert len(outcomes) == 300 and [k for k, one in enumerate(outcomes) if one.row] == [good]


class Working(Failing):
    """A pool in which every point succeeds."""

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        for k, point in enumerate(points):
            self.taken += 1
            yield Outcome(point, {"a": 2.0}, None, index=k)


class Knowing(Store):
    """A store that knows every point but those that are named."""

    def __init__(self, *unknown: int) -> None:
        self.unknown, self.kept = [str(k) for k in unknown], list[str]()

    def key(self, point: Point, simulator: str) -> str:
        return str(point.condition["k"])

    def get(self, key: str) -> dict[str, Any] | None:
        return None if key in self.unknown else {"a": 1.0}

    def put(self, key: str, outcome: Outcome) -> None:
        self.kept.append(key)


@pytest.mark.parametrize("unknown", [[], [0], [MOST_KNOWN_AHEAD + 7, 4 * MOST_KNOWN_AHEAD - 1]])
def test_points_that_are_known_are_told_before_all_are_made(unknown: list[int]) -> None:
    """A sweep that knew its 22 000 points held 52 MB of them before it told the first."""
    made, count, pool, store = 0, 4 * MOST_KNOWN_AHEAD, Working(), Knowing(*unknown)

    def making() -> Iterator[Point]:
        nonlocal made
        for point in points(count):
            made += 1
            yield point

    ahead, outcomes = [], list[Outcome]()
    for outcome in stream(making(), store, pool):
        outcomes.append(outcome)
        ahead.append(made - len(outcomes))
    assert max(ahead) <= MOST_KNOWN_AHEAD + 1 and pool.taken == len(unknown)
    assert sorted(one.index for one in outcomes) == list(range(count))
    assert [one.index for one in outcomes if not one.cached] == unknown and store.kept == list(map(str, unknown))
    assert all(one.index == one.point.condition["k"] for one in outcomes)
