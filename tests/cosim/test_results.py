"""Outcomes of a batch are asked for by their point."""

from __future__ import annotations

import pytest

from cosim.bench.results import Results
from cosim.simulator import Deck, OperatingPoint, Outcome, Point, Reason, SimulationError

DECK = Deck("divider", "v1 a 0 1\nr1 a 0 1k", "", OperatingPoint(), ("v(a)",))


def test_points_of_one_deck_are_told_apart_and_meet_their_own_rows_in_any_order() -> None:
    points = [Point({"k": k}, DECK, dict) for k in range(4)]
    failed = SimulationError(Reason.TIMEOUT, "no answer", DECK.text())
    outcomes = [Outcome(point, {"k": k}, None) for k, point in enumerate(points) if k != 2]
    results = Results([*reversed(outcomes), Outcome(points[2], None, failed)])
    assert [results.row(point) for point in points] == [{"k": 0}, {"k": 1}, None, {"k": 3}]
    some = results.of([points[3], points[2], points[0]])
    assert [(one.point.condition["k"], one.row["k"]) for one in some.alive] == [(3, 3), (0, 0)]
    assert [outcome.error for outcome in some.failed] == [failed] and len(some) == 3
    with pytest.raises(KeyError):
        results.of([Point({"k": 0}, DECK, dict)])
