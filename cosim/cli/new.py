"""`cosim new` and `cosim schema`: a first design, and what an editor completes it by."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.errors import clear_errors
from cosim.cli.options import AsJson, path_option, takes
from cosim.cli.say import say
from cosim.errors import InputError

if TYPE_CHECKING:
    from cosim.design.new import NewDesign


@dataclass(frozen=True)
class NewOptions:
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the design; NAME.toml is written.")]
    data: Annotated[str, typer.Option("--data", metavar="DATA", help="iris, wine, or a table of yours (CSV, Parquet).")] = ""
    process: Annotated[str, typer.Option("--process", metavar="NAME", help="sky130 or gf180 (`cosim cells`).")] = ""
    synapse: Annotated[str, typer.Option("--synapse", metavar="KIND", help="Its synapse, as `cosim cells` lists them.")] = ""
    label: Annotated[
        str, typer.Option("--label", metavar="COLUMN", help="Class in your table; its last column unless given.")
    ] = ""
    folder: Annotated[Path, path_option("--folder", metavar="DIR", help="Where to write.")] = Path()
    as_json: AsJson = False


@takes(NewOptions)
def new(options: NewOptions) -> None:
    """Write a commented design that runs. On a terminal it asks what is not given: for which data, in which process.

    Example: cosim new mine --data flowers.csv --process sky130
    """
    with clear_errors():
        from cosim.design.new import SCHEMA_FILE, write_new

        file = write_new(_asked(options), options.folder)
        schema = options.folder / SCHEMA_FILE
        if not schema.exists():
            _write_schema(schema)
    lines = [
        f"{file}: edit it, then",
        f"  cosim run {file} --samples 3 --out runs/first",
        f"{schema}: what an editor completes it by",
    ]
    say(options.as_json, {"design": str(file), "schema": str(schema)}, lines)


def _asked(options: NewOptions) -> NewDesign:
    """What is given, and on a terminal the answers to what is not."""
    from cosim.design.new import SETS, NewDesign
    from netlists.process import PROCESSES

    defaults = NewDesign(options.name)
    asks = sys.stdin.isatty() and not options.as_json
    questions = (
        ("data", f"Data: {', '.join(SETS)}, or a table of yours (CSV)"),
        ("process", f"Process: {', '.join(sorted(PROCESSES))}"),
    )
    answers = {key: getattr(options, key) for key in ("data", "process", "synapse", "label")}
    for key, question in questions:
        if asks and not answers[key]:
            answers[key] = typer.prompt(question, default=getattr(defaults, key), err=True)
    return NewDesign(options.name, **{key: answer or getattr(defaults, key) for key, answer in answers.items()})


def schema(
    out: Annotated[Path | None, path_option("--out", metavar="FILE", help="Write it there; printed unless given.")] = None,
) -> None:
    """Print the JSON schema of the design file, by which editors complete, explain and check it (docs/standalone.md).

    Example: cosim schema --out design.schema.json
    """
    with clear_errors():
        from cosim.design.schema import text

        if out is None:
            typer.echo(text(), nl=False)
        else:
            _write_schema(out)


def _write_schema(file: Path) -> None:
    from cosim.design.schema import text
    from training.files import why, write_whole

    try:
        write_whole(file, text().encode())
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {why(error)}; give a file in a folder of yours") from error
