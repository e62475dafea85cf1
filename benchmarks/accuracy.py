"""Test accuracies beside the published ones: `python -m benchmarks.accuracy ROW... --data FOLDER [--device cuda]`.

A row is one network on one data set, over its seeds; each training adds a line to benchmarks/results/accuracy.csv, and the same
command goes on where it was stopped. Epochs and |E| are chosen on 5000 held-out training images (`--held-out`), gains on training
images; what counts is the last epoch, and the mean over the seeds. `--again LINE` trains a line of the table anew and says
whether it comes out as it stands there.
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console

from benchmarks.accuracy_rows import ROWS, Row
from benchmarks.figure import processor
from cosim.networks.study.attempt import Failure, Work
from cosim.networks.study.attempt import Row as Trained
from cosim.networks.study.outcomes import outcomes
from reports.figures.study import accuracy_over, write_pictures
from training.errors import TrainingError
from training.study.plan import StudyError
from training.study.runs import Run, runs_of
from training.study.table import GrowingTable
from training.trainer import Epoch

TABLE = Path(__file__).parent / "results" / "accuracy.csv"
COLUMNS = (
    "dataset", "network", "solver", "steps", "e_rev", "noise", "seed", "epochs", "method", "test_accuracy", "train_seconds",
    "device", "chip", "command",
)  # fmt: skip
ADDED = ("chip",)
"""Columns that older tables lack."""

HELD_OUT, QUICK_SAMPLES, TEST_SAMPLES = 5000, 64, 10_000


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 1 a line that does not come out again, 2 bad input, 3 a training failed."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if bool(arguments.rows) == (arguments.again is not None):
        parser.error("give the ROWs to train, or --again LINE")
    console = Console(stderr=True)
    try:
        if arguments.again is not None:
            return 0 if _comes_out_again(arguments.again, arguments, console) else 1
        failures = 0
        for name in arguments.rows:
            for run, outcome in _run(name, arguments, console):
                console.print(f"{name}: {_came_of(run, outcome)}", highlight=False, soft_wrap=True)
                failures += isinstance(outcome, Failure)
            if arguments.draw:
                _draw(name, arguments)
    except TrainingError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 2
    return 3 if failures else 0


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:24} {row.what}; {row.target}" for name, row in ROWS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=f"{__doc__.partition(chr(10))[0] if __doc__ else ''}\n\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", type=_row_name, metavar="ROW")
    parser.add_argument("--data", type=Path, help="folder of the official files; downloaded where not given")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--jobs", type=int, default=1, help="networks trained at a time, each in a process of its own")
    parser.add_argument("--threads", type=int, default=1, help="of the processor, for each network")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("runs/accuracy"), help="an interrupted training goes on from there"
    )
    parser.add_argument("--small-checkpoints", action="store_true", help="in files of at most 15 MiB, to be carried elsewhere")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    parser.add_argument("--held-out", action="store_true", help="accuracy on 5000 held-out training images; adds no line")
    parser.add_argument(
        "--draw", type=Path, metavar="FOLDER", help="also draw the lines of a row over |E|, as ROW.png and ROW.svg"
    )
    parser.add_argument("--again", type=int, metavar="LINE", help="train this line of the table anew; the first has number 2")
    parser.add_argument("--quick", action="store_true", help="an epoch of 64 images, to try a row out; adds no line")
    return parser


def _row_name(word: str) -> str:
    if word not in ROWS:
        raise argparse.ArgumentTypeError(f"{word!r} is no row; known are {', '.join(sorted(ROWS))}")
    return word


def _run(name: str, arguments: argparse.Namespace, console: Console) -> Iterator[tuple[Run, Trained | Failure]]:
    """Every run of a row that is not in the table yet, and what came of it."""
    row = _quick(ROWS[name]) if arguments.quick else ROWS[name]
    command, table = _command(name, arguments.device), _table(arguments)
    counted = not (arguments.held_out or arguments.quick)
    runs = [run for run in runs_of(row.study) if arguments.seed in (None, run.seed)]
    missing = [run for run in runs if not (counted and _known(run, command, table))]
    folder = arguments.checkpoints / (name + "-held-out" * arguments.held_out + "-quick" * arguments.quick)
    work = _work(arguments, folder)
    for run, outcome in outcomes(missing, work, arguments.jobs, lambda run, epoch: _say(console, run, epoch)):
        if counted and isinstance(outcome, Trained):
            table.append({**outcome.values, "chip": _chip(arguments.device), "command": command})
        yield run, outcome


def _work(arguments: argparse.Namespace, folder: Path) -> Work:
    held_out = HELD_OUT if arguments.held_out else 0
    return Work(arguments.data, folder, arguments.device, held_out, arguments.threads, arguments.small_checkpoints)


def _came_of(run: Run, outcome: Trained | Failure) -> str:
    if isinstance(outcome, Failure):
        return f"{run.title}: failed: {outcome.reason}"
    return f"seed {run.seed}, |E| {run.target_name}, {run.method}: {outcome.values['test_accuracy']:.4f}"


def _comes_out_again(number: int, arguments: argparse.Namespace, console: Console) -> bool:
    """Whether a line of the table, trained anew from its first epoch, has the accuracy that stands there, within its error.

    That of two accuracies on as many test images, twice the standard deviation: on the same kind of chip the same seed gives the
    very same number, on another one roundings part and leave another draw of the same network.
    """
    rows = _table(arguments).rows()
    if not 2 <= number < len(rows) + 2:
        raise StudyError(f"{arguments.table}: has lines 2 .. {len(rows) + 1}, and no line {number}")
    line = rows[number - 2]
    run = _run_of(line, arguments.table, number)
    device = line["device"]
    with tempfile.TemporaryDirectory() as folder:
        work = replace(_work(arguments, Path(folder)), device=device)
        ((_, outcome),) = outcomes([run], work, 1, lambda run, epoch: _say(console, run, epoch))
    if isinstance(outcome, Failure):
        raise StudyError(f"{run.title}: failed: {outcome.reason}")
    before, after = float(line["test_accuracy"]), float(str(outcome.values["test_accuracy"]))
    error = 2 * math.sqrt(2 * before * (1 - before) / TEST_SAMPLES)
    same = abs(after - before) <= error
    console.print(
        f"line {number}: {before:.4f} on {line['chip'] or 'an unnamed chip'}, again {after:.4f} on {_chip(device)}: "
        f"{'within' if same else 'not within'} {error:.4f}", highlight=False, soft_wrap=True,
    )  # fmt: skip
    return same


def _run_of(line: Mapping[str, str], table: Path, number: int) -> Run:
    """The run that a line of the table is of. Raises `StudyError` where today's rows have none such."""
    name = shlex.split(line["command"])[3]
    for run in runs_of(ROWS[name].study) if name in ROWS else ():
        if _own(run, line["command"]).items() <= line.items():
            return run
    raise StudyError(f"{table}: line {number}: is of no row that there still is")


def _table(arguments: argparse.Namespace) -> GrowingTable:
    return GrowingTable(arguments.table, COLUMNS, ADDED)


def _chip(device: str) -> str:
    """What computed: the GPU's name or the processor's."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else processor()


def _command(name: str, device: str) -> str:
    """What stands in the table beside the lines of a row."""
    return shlex.join(["python", "-m", "benchmarks.accuracy", name, "--device", device])


def _draw(name: str, arguments: argparse.Namespace) -> None:
    """Accuracy of every method over |E|, from the lines that the table has of a row."""
    command = _command(name, arguments.device)
    lines = [line for line in _table(arguments).rows() if line["command"] == command]
    if not lines:
        raise StudyError(f"{arguments.table}: holds no line of {command!r}, so there is nothing to draw")
    arguments.draw.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(lines).astype({"e_rev": float, "test_accuracy": float})
    write_pictures(arguments.draw, name, accuracy_over("e_rev"), table)


def _known(run: Run, command: str, table: GrowingTable) -> bool:
    own = _own(run, command)
    return any(own.items() <= row.items() for row in table.rows())


def _own(run: Run, command: str) -> dict[str, str]:
    """The cells of a line by which it is known which run it is of."""
    return {
        "command": command, "method": str(run.method), "seed": str(run.seed), "e_rev": run.target_name,
        "noise": f"{run.noise:.6g}", "steps": str(run.steps or ""), "epochs": str(run.study.recipe.epochs),
    }  # fmt: skip


def _quick(row: Row) -> Row:
    recipe = row.study.recipe.model_copy(update={"epochs": 1})
    seeds = row.study.seeds[:1]
    study = row.study.model_copy(update={"recipe": recipe, "train_samples": QUICK_SAMPLES, "seeds": seeds})
    return Row(row.what, row.target, study)


def _say(console: Console, run: Run, epoch: Epoch) -> None:
    accuracy = f"training accuracy {epoch.train_accuracy:.4f}"
    line = f"{run.title}: epoch {epoch.epoch}, loss {epoch.loss:.4f}, {accuracy}, {epoch.seconds:.0f} s"
    console.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
