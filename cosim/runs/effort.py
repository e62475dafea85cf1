"""What a piece of work cost beyond this process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_DIGESTS = 2**256


@dataclass
class Effort:
    """What a stage cost beyond this process: simulated points, and the wall and CPU time they took.

    `operating_point_fallbacks` are points in which ngspice found no operating point at first and went on from a pseudo-transient:
    they were solved again, or failed. `decks` is the sum of the SHA-256 of every deck that was asked for, which says which they
    were in whatever order they came.
    """

    points: int = 0
    cached_points: int = 0
    failed_points: int = 0
    operating_point_fallbacks: int = 0
    simulate_s: float = 0.0
    simulate_cpu_s: float = 0.0
    solver_options: set[str] = field(default_factory=set)
    decks: int = 0

    def count_decks(self, digests: Iterable[str]) -> None:
        """Take down decks by their SHA-256."""
        self.decks = (self.decks + sum(int(digest, 16) for digest in digests)) % _DIGESTS

    def __iadd__(self, other: Effort) -> Effort:
        self.points += other.points
        self.cached_points += other.cached_points
        self.failed_points += other.failed_points
        self.operating_point_fallbacks += other.operating_point_fallbacks
        self.simulate_s += other.simulate_s
        self.simulate_cpu_s += other.simulate_cpu_s
        self.solver_options |= other.solver_options
        self.decks = (self.decks + other.decks) % _DIGESTS
        return self

    def record(self) -> dict[str, Any]:
        """For provenance.json."""
        numbers = {name: round(value, 3) for name, value in vars(self).items() if name not in ("solver_options", "decks")}
        decks = {"decks_sha256": f"{self.decks:064x}"} if self.decks else {}
        return {**numbers, "solver_options": sorted(self.solver_options), **decks}
