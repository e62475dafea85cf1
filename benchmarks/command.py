"""How the commands of benchmarks end."""

from __future__ import annotations

import sys
from collections.abc import Callable

from cosim.errors import CosimError
from cosim.pipeline.packages import one_line_errors


def exit_code(work: Callable[[], None]) -> int:
    """What a command that does `work` exits with: 0, or the code of what a user can set right, which is told in one line."""
    try:
        with one_line_errors():
            work()
    except CosimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0
