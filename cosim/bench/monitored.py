"""A bench that tells a monitor of its points and adds up what they cost."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cosim.bench.bench import Bench
from cosim.bench.results import Results
from cosim.runs.effort import Effort
from cosim.simulator import Outcome, Point

if TYPE_CHECKING:
    from cosim.runs.progress import Monitor


@dataclass
class MonitoredBench(Bench):
    """See `Bench`."""

    monitor: Monitor = field(kw_only=True)
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        self.on_outcome = self._count

    def run(self, points: Iterable[Point]) -> Results:
        points = list(points)
        self.monitor.expect(len(points))
        self.effort.count_decks(point.deck.digest() for point in points)
        self.effort.solver_options |= {" ".join(point.deck.options.cards().split()) for point in points}
        started = time.monotonic()
        try:
            results = super().run(points)
        finally:
            self.effort.simulate_s += time.monotonic() - started
        self.effort.failed_points += len(results.failed)
        return results

    def _count(self, outcome: Outcome) -> None:
        self.effort.points += 1
        self.effort.cached_points += outcome.cached
        self.effort.operating_point_fallbacks += outcome.fallbacks > 0
        self.effort.simulate_cpu_s += 0.0 if outcome.cached else outcome.cpu_s
        self.monitor.outcome(outcome)
