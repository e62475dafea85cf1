"""Limits of a design against the metrics of a run: pass or fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosim.design.sections import Limit


@dataclass(frozen=True)
class Verdict:
    """One limit and what the run has to say to it; `value` is None where the run lacks the metric, which is a fail."""

    name: str
    value: float | None
    min: float | None
    typ: float | None
    max: float | None
    passed: bool


def judge(limits: Mapping[str, Limit], metrics: Mapping[str, float]) -> list[Verdict]:
    """One verdict a limit. Bounds are inclusive; zero is a bound like any other."""
    return [_verdict(name, limit, metrics.get(name)) for name, limit in limits.items()]


def _verdict(name: str, limit: Limit, value: float | None) -> Verdict:
    passed = value is not None and (limit.min is None or value >= limit.min) and (limit.max is None or value <= limit.max)
    return Verdict(name, value, limit.min, limit.typ, limit.max, passed)
