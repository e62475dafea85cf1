"""Limits of a design against the metrics of a run: pass or fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosim.design.sections import Limit
from reports.baseline import is_of_baseline


@dataclass(frozen=True)
class Verdict:
    """One limit and what the run has to say to it; `value` is None where the run lacks the metric, which is a fail."""

    name: str
    value: float | None
    min: float | None
    typ: float | None
    max: float | None
    passed: bool


def judge(limits: Mapping[str, Limit], metrics: Mapping[str, float], *, baseline: bool = True) -> list[Verdict]:
    """One verdict a limit; none for what only a run with a conventional mapping has where it has none (no `baseline`).

    Bounds are inclusive; zero is a bound like any other.
    """
    judged = {name: limit for name, limit in limits.items() if baseline or not is_of_baseline(name)}
    return [_verdict(name, limit, metrics.get(name)) for name, limit in judged.items()]


def _verdict(name: str, limit: Limit, value: float | None) -> Verdict:
    passed = value is not None and (limit.min is None or value >= limit.min) and (limit.max is None or value <= limit.max)
    return Verdict(name, value, limit.min, limit.typ, limit.max, passed)
