"""Many points at once: what the store knows comes from there, the rest from the workers."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from cosim.simulator.errors import HopelessBatchError
from cosim.simulator.points import Outcome, Point
from cosim.simulator.store import Store
from cosim.simulator.workers import WorkerPool

MOST_FAILURES = 50
"""So many failures, and no success, and a batch is given up: a failure costs a process, a hundred times what a success costs."""

MOST_KNOWN_AHEAD = 1000
"""So many points that the store knows, and they are told before another is made: what is resumed may know a million."""


class Pool(Protocol):
    """What makes outcomes of points: ngspice in processes of this machine (`WorkerPool`) or of a cluster, or another program."""

    @property
    def version(self) -> str:
        """What the points are simulated with. Raises `SimulationError` if there is none."""
        ...

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        """Outcomes as they end, in any order; `index` is the point's place. Points are taken as they can be worked on."""
        ...


def simulate(
    points: Iterable[Point],
    store: Store | None = None,
    jobs: int = 2,
    timeout_s: float = 300.0,
    on_outcome: Callable[[Outcome], None] | None = None,
    pool: Pool | None = None,
) -> list[Outcome]:
    """Outcomes in the order of the points. See `stream`."""
    outcomes: dict[int, Outcome] = {}
    with contextlib.nullcontext(pool) if pool else WorkerPool(jobs=jobs, timeout_s=timeout_s) as workers:
        for outcome in stream(points, store, workers):
            outcomes[outcome.index] = outcome
            if on_outcome:
                on_outcome(outcome)
    return [outcomes[index] for index in sorted(outcomes)]


def stream(points: Iterable[Point], store: Store | None, pool: Pool) -> Iterator[Outcome]:
    """Outcomes as they end, in any order; `index` is the point's place.

    Points are made while others are simulated, so the first result of a long sweep is there at once. Each outcome goes to the
    store before it is told, so an interrupted batch resumes where it stopped; failures are stored too, and tried again the next
    time. Raises `SimulationError` only if no simulation can run at all; the error of one point is in its outcome. Raises
    `HopelessBatchError` where `MOST_FAILURES` points have failed and none has succeeded: what is wrong is wrong with all.
    """
    known: deque[Outcome] = deque()
    opened: dict[int, tuple[int, str]] = {}
    failures: list[Outcome] = []
    hopeful = False
    fresh = enumerate(points)
    for first in fresh:
        for outcome in pool.map(_unknown(itertools.chain([first], fresh), store, pool, known, opened)):
            good = bool(known) or outcome.error is None
            yield from _drained(known)
            index, key = opened.pop(outcome.index)
            if store is not None:
                store.put(key, outcome)
            yield dataclasses.replace(outcome, index=index)
            if good:
                failures, hopeful = [], True
            elif not hopeful:
                failures.append(outcome)
                _stop_where_hopeless(failures)
        hopeful = hopeful or bool(known)
        yield from _drained(known)


def _stop_where_hopeless(failures: Sequence[Outcome]) -> None:
    if len(failures) >= MOST_FAILURES:
        reasons = Counter(str(outcome.error.reason) for outcome in failures if outcome.error)
        counts = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        raise HopelessBatchError(
            f"the first {len(failures)} simulations failed ({counts}), none succeeded; the others are not tried. The first said: "
            f"{failures[0].error}"
        )


def _unknown(
    points: Iterable[tuple[int, Point]],
    store: Store | None,
    pool: Pool,
    known: deque[Outcome],
    opened: dict[int, tuple[int, str]],
) -> Iterator[Point]:
    """The points that the store does not know, with place and key in `opened`; the others go to `known`, till there are many."""
    sent = itertools.count()
    for index, point in points:
        key = ""
        if store is not None:
            key = store.key(point, pool.version)
            if (row := store.get(key)) is not None:
                known.append(Outcome(point=point, row=row, error=None, cached=True, index=index))
                if len(known) >= MOST_KNOWN_AHEAD:
                    return
                continue
        opened[next(sent)] = (index, key)
        yield point


def _drained(outcomes: deque[Outcome]) -> Iterator[Outcome]:
    while outcomes:
        yield outcomes.popleft()
