"""How errors end a command."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import typer

from cosim.errors import CosimError, InputRemark

INTERRUPTED = 130
GOES_ON = "; the same command goes on from here"


@contextlib.contextmanager
def clear_errors(resume: str = "") -> Iterator[None]:
    """An error that the user can set right is one line on standard error and its exit code; anything else is a bug.

    `resume` is what an interrupted user is told beside that.
    """
    from cosim.pipeline.packages import one_line_errors

    try:
        with one_line_errors(), _told_remarks():
            yield
    except CosimError as error:
        typer.echo(f"cosim: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        typer.echo(f"\ncosim: interrupted{resume}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def _told_remarks() -> Iterator[None]:
    """Each remark on what a user gave is one line on standard error, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("once", InputRemark)
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, InputRemark):
                typer.echo(f"cosim: {message}", err=True)
            else:
                show(message, category, *place, **more)

        warnings.showwarning = tell
        yield
