"""A second simulator, which judges ngspice: the same decks through VACASK, a program of its own with its own device equations."""

from __future__ import annotations

from cosim.judge.vacask import EXTRA, Vacask

__all__ = ["EXTRA", "Vacask", "second_judge"]


def second_judge(name: str, jobs: int = 1, timeout_s: float = 300.0) -> Vacask | None:
    """The judge that `validation.judge` names; None for "none". Raises `InputError` where it is not installed."""
    return Vacask(jobs, timeout_s) if name == "vacask" else None
