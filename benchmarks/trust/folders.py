"""What a machine does to a command: rights that it lacks, disks that are full, folders and stores that go while it runs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trust.files import CASES, CELL_DESIGN, LIBRARY_DESIGN, REFERENCE, ROOT, TABLE_DESIGN
from training.hardware import HardwareModel
from training.hardware.model import REFERENCE_FILE

Deed = Callable[[Path], object]
"""What is done in the folder of an attack."""

STUDY = """name = "small"
dataset = "iris"
network = "fc"
hidden = [5]
reversal = [2.0]
[recipe]
epochs = 1
"""
_SWEEP = f"sweep {REFERENCE} --measure leakage --jobs 1 --out @/run --seeds"
_TRAIN = f"train {REFERENCE} --hardware {REFERENCE_FILE} --out @/run"
_FIT = f"fit {CASES}/iv_plain/measured.csv --design {REFERENCE} --hardware {REFERENCE_FILE} --out @/run"
_STUDY = "study @/study.toml --out @/run"
_RUN = f"run {REFERENCE} --out @/run"
_WRITING = {"sweep": f"{_SWEEP} 0:20", "train": _TRAIN, "fit": _FIT, "study": _STUDY, "run": _RUN}

_COSIM = (sys.executable, "-P", "-m", "cosim")
PATIENCE_S = 300.0
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24


@dataclass(frozen=True)
class Attack:
    """A command: its words, `@` for the folder; what lies in the folder; what is done while it runs, once its store has rows."""

    words: str
    before: Deed
    during: Deed | None = None
    disk_kb: int = 0
    """Of a disk of its own that the folder is on, if not 0."""
    largest_file_kb: int = 0
    """That the command may write, if not 0."""


@dataclass(frozen=True)
class Ended:
    """How a command did."""

    code: int
    said: str

    @property
    def clear(self) -> bool:
        """Whether it was one true line and an exit code that says so."""
        return self.code in (2, 3) and len(self.said.splitlines()) == 1 and self.said.startswith("cosim: ")


def carry_out(attack: Attack, folder: Path) -> Ended:
    """The command in an empty folder. Raises `PermissionError` where this machine lets nobody mount a disk."""
    with _disk(folder, attack.disk_kb):
        attack.before(folder)
        process = subprocess.Popen(
            [*_COSIM, *attack.words.replace("@", str(folder)).split()], env=_environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: _without_rights(attack.largest_file_kb),  # noqa: PLW1509  (no thread runs here)
        )  # fmt: skip
        try:
            if attack.during is not None:
                _wait_for_rows(folder / "run/points.sqlite", process)
                attack.during(folder)
            said = process.communicate(timeout=PATIENCE_S)[1]
        finally:
            process.kill()
            for path in [folder, *folder.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o700)
        return Ended(process.returncode, said.strip())


def tried(name: str) -> Ended | None:
    """An attack in a folder of its own; None where this machine cannot make it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return carry_out(ATTACKS[name], Path(folder))
        except PermissionError:
            return None


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _without_rights(largest_file_kb: int) -> None:
    """Root reads and writes whatever the rights of a file say, but for a root that gave that up."""
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if largest_file_kb:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_kb << 10,) * 2)


@contextlib.contextmanager
def _disk(folder: Path, size_kb: int) -> Iterator[None]:
    if not size_kb:
        yield
        return
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise PermissionError("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _wait_for_rows(store: Path, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as there:
            if there.execute("SELECT count(*) FROM points").fetchone()[0] > 0:
                return
        time.sleep(0.05)


def _nothing(folder: Path) -> None:
    (folder / "study.toml").write_text(STUDY)


def _full(folder: Path) -> None:
    """Not a byte is left."""
    _nothing(folder)
    with contextlib.suppress(OSError), (folder / "ballast").open("wb") as ballast:
        while True:
            ballast.write(bytes(512))
            ballast.flush()


def _almost_full(left_kb: int) -> Deed:
    def fill(folder: Path) -> None:
        _full(folder)
        os.truncate(folder / "ballast", (folder / "ballast").stat().st_size - (left_kb << 10))

    return fill


def _swept(folder: Path) -> None:
    """All points of a sweep are in the store, and then the disk is full: only its tables are missing."""
    words = f"{_SWEEP} 0:300".replace("@", str(folder)).split()
    subprocess.run(
        [sys.executable, "-P", "-m", "cosim", *words],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    shutil.rmtree(folder / "run/sweep")
    _almost_full(8)(folder)


def _closed(name: str, mode: int, content: str | None = None) -> Deed:
    """A folder, or a file of this content, with these rights."""

    def close(folder: Path) -> None:
        _nothing(folder)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent != folder:
            (path.parent / ".lock").touch()
        if content is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_text(content)
        path.chmod(mode)

    return close


def _beside(design: str, name: str, content: str) -> Deed:
    def close(folder: Path) -> None:
        (folder / "d.toml").write_text(design)
        _closed(name, 0, content)(folder)

    return close


def _linked(name: str) -> Deed:
    """A run directory in which a folder is a link to a user's own."""

    def link(folder: Path) -> None:
        (folder / "precious").mkdir()
        (folder / "precious/mine").write_text("mine")
        (folder / "run").mkdir()
        (folder / "run/.lock").touch()
        (folder / "run" / name).symlink_to(folder / "precious")

    return link


def _removed(folder: Path) -> None:
    shutil.rmtree(folder / "run")


def _renamed(folder: Path) -> None:
    (folder / "run").rename(folder / "elsewhere")


def _replaced(folder: Path) -> None:
    _renamed(folder)
    (folder / "run").mkdir()
    (folder / "run/.lock").write_text("run iris_5_5_5\n")


def _store_removed(folder: Path) -> None:
    for path in (folder / "run").glob("points.sqlite*"):
        path.unlink()


def _store_replaced(folder: Path) -> None:
    _store_removed(folder)
    (folder / "run/points.sqlite").touch()


def _store_a_folder(folder: Path) -> None:
    _store_removed(folder)
    (folder / "run/points.sqlite").mkdir()


def _lock_removed(folder: Path) -> None:
    (folder / "run/.lock").unlink()


def _tables_removed(folder: Path) -> None:
    shutil.rmtree(folder / "run/sweep")


_HARDWARE = HardwareModel.reference().model_dump_json()
ATTACKS: dict[str, Attack] = {
    **{f"{name} into a folder that is read only": Attack(words, _closed("run", 0o500)) for name, words in _WRITING.items()},
    **{f"{name} into a folder that is closed": Attack(words, _closed("run", 0)) for name, words in _WRITING.items()},
    **{
        f"{name} below a folder that is read only": Attack(words.replace("@/run", "@/closed/run"), _closed("closed", 0o500))
        for name, words in _WRITING.items()
    },
    "diff of a closed folder": Attack("diff @/run @/run", _closed("run", 0)),
    "a closed lock": Attack(_RUN, _closed("run/.lock", 0, "")),
    "a closed store": Attack(f"{_SWEEP} 0:20", _closed("run/points.sqlite", 0, "")),
    "a store that is read only": Attack(f"{_SWEEP} 0:20", _closed("run/points.sqlite", 0o400, "")),
    "tables that are read only": Attack(f"{_SWEEP} 0:20", _closed("run/sweep", 0o500)),
    "a closed design": Attack("run @/d.toml --out @/run", _closed("d.toml", 0, 'name = "d"\n')),
    "a closed study": Attack("study @/s.toml --out @/run", _closed("s.toml", 0, STUDY)),
    "closed hardware": Attack(_TRAIN.replace(str(REFERENCE_FILE), "@/h.json"), _closed("h.json", 0, _HARDWARE)),
    "closed weights": Attack(f"map {REFERENCE} --weights @/w.safetensors --out @/run", _closed("w.safetensors", 0, "")),
    "closed measurements": Attack(_FIT.replace(f"{CASES}/iv_plain/", "@/"), _closed("measured.csv", 0, "")),
    "a closed table": Attack("run @/d.toml --out @/run", _beside(TABLE_DESIGN, "table.csv", "a,kind\n1,x\n")),
    "a closed cell": Attack("run @/d.toml --out @/run", _beside(CELL_DESIGN, "cell.spice", ".subckt c a\n.ends\n")),
    "a closed library": Attack("run @/d.toml --out @/run", _beside(LIBRARY_DESIGN, "own.lib", ".lib TT\n.endl\n")),
    **{f"{name} on a full disk": Attack(words, _full, disk_kb=256) for name, words in _WRITING.items()},
    **{
        f"{name} on a disk that fills up": Attack(_WRITING[name], _almost_full(24), disk_kb=512)
        for name in ("sweep", "train", "fit", "study")
    },
    "a store on a disk that fills up": Attack(f"{_SWEEP} 0:20000", _nothing, disk_kb=400),
    "tables on a full disk": Attack(f"{_SWEEP} 0:300", _swept, disk_kb=2048),
    "a checkpoint on a full disk": Attack(_TRAIN, _almost_full(64), disk_kb=512),
    "a store that outgrows what a file may be": Attack(f"{_SWEEP} 0:20000", _nothing, largest_file_kb=200),
    "weights that outgrow what a file may be": Attack(_TRAIN, _nothing, largest_file_kb=4),
    **{
        f"a link in the place of {name}": Attack(_TRAIN, _linked(name))
        for name in ("characterization", "datasheet", "netlist", "drawings")
    },
    **{
        f"{deed.__name__[1:].replace('_', ' ')} during a sweep": Attack(f"{_SWEEP} 0:1500", _nothing, deed)
        for deed in (
            _removed, _renamed, _replaced, _lock_removed, _store_removed, _store_replaced, _store_a_folder, _tables_removed,
        )
    },
}  # fmt: skip
