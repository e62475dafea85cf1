"""How errors end a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

from cosim.errors import CosimError

INTERRUPTED = 130
GOES_ON = "; the same command goes on from here"


@contextlib.contextmanager
def clear_errors(resume: str = "") -> Iterator[None]:
    """An error that the user can set right is one line on standard error and its exit code; anything else is a bug.

    `resume` is what an interrupted user is told beside that.
    """
    from cosim.pipeline.packages import one_line_errors

    try:
        with one_line_errors():
            yield
    except CosimError as error:
        typer.echo(f"cosim: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        typer.echo(f"\ncosim: interrupted{resume}", err=True)
        raise typer.Exit(INTERRUPTED) from None
