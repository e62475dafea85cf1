"""Many points at once: what the store knows comes from there, the rest from the workers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable

from cosim.simulator.points import Outcome, Point
from cosim.simulator.store import Store
from cosim.simulator.workers import WorkerPool, ngspice_version


def simulate(
    points: Iterable[Point],
    store: Store | None = None,
    jobs: int = 2,
    timeout_s: float = 300.0,
    on_outcome: Callable[[Outcome], None] | None = None,
    pool: WorkerPool | None = None,
) -> list[Outcome]:
    """Outcomes in the order of the points.

    Each outcome is in the store before the next is waited for, so an interrupted batch resumes where it stopped; failures are
    stored too, and tried again the next time. `on_outcome` hears of every outcome as it ends. With `pool` its running workers are
    used (`jobs` and `timeout_s` are then its own), which saves their start when many small batches follow each other.
    Raises `SimulationError` only if no simulation can run at all; the error of one point is in its outcome.
    """
    points = list(points)
    outcomes: dict[int, Outcome] = {}

    def settle(outcome: Outcome) -> None:
        outcomes[outcome.index] = outcome
        if on_outcome:
            on_outcome(outcome)

    keys = _keys(points, store)
    for index, point in enumerate(points):
        if store is not None and (row := store.get(keys[index])) is not None:
            settle(Outcome(point=point, row=row, error=None, cached=True, index=index))
    open_indices = [index for index in range(len(points)) if index not in outcomes]
    with contextlib.nullcontext(pool) if pool else WorkerPool(jobs=jobs, timeout_s=timeout_s) as workers:
        for outcome in workers.map([points[index] for index in open_indices]):
            index = open_indices[outcome.index]
            if store is not None:
                store.put(keys[index], outcome)
            settle(dataclasses.replace(outcome, index=index))
    return [outcomes[index] for index in range(len(points))]


def _keys(points: list[Point], store: Store | None) -> list[str]:
    if store is None or not points:
        return []
    version = ngspice_version()
    return [store.key(point, version) for point in points]
