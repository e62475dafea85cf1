"""Files that a user, a crash or an attacker may leave in the place of those that cosim reads, and the commands that read them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

from benchmarks.figure import Figure
from training.hardware import HardwareModel
from training.hardware.model import REFERENCE_FILE

ROOT = Path(__file__).parents[2]
DESIGNS, CASES = ROOT / "designs", ROOT / "tests/data/cases"
REFERENCE = DESIGNS / "iris_5_5_5.toml"
TABLE_DESIGN = """name = "own_table"
[network]
dataset = "table"
layers = [2, 3]
[network.table]
file = "table.csv"
label = "kind"
"""
CELL_DESIGN = """name = "own_cell"
[synapse]
kind = "netlist"
file = "cell.spice"
subcircuit = "c"
pins = { membrane = "MEM", spike = "SP", spike_bar = "SPB", bias_n = "NB", bias_p = "PB", supply = "VDD", ground = "VSS" }
bias_n_v = [0.20, 0.30]
bias_p_v = [1.60, 1.50]
"""
LIBRARY_DESIGN = 'name = "own_library"\n[process]\nlibrary = "own.lib"\nsections = { tt = "TT" }\n'

Damage = Callable[[Path], object]


def _sparse(path: Path) -> None:
    """8 GiB that take no room."""
    path.touch()
    os.truncate(path, 8 << 30)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _deep_json(path: Path) -> None:
    path.write_text("[" * 200_000 + "]" * 200_000)


def _deep_toml(path: Path) -> None:
    path.write_text("a = " + "[" * 50_000 + "]" * 50_000)


def _cut(path: Path) -> None:
    """As a copy that was interrupted."""
    path.write_bytes(_sound(path)[:-200])


def _without_head(path: Path) -> None:
    path.write_bytes(_sound(path)[3:])


def _sound(path: Path) -> bytes:
    """A file of this kind with nothing wrong in it."""
    if path.suffix == ".parquet":
        table = pa.table({"width": [0.1, 0.4, 0.2] * 40, "length": [1.0, 2.0, 3.0] * 40, "kind": ["a", "b", "a"] * 40})
        pq.write_table(table, path)
    elif path.suffix == ".safetensors":
        save_file({f"layers.{k}.weight": torch.ones(5, 5) for k in range(2)}, path)
    else:
        HardwareModel.reference().save(path)
    return path.read_bytes()


DAMAGES: dict[str, Damage] = {
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "link to itself": _loop,
    "larger than any": _sparse,
    "empty": lambda path: path.touch(),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "NUL in the text": lambda path: path.write_bytes(b"a = 1\n\0\n"),
    "not UTF-8": lambda path: path.write_bytes(b'name = "\xff\xfe"\n'),
    "deep brackets": _deep_json,
    "deep TOML": _deep_toml,
    "a list": lambda path: path.write_text("[1, 2]\n"),
    "cut short": _cut,
    "its first bytes lost": _without_head,
}  # fmt: skip


OF_A_SOUND_FILE = ("cut short", "its first bytes lost")
"""Damages that take one of ours."""


@dataclass(frozen=True)
class Place:
    """A command that reads a file: its words, `@` for the folder; files that lie beside it; damages that do no harm there."""

    words: str
    beside: Mapping[str, Path | str] = field(default_factory=dict)
    harmless: tuple[str, ...] = OF_A_SOUND_FILE


_A_RUN = {"run/.lock": ""}
_NOT_READ = tuple(name for name in DAMAGES if name not in ("folder", "device", "pipe", "link to itself"))
_FIT = f"--design {REFERENCE} --out @/fit --hardware"
_TWO_RUNS = {f"{run}/{name}.json": "{}" for run in "ab" for name in ("metrics", "hardware")}
PLACES = {
    "design.toml": Place("run @/design.toml --out @/run"),
    "swept.toml": Place("sweep @/swept.toml --out @/run"),
    "study.toml": Place("study @/study.toml --out @/run"),
    "hardware.json": Place(f"train {REFERENCE} --hardware @/hardware.json --out @/run", harmless=()),
    "weights.safetensors": Place(f"map {REFERENCE} --weights @/weights.safetensors --out @/run", harmless=()),
    "table.csv": Place("run @/d.toml --out @/run", {"d.toml": TABLE_DESIGN}),
    "table.parquet": Place("run @/d.toml --out @/run", {"d.toml": TABLE_DESIGN.replace("csv", "parquet")}, ()),
    "cell.spice": Place("run @/d.toml --out @/run", {"d.toml": CELL_DESIGN}),
    "own.lib": Place("characterize @/d.toml --out @/run --jobs 1", {"d.toml": LIBRARY_DESIGN}),
    "measured.csv": Place(f"fit @/measured.csv {_FIT} {REFERENCE_FILE}"),
    "fit.json": Place(f"fit {CASES}/iv_plain/measured.csv {_FIT} @/fit.json", harmless=()),
    "run/design.toml": Place(f"run {REFERENCE} --out @/run", _A_RUN, ("missing", *OF_A_SOUND_FILE)),
    "run/provenance.json": Place(f"run {REFERENCE} --out @/run", _A_RUN, ("missing", *OF_A_SOUND_FILE)),
    "run/.lock": Place(f"run {REFERENCE} --out @/run", {"run/design.toml": REFERENCE}, _NOT_READ),
    "a/metrics.json": Place("diff @/a @/b", {"b/metrics.json": "{}", "a/.lock": ""}),
    "a/limits.json": Place("diff @/a @/b", _TWO_RUNS, ("missing", *OF_A_SOUND_FILE)),
    "a/digests.json": Place("diff @/a @/b", _TWO_RUNS, ("missing", *OF_A_SOUND_FILE)),
    "b/hardware.json": Place("diff @/a @/b", {"a/metrics.json": "{}", "a/hardware.json": "{}", "b/metrics.json": "{}"}),
}


def attacks() -> Iterator[tuple[str, str]]:
    """Every damage in every place, but where it does no harm there."""
    for file, place in PLACES.items():
        yield from ((file, damage) for damage in DAMAGES if damage not in place.harmless)


def prepared(folder: Path, file: str, damage: str) -> list[str]:
    """Put the damaged file where the command will read it; the words of the command."""
    place = PLACES[file]
    for name, content in place.beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content.read_text() if isinstance(content, Path) else content)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    DAMAGES[damage](folder / file)
    return place.words.replace("@", str(folder)).split()


def figures(quick: bool) -> Iterator[Figure]:
    """Every attack; every tenth if `quick`."""
    from benchmarks.trust import folders

    every = 10 if quick else 1
    unclear = [f"{file}: {damage}" for file, damage in list(attacks())[::every] if not _is_clear(file, damage)]
    names, here = list(folders.ATTACKS)[::every], len(list(attacks())[::every])
    done = {name: ended for name in names if (ended := folders.tried(name)) is not None}
    unclear += [name for name, ended in done.items() if not ended.clear]
    skipped = f"; no disk could be mounted for {len(names) - len(done)} more" if len(done) < len(names) else ""
    how = f"{len(DAMAGES)} damages in {len(PLACES)} places, where they harm; {len(done)} of rights, disks and folders{skipped}"
    yield Figure("trust.file_attacks", here + len(done), "", "at least 190", how)
    clear = "; ".join(unclear)[:200] or "one line, exit code 2 or 3"
    yield Figure("trust.file_attacks_clear", here + len(done) - len(unclear), "", "all", clear)


def _is_clear(file: str, damage: str) -> bool:
    """Whether the command ends in one line."""
    from typer.testing import CliRunner

    from cosim.cli.main import app

    with tempfile.TemporaryDirectory() as folder:
        result = CliRunner().invoke(app, prepared(Path(folder), file, damage))
    return result.exit_code in (2, 3) and len(result.stderr.strip().splitlines()) == 1
