"""What commands are asked for with: a dataclass each, whose fields are the words of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def path_argument(**how: Any) -> Any:
    """An argument that is a path: what is wrong with it is said in one line by whoever reads it, not in three by typer."""
    return typer.Argument(readable=False, **how)


def path_option(name: str, **how: Any) -> Any:
    """The same for an option."""
    return typer.Option(name, readable=False, **how)


DesignFile = Annotated[Path, path_argument(metavar="DESIGN", help="Design file (TOML), e.g. designs/iris_5_5_5.toml.")]
Out = Annotated[Path | None, path_option("--out", metavar="DIR", help="Run directory; runs/NAME OF THE DESIGN unless given.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Simulator processes; one per processor unless given.")]
Scheduler = Annotated[str, typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler to send simulations to.")]
Samples = Annotated[int | None, typer.Option("--samples", help="Test samples to simulate, instead of validation.samples.")]
Dies = Annotated[int | None, typer.Option("--dies", help="Mismatch dies to simulate, instead of validation.mismatch_dies.")]
Judge = Annotated[
    str | None, typer.Option("--judge", metavar="NAME", help="A second simulator (vacask), instead of validation.judge.")
]
Structure = Annotated[
    str | None,
    typer.Option("--structure", metavar="NAME", help="Of the weights, e.g. ternary_8_2, instead of [structure]; or dense."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else to standard output.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Where there is no terminal: a log line every few seconds.")]

SAID = ("as_json", "verbose")
"""How the result is said; the last in every help."""


@dataclass(frozen=True)
class StageOptions:
    """What every command that runs stages is asked for with; all but `SAID` are keywords of `cosim.run`."""

    design: DesignFile
    out: Out = None
    jobs: Jobs = None
    scheduler: Scheduler = ""
    samples: Samples = None
    dies: Dies = None
    judge: Judge = None
    structure: Structure = None
    as_json: AsJson = False
    verbose: Verbose = False

    @property
    def keywords(self) -> dict[str, Any]:
        """What decides the result, by name."""
        return {name: value for name, value in vars(self).items() if name not in SAID}


Options = TypeVar("Options", bound="DataclassInstance")


def takes(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """A command of one argument, as a command whose words are the fields of the dataclass `options`."""

    def decorate(work: Callable[[Options], None]) -> Callable[..., None]:
        def command(**words: Any) -> None:
            work(options(**words))

        hints = get_type_hints(options, include_extras=True)
        ordered = sorted(fields(options), key=lambda field: field.name in SAID)
        parameters = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in ordered
        ]
        command.__name__, command.__doc__ = work.__name__, work.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate
