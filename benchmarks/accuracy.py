"""Test accuracies beside the published ones: `python -m benchmarks.accuracy ROW... --data FOLDER [--device cuda]`.

A row is one network on one data set, over its seeds; each training adds a line to benchmarks/results/accuracy.csv, and the same
command goes on where it was stopped. Epochs and |E| are chosen on 5000 held-out training images (`--held-out`), gains on training
images; what counts is the last epoch, and the mean over the seeds.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console

from benchmarks.accuracy_rows import ROWS, Row
from reports.figures.study import accuracy_over, write_pictures
from training.data.catalogue import load
from training.data.files import DataFileError
from training.data.spikes import SpikeData, held_out, reduced
from training.study.plan import StudyError
from training.study.runs import Run, perform, runs_of
from training.study.table import GrowingTable
from training.trainer import Epoch

TABLE = Path(__file__).parent / "results" / "accuracy.csv"
COLUMNS = (
    "dataset", "network", "solver", "steps", "e_rev", "noise", "seed", "epochs", "method", "test_accuracy", "train_seconds",
    "device", "command",
)  # fmt: skip
HELD_OUT, QUICK_SAMPLES = 5000, 64


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code, 2 for bad input."""
    arguments = _parser().parse_args(words)
    torch.set_num_threads(arguments.threads)
    console = Console(stderr=True)
    try:
        for name in arguments.rows:
            for row in _run(name, arguments, console):
                console.print(f"{name}: seed {row['seed']}, |E| {row['e_rev']}, {row['method']}: {row['test_accuracy']:.4f}")
            if arguments.draw:
                _draw(name, arguments)
    except (DataFileError, StudyError) as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:24} {row.what}; {row.target}" for name, row in ROWS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=f"{__doc__.partition(chr(10))[0] if __doc__ else ''}\n\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="+", choices=sorted(ROWS), metavar="ROW")
    parser.add_argument("--data", type=Path, help="folder of the official files; downloaded where not given")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("runs/accuracy"), help="an interrupted training goes on from there"
    )
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    parser.add_argument("--held-out", action="store_true", help="accuracy on 5000 held-out training images; adds no line")
    parser.add_argument(
        "--draw", type=Path, metavar="FOLDER", help="also draw the lines of a row over |E|, as ROW.png and ROW.svg"
    )
    parser.add_argument("--quick", action="store_true", help="an epoch of 64 images, to try a row out; adds no line")
    return parser


def _run(name: str, arguments: argparse.Namespace, console: Console) -> Iterator[dict[str, object]]:
    """Every run of a row that is not in the table yet."""
    row = _quick(ROWS[name]) if arguments.quick else ROWS[name]
    command = _command(name, arguments)
    table = GrowingTable(arguments.table, COLUMNS)
    counted = not (arguments.held_out or arguments.quick)
    runs = [run for run in runs_of(row.study) if arguments.seed in (None, run.seed)]
    missing = [run for run in runs if not (counted and _known(run, command, table))]
    data = _data(row, arguments) if missing else None
    for run in missing:
        assert data is not None
        folder = arguments.checkpoints / (name + "-held-out" * arguments.held_out + "-quick" * arguments.quick)
        result = perform(run, data, folder, partial(_say, console, run), arguments.device)
        line = {**{column: result[column] for column in COLUMNS[:-1]}, "command": command}
        if counted:
            table.append(line)
        yield line


def _command(name: str, arguments: argparse.Namespace) -> str:
    """What stands in the table beside the lines of a row."""
    return shlex.join(["python", "-m", "benchmarks.accuracy", name, "--device", arguments.device])


def _draw(name: str, arguments: argparse.Namespace) -> None:
    """Accuracy of every method over |E|, from the lines that the table has of a row."""
    lines = [line for line in GrowingTable(arguments.table, COLUMNS).rows() if line["command"] == _command(name, arguments)]
    if not lines:
        raise StudyError(f"{arguments.table}: holds no line of {_command(name, arguments)!r}, so there is nothing to draw")
    arguments.draw.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(lines).astype({"e_rev": float, "test_accuracy": float})
    write_pictures(arguments.draw, name, accuracy_over("e_rev"), table)


def _known(run: Run, command: str, table: GrowingTable) -> bool:
    own = {
        "command": command, "method": str(run.method), "seed": str(run.seed), "e_rev": run.target_name,
        "noise": f"{run.noise:.6g}", "steps": str(run.steps or ""), "epochs": str(run.study.recipe.epochs),
    }  # fmt: skip
    return any(own.items() <= row.items() for row in table.rows())


def _data(row: Row, arguments: argparse.Namespace) -> SpikeData:
    data = load(row.study.dataset, arguments.data)
    if arguments.held_out:
        data = held_out(data, min(HELD_OUT, len(data.train_labels) // 2))
    samples = row.study.train_samples
    return reduced(data, samples) if samples and samples < len(data.train_labels) else data


def _quick(row: Row) -> Row:
    recipe = row.study.recipe.model_copy(update={"epochs": 1})
    seeds = row.study.seeds[:1]
    study = row.study.model_copy(update={"recipe": recipe, "train_samples": QUICK_SAMPLES, "seeds": seeds})
    return Row(row.what, row.target, study)


def _say(console: Console, run: Run, epoch: Epoch) -> None:
    accuracy = f"training {epoch.train_accuracy:.4f}, test {epoch.test_accuracy:.4f}"
    line = f"{run.title}: epoch {epoch.epoch}, loss {epoch.loss:.4f}, {accuracy}, {epoch.seconds:.0f} s"
    console.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
