"""What the work of a stage is handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.runs.directory import RunDirectory
from cosim.runs.effort import Effort

if TYPE_CHECKING:
    from cosim.design import Design
    from cosim.runs.progress import Monitor


@dataclass
class Workspace:
    """The design as it is run, the run directory, and how to work. A stage counts what it cost in `effort`."""

    design: Design
    run: RunDirectory
    monitor: Monitor
    jobs: int = 1
    pdf: bool = True
    scheduler: str = ""
    command: str = ""
    """What the run was asked for with; the same again tries what failed."""
    design_file: Path = Path()
    """For the commands that simulate a row of a table again."""
    brought: tuple[str, ...] = ()
    """Names, in the run directory, of the files from elsewhere that this run brings along."""
    points: Path | None = None
    """The file of simulated points, where runs share one; the run directory's own where None."""
    effort: Effort = field(default_factory=Effort)

    @property
    def points_file(self) -> Path:
        """Where simulated points are kept."""
        return self.points or self.run / "points.sqlite"

    def is_given(self, name: str) -> bool:
        """Whether the run directory has, or is about to get, this file in the place of a stage's result."""
        return name in self.brought or (self.run / name).exists()
