"""The errors a user can meet, and the exit code of each."""

from __future__ import annotations


class CosimError(Exception):
    """Base of the errors that end a command with one clear line."""

    exit_code = 1


class InputRemark(UserWarning):
    """What was left out of a user's file, or read otherwise than it stands there; one line, told once."""


class InputError(CosimError):
    """Bad input: file, field, what is wrong, what would be right."""

    exit_code = 2
