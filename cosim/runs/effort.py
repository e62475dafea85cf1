"""What a piece of work cost beyond this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Effort:
    """What a stage cost beyond this process: simulated points, and the wall and CPU time they took."""

    points: int = 0
    cached_points: int = 0
    failed_points: int = 0
    simulate_s: float = 0.0
    simulate_cpu_s: float = 0.0
    solver_options: set[str] = field(default_factory=set)

    def record(self) -> dict[str, Any]:
        """For provenance.json."""
        numbers = {name: round(value, 3) for name, value in vars(self).items() if name != "solver_options"}
        return {**numbers, "solver_options": sorted(self.solver_options)}
