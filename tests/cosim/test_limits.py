"""Limits: inclusive, zero counts, a missing metric fails."""

from __future__ import annotations

import pytest

from cosim.design.sections import Limit
from cosim.runs.limits import judge


@pytest.mark.parametrize(
    ("limit", "value", "passed"),
    [
        (Limit(max=2.0), 2.0, True),
        (Limit(max=2.0), 2.0000001, False),
        (Limit(min=0.0), 0.0, True),
        (Limit(min=0.0), -1e-30, False),
        (Limit(max=0.0), 1e-30, False),
        (Limit(min=1.0, max=2.0), 1.5, True),
        (Limit(min=1.0, max=2.0), 0.5, False),
        (Limit(max=2.0), None, False),
        (Limit(max=2.0), float("nan"), False),
    ],
)
def test_verdict(limit: Limit, value: float | None, passed: bool) -> None:
    metrics = {} if value is None else {"a.b": value}
    [verdict] = judge({"a.b": limit}, metrics)
    assert verdict.passed is passed
    assert verdict.name == "a.b"
