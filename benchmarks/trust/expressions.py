"""Expressions at random, on the fast path and as ngspice evaluates them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.truth.fast_plain import TIMEOUT_S, of_expressions
from cosim.simulator import WorkerPool


def figures(quick: bool) -> Iterator[Figure]:
    """2000 expressions; a twentieth of them if `quick`."""
    with WorkerPool(jobs=2, timeout_s=TIMEOUT_S) as pool:
        yield of_expressions("trust.expressions_wrong", 20 if quick else 1, pool)
