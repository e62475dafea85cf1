"""Run one benchmark: a table for people, flat names and numbers for machines."""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import sys
from collections.abc import Iterator
from io import StringIO
from types import ModuleType

from rich.console import Console
from rich.table import Table

from benchmarks.figure import RESULTS, Figure, machine
from cosim.errors import CosimError

BENCHMARKS = {
    "engine": "thousands of small simulations, against plain PySpice and ngspice -b",
    "characterize": "corners and dies of the cells, what a rerun costs, how good the extracted models are",
    "truth": "whether the numbers are true: a second simulator, fast against plain, users' files, what must be refused",
    "trust": "deliberate attacks: wrong files, flipped bits, hostile cells, what leaks from deck to deck",
    "fidelity": "model against circuit, from runs that are there, and columns against the network as one circuit",
    "layout": "the 5-5-5 and arrays drawn, held to the rules and against their netlists, with seeded faults",
    "dies": "mismatch dies before and after their calibration, dies of the model and boards, from rows that are stored",
    "history": "what an image leaves behind for the next one, by the length of the reset between them",
    "columns": "a column of 64 synapses that follows from those of 5 and 16, against the same column characterised",
    "structures": "weights that fit the hardware: accuracy and bits of every structure, encoder and decoder",
    "search": "designs found by a search, against a grid that is evaluated whole",
    "prune": "a library of two transistors for plain ngspice, against the whole one",
    "study_jobs": "rows per hour of a study, one network trained at a time against two",
    "operations": "a training step of the published network: operations, bytes and waits, counted on meta tensors",
    "device": "on a GPU: kernels against the CPU, a layer against the published method, steps and evaluation of the CNN",
    "layer": "one layer of neurons, forward and backward, against the published method and an ODE solver",
}

IN_PARTS = ("layout", "truth", "trust")
"""Packages whose `PARTS` can be measured one by one: `trust.leaks`."""


def main() -> None:
    benchmarks = BENCHMARKS | _parts()
    lines = "\n".join(f"  {name:{max(map(len, benchmarks))}}  {what}" for name, what in sorted(benchmarks.items()))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure, and compare with what a user would pick otherwise.\n\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=sorted(benchmarks), metavar="NAME")
    parser.add_argument("--json", action="store_true", help="one object of flat names and numbers on standard output")
    parser.add_argument("--save", action="store_true", help="also write benchmarks/results/NAME.csv")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: for trying the benchmark itself out")
    arguments = parser.parse_args()
    # Only the chosen one is imported: each brings its own heavy packages.
    module = importlib.import_module(f"benchmarks.{arguments.name}")
    whole = importlib.import_module(f"benchmarks.{arguments.name.partition('.')[0]}")
    environment = dict(machine(getattr(module, "PACKAGES", whole.PACKAGES)))
    try:
        figures = list(_heard(_measured(module, arguments.quick), Console(stderr=True)))
    except CosimError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    if arguments.save:
        if any(figure.is_stored for figure in figures):
            sys.stderr.write(
                f"benchmarks {arguments.name}: some figures were not measured now but stored before; save part by part\n"
            )
            sys.exit(2)
        _save(arguments.name, figures, environment)
    if arguments.json:
        json.dump({figure.name: figure.value for figure in figures}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _show(arguments.name, figures, environment)


def _parts() -> dict[str, str]:
    """The parts of benchmarks that have some, and what each is about."""
    parts = {name: importlib.import_module(f"benchmarks.{name}").PARTS for name in IN_PARTS}
    return {f"{name}.{part}": f"of this {what}" for name, of_this in parts.items() for part, what in of_this.items()}


def _measured(module: ModuleType, quick: bool) -> Iterator[Figure]:
    """The figures of a benchmark; of a package in parts those of every part."""
    if not hasattr(module, "PARTS"):
        yield from module.figures(quick=quick)
        return
    for part in module.PARTS:
        yield from importlib.import_module(f"{module.__name__}.{part}").figures(quick=quick)


def _heard(figures: Iterator[Figure], console: Console) -> Iterator[Figure]:
    """Say each figure as soon as it is measured: a benchmark takes minutes."""
    for figure in figures:
        console.print(f"{figure.name} = {figure.value:.5g} {figure.unit}", highlight=False)
        yield figure


def _save(name: str, figures: list[Figure], environment: dict[str, str]) -> None:
    """A small table with the command and the machine above it."""
    lines = StringIO()
    lines.write(f"# python -m benchmarks {name} --save; {', '.join(f'{key} {value}' for key, value in environment.items())}\n")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["figure", "measured", "unit", "target", "how"])
    writer.writerows([one.name, f"{one.value:.5g}", one.unit, one.target, one.detail] for one in figures)
    (RESULTS / f"{name}.csv").write_text(lines.getvalue(), encoding="utf-8")


def _show(name: str, figures: list[Figure], environment: dict[str, str]) -> None:
    table = Table(title=f"benchmark {name}", caption=", ".join(f"{key} {value}" for key, value in environment.items()))
    for column in ("figure", "measured", "unit", "target", "how"):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:.5g}", figure.unit, figure.target, figure.detail)
    Console().print(table)


if __name__ == "__main__":
    main()
