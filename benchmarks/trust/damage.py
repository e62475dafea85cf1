"""One bit flipped in what a later command reads: noticed, without any effect, or another number in silence."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.figure import Figure
from cosim.errors import CosimError
from cosim.simulator import Outcome, Point, Store
from cosim.simulator.deck import Deck, OperatingPoint
from cosim.simulator.waveforms import Waveforms
from netlists.models import cache
from training.errors import TrainingError
from training.hardware import HardwareModel

FLIPS = 100
_ROWS = 20
_DESIGN = Path(__file__).parents[2] / "designs/iris_5_5_5.toml"

Lies = Callable[[Path, Random], bool]
"""Whether a flip of a bit, in an empty folder of its own, gives another result without a word."""


def figures(quick: bool) -> Iterator[Figure]:
    """So many flips in each place; a tenth of them if `quick`."""
    count, random, silent = FLIPS // (10 if quick else 1), Random(14), dict[str, int]()
    for place in PLACES:
        with tempfile.TemporaryDirectory() as folder:
            silent[place] = lies_of(place, Path(folder), count, random)
    flips = count * len(silent)
    detail = ", ".join(f"{place}: {wrong} of {count} in silence" for place, wrong in silent.items())
    yield Figure("trust.bit_flips", flips, "", "at least 400", "one bit each, anywhere in the file")
    yield Figure("trust.bit_flips_noticed", flips - sum(silent.values()), "", "all", f"or without any effect; {detail}")


def lies_of(place: str, folder: Path, count: int, random: Random) -> int:
    """How many of so many flips gave something else in silence."""
    (folder / "shared").mkdir()
    lies = PLACES[place](folder / "shared")
    return sum(lies(_fresh(folder / "flipped"), random) for _ in range(count))


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def flip(path: Path, random: Random) -> None:
    """One bit of a file."""
    content, bit = bytearray(path.read_bytes()), random.randrange(8 * path.stat().st_size)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def store_lies(folder: Path, random: Random) -> bool:
    """Whether a result comes back that was never stored."""
    path = folder / "points.sqlite"
    point = Point({}, Deck("t", "r1 a 0 1", "", OperatingPoint(), ("v(a)",)), Waveforms.last)
    with Store(path) as store:
        for k in range(_ROWS):
            store.put(str(k), Outcome(point=point, row={"value": k + 0.5}, error=None))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    flip(path, random)
    try:
        with Store(path) as store:
            return any(row not in (None, {"value": k + 0.5}) for k, row in enumerate(map(store.get, map(str, range(_ROWS)))))
    except CosimError:
        return False


def cache_lies(folder: Path, random: Random) -> bool:
    """Whether a model text comes back that was never made."""
    before = os.environ.get("COSIM_CACHE")
    os.environ["COSIM_CACHE"] = str(folder)
    try:
        library = folder / "library.lib"
        library.write_text(".model n nmos vto=0.4\n")
        text = ".model n nmos vto=0.4\n" * 20
        cache.text(library, "tt", "n", lambda: (text, [library]))
        flip(random.choice(sorted((folder / "models").iterdir())), random)
        return cache.text(library, "tt", "n", lambda: (text, [library])) != text
    finally:
        os.environ.pop("COSIM_CACHE") if before is None else os.environ.update(COSIM_CACHE=before)


def model_lies(folder: Path, random: Random) -> bool:
    """Whether a hardware model is read that is another one."""
    model = HardwareModel.reference()
    model.save(folder / "hardware.json")
    flip(folder / "hardware.json", random)
    try:
        return HardwareModel.load(folder / "hardware.json") != model
    except TrainingError:
        return False


def weights_lie(folder: Path, random: Random) -> bool:
    """Whether other weights are read than were saved, or another description of them."""
    from training.storage import load_description, load_weights, save_networks

    saved, read = _network(1), _network(2)
    description = {"history": [0.5, 1 / 3], "spread": 0.1}
    save_networks(folder / "network.safetensors", {"ode": saved}, description)
    flip(random.choice(sorted(folder.iterdir())), random)
    try:
        found = load_description(folder / "network.safetensors")
        load_weights(folder / "network.safetensors", "ode", read)
    except TrainingError:
        return False
    return not _same(saved, read) or any(found.get(name) != value for name, value in description.items())


def given_weights_lie(folder: Path, random: Random) -> bool:
    """Whether a run directory that was given weights trains, maps and validates others."""
    import torch

    from cosim.design import load_design
    from cosim.networks.given_weights import keep_weights, read_weights
    from training.tensors import write_tensors

    network = load_design(_DESIGN).network
    brought = {f"layers.{k}.weight": torch.rand(5, 5) for k in range(2)}
    write_tensors(folder / "mine.safetensors", brought)
    keep_weights(folder / "mine.safetensors", network, folder)
    (kept,) = {*folder.iterdir()} - {folder / "mine.safetensors"}
    flip(kept, random)
    try:
        found = read_weights(kept, network)
    except (CosimError, TrainingError):
        return False
    return any(not torch.equal(one, other) for one, other in zip(found, brought.values(), strict=True))


def _network(seed: int) -> Any:
    import torch

    from training.hardware import NormalisedModel
    from training.models import fully_connected

    network = fully_connected(5, 3, NormalisedModel.constant(3.3, -3.3), hidden=[4])
    network.reset_parameters(torch.Generator().manual_seed(seed))
    return network


def _same(one: Any, other: Any) -> bool:
    import torch

    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


class Checkpoints:
    """A training of a few epochs that is interrupted half way, and goes on from a checkpoint in which a bit is flipped."""

    def __init__(self, folder: Path) -> None:
        self._half, whole = folder / "half.safetensors", folder / "whole.safetensors"
        self._trained(2, self._half)
        self._network = self._trained(4, whole)

    def _trained(self, epochs: int, checkpoint: Path) -> Any:
        import torch

        from training.checkpoint import continued
        from training.data import iris
        from training.recipe import Recipe
        from training.trainer import train

        torch.set_num_threads(1)
        network, recipe = _network(1), Recipe(epochs=epochs, schedule="constant")
        continued(lambda: train(network, iris(), recipe, lambda epoch: None, checkpoint), checkpoint)
        return network

    def lie(self, folder: Path, random: Random) -> bool:
        """Whether the training ends with other weights than one that nothing happened to."""
        checkpoint = folder / "half.safetensors"
        shutil.copy(self._half, checkpoint)
        flip(checkpoint, random)
        return not _same(self._trained(4, checkpoint), self._network)


def sweep_lies(folder: Path, random: Random) -> bool:
    """Whether a table of a sweep is read that is another one than the sweep wrote."""
    import pandas as pd

    from cosim.api.project import Project
    from cosim.design import load_design
    from cosim.runs.directory import RunDirectory
    from cosim.sweep.rows import table_of

    row = {"corner": "tt", "temperature_c": 27.0, "supply_v": 1.8, "reltol": 1e-4, "max_step_s": None, "cpu_s": 0.1}
    rows = [{**row, "seed": k, "leakage_a": 1e-15 / (k + 1), "curve": [k + 0.5, 2.0]} for k in range(_ROWS)]
    with RunDirectory(folder).open(load_design(_DESIGN).name) as directory:
        directory.write_table_slices("sweep/leakage.parquet", [table_of(rows[:10]), table_of(rows[10:])])
        directory.seal("sweep/leakage.parquet")
    before = pd.read_parquet(folder / "sweep/leakage.parquet")
    flip(random.choice([folder / "sweep/leakage.parquet"] * 4 + [folder / "digests.json"]), random)
    try:
        return not Project(_DESIGN, out=folder).table("sweep/leakage").equals(before)
    except CosimError:
        return False


class Run:
    """A run directory as far as a training of a few epochs, in which a bit is flipped before it is read and compared."""

    def __init__(self, folder: Path) -> None:
        from cosim.api.functions import diff
        from cosim.api.project import Project
        from training.hardware.model import REFERENCE_FILE

        self._diff, self._run, self._design = diff, folder / "run", folder / "design.toml"
        self._design.write_text(_DESIGN.read_text().replace("epochs = 1000", "epochs = 2"))
        Project(self._design, out=self._run).train(hardware=REFERENCE_FILE)
        self._files = sorted(path.relative_to(self._run) for path in self._run.rglob("*") if path.is_file())
        self._before = self._read(self._run)

    def _read(self, run: Path) -> list[Any]:
        from cosim.api.project import Project

        project = Project(self._design, out=run)
        networks = {name: [one.tolist() for one in net.state_dict().values()] for name, net in project.networks.items()}
        tables = [project.table(name).to_dict() for name in ("training",)]
        return [project.metrics, project.hardware, networks, tables]

    def lies(self, folder: Path, random: Random) -> bool:
        """Whether something else is read than what the training left, or another run is told from it by `diff`."""
        run = folder / "run"
        shutil.copytree(self._run, run)
        flip(run / random.choice([name for name in self._files if (run / name).stat().st_size]), random)
        try:
            found, compared = self._read(run), self._diff(self._run, run)
        except (CosimError, TrainingError):
            return False
        return found != self._before or bool(compared.metrics or compared.hardware or compared.regressions)


def study_lies(folder: Path, random: Random) -> bool:
    """Whether a study takes a row for known that no training gave."""
    from training.study.table import GrowingTable

    rows = [{"run": f"{k:x}" * 12, "accuracy": f"{k / 7:.6g}"} for k in range(_ROWS // 2)]
    table = GrowingTable(folder / "study.csv", ("run", "accuracy"))
    for row in rows:
        table.append(row)
    flip(table.path, random)
    try:
        return any(row not in rows for row in table.rows())
    except TrainingError:
        return False


PLACES: dict[str, Callable[[Path], Lies]] = {
    "store": lambda shared: store_lies, "cache": lambda shared: cache_lies, "hardware model": lambda shared: model_lies,
    "weights": lambda shared: weights_lie, "weights that were given": lambda shared: given_weights_lie,
    "checkpoint": lambda shared: Checkpoints(shared).lie, "table of a sweep": lambda shared: sweep_lies,
    "run directory": lambda shared: Run(shared).lies, "table of a study": lambda shared: study_lies,
}  # fmt: skip
"""What is attacked, by name; in the folder lies what all the attacks on it share."""
