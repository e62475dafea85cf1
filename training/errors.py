"""Base of what can be wrong with something a user gave to this room. Each message is one line that says what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls a key that a section does not have, and one that a dataclass does not."""


class TrainingError(ValueError):
    """A file, a study or a network that cannot be used."""


def first_problem(error: ValidationError, whole: str) -> str:
    """The first problem of a validation error in one line, field first; `whole` is what a problem of no field is one of."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {what_is_wrong(first)}"


def what_is_wrong(problem: ErrorDetails) -> str:
    """What is wrong with a field and, where that is short, what it was."""
    if problem["type"] in _UNKNOWN:
        return "unknown key"
    given = problem.get("input")
    shown = f", not {given!r}" if isinstance(given, int | float | str) else ""
    return problem["msg"].removeprefix("Value error, ") + shown
