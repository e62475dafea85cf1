"""Rows of simulations that failed: what, why, the command that tries them again. The same columns wherever they are listed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design.condition import text

if TYPE_CHECKING:
    from cosim.simulator import Outcome


def sweep_command(design_file: Path | str, measurement: str, only: str, folder: Path | str) -> str:
    """The shell command that simulates one point of a design again; `only` as `cosim.design.condition.text` writes it."""
    words = ["cosim", "sweep", str(design_file), "--measure", measurement, "--only", only, "--out", str(folder)]
    return shlex.join(words)


def failure_row(outcome: Outcome, rerun: str, corner: str | None = None) -> dict[str, Any]:
    """A failed simulation as a row of a table.

    Args:
        rerun: the shell command that simulates it again.
        corner: of its models, where its condition does not name it.
    """
    error, condition = outcome.error, outcome.point.condition
    assert error is not None
    return {
        "condition": text(condition), "corner": condition.get("corner", corner), "seed": outcome.point.deck.seed,
        "reason": str(error.reason), "message": str(error), "rerun": rerun, "log": error.log, "deck": error.deck,
    }  # fmt: skip
