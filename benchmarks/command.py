"""What the commands of benchmarks have in common: what they ask of a run directory, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from cosim.cli.errors import GOES_ON, INTERRUPTED
from cosim.errors import CosimError, InputError
from cosim.pipeline.packages import one_line_errors


def exit_code(work: Callable[[], None]) -> int:
    """What a command that does `work` exits with: 0, or the code of what a user can set right or stopped, told in one line."""
    try:
        with one_line_errors():
            work()
    except CosimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write(f"\ninterrupted{GOES_ON}\n")
        return INTERRUPTED
    return 0


def check_has(run: Path, *names: str, made_by: str) -> None:
    """Raises `InputError` where a run directory lacks one of these files; `made_by`: the command that makes them."""
    for name in names:
        if not (run / name).is_file():
            raise InputError(f"{run}: has no {name}; make one with: {made_by}")
