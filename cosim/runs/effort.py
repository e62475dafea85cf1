"""What a piece of work cost beyond this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Effort:
    """What a stage cost beyond this process: simulated points, and the wall and CPU time they took.

    `operating_point_fallbacks` are points in which ngspice found no operating point at first and went on from a pseudo-transient:
    they were solved again, or failed.
    """

    points: int = 0
    cached_points: int = 0
    failed_points: int = 0
    operating_point_fallbacks: int = 0
    simulate_s: float = 0.0
    simulate_cpu_s: float = 0.0
    solver_options: set[str] = field(default_factory=set)

    def __iadd__(self, other: Effort) -> Effort:
        self.points += other.points
        self.cached_points += other.cached_points
        self.failed_points += other.failed_points
        self.operating_point_fallbacks += other.operating_point_fallbacks
        self.simulate_s += other.simulate_s
        self.simulate_cpu_s += other.simulate_cpu_s
        self.solver_options |= other.solver_options
        return self

    def record(self) -> dict[str, Any]:
        """For provenance.json."""
        numbers = {name: round(value, 3) for name, value in vars(self).items() if name != "solver_options"}
        return {**numbers, "solver_options": sorted(self.solver_options)}
