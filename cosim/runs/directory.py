"""A run directory: a lock that dies with the process, files that are whole or absent, digests of what is in it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cosim.errors import CosimError, InputError
from cosim.locks import is_without_locks
from training.files import check_readable, read_bounded, read_json, read_toml, whole_file, why, write_whole

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LOCK, DESIGN, PROVENANCE, DIGESTS = ".lock", "design.toml", "provenance.json", "digests.json"

LAYOUT = 2
"""Version of what a run directory holds, in its provenance.json. 2 numbers the layers, which 1 called hidden and output."""


RUN = "run"
"""What a folder is of unless something else is said; a word in its lock file, before the name of the design."""


class DirectoryLostError(CosimError):
    """A folder that was removed, renamed or replaced while cosim wrote into it."""

    exit_code = 3


class RunDirectory:
    """The folder of one run. Paths given to its methods are relative to it, with `/` between the parts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: os.stat_result | None = None
        """The lock file of a folder that is open."""

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextlib.contextmanager
    def open(
        self, design_name: str, say: Callable[[str], None] = lambda line: None, kind: str = RUN, known: Collection[str] = ()
    ) -> Iterator[RunDirectory]:
        """Create and lock it; `say` hears where it cannot be locked. A folder is of one `kind` of result of one design; one that
        holds nothing but the files that are `known` may be taken for it.

        Raises `InputError`: not writable, in use, not a folder of this kind or this design, or that of another cosim; and
        `DirectoryLostError` where it is not there any more at the end.
        """
        self._check_owner(kind, design_name, known)
        with self._locked(say) as lock:
            if not os.fstat(lock.fileno()).st_size:
                lock.write(f"{kind} {design_name}\n")
                lock.flush()
            self._lock = os.fstat(lock.fileno())
            try:
                for leftover in self.path.rglob("*.partial"):
                    leftover.unlink(missing_ok=True)
                yield self
                self._check_there()
            finally:
                self._lock = None

    def _check_there(self) -> None:
        """Raises `DirectoryLostError` where this folder is not the one that was opened."""
        if self._lock is None:
            return
        try:
            there = (self / LOCK).stat()
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (self._lock.st_dev, self._lock.st_ino):
            raise DirectoryLostError(
                f"{self.path}: was removed or replaced while cosim was at work in it; what was written there is lost: run "
                "the same command again"
            )

    def _check_owner(self, kind: str, design_name: str, known: Collection[str]) -> None:
        """Results of an earlier stage replace those of later ones here, so never touch a folder that is something else."""
        try:
            names = {entry.name for entry in self.path.iterdir()}
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be used as run directory: {error.strerror}; choose another with --out"
            ) from error
        if names - {LOCK, *known} and LOCK not in names and PROVENANCE not in names:
            raise InputError(f"{self.path}: not empty and not a run directory; choose another with --out")
        found, owner = self._read_owner(names) or (kind, design_name)
        if (found, owner) != (kind, design_name):
            wanted = repr(design_name) if found == kind else f"a {kind}"
            raise InputError(f"{self.path}: holds a {found} of the design {owner!r}, not {wanted}; choose another with --out")
        self.check_layout()

    def _read_owner(self, names: Collection[str]) -> tuple[str, str] | None:
        """What the folder is of, and of which design; None where nothing says so."""
        file = DESIGN if DESIGN in names else LOCK
        try:
            if file == DESIGN:
                return RUN, _name_of(read_toml(self / DESIGN))
            kind, _, design_name = (read_bounded(self / LOCK, 4096).decode() if LOCK in names else "").strip().partition(" ")
            return (kind, design_name) if kind else None
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self / file}: cannot be read: {why(error)}; choose another folder with --out, or delete this file, which "
                "cosim makes anew"
            ) from error

    def check_layout(self) -> None:
        """Raises `InputError` for a run whose tables and metrics are named otherwise than here."""
        record = self.read_json(PROVENANCE)
        found = record.get("layout", 1)
        if record.get("stages") and found != LAYOUT:
            age = "a newer" if isinstance(found, int) and found > LAYOUT else "an older"
            raise InputError(
                f"{self.path}: the run of {age} cosim, which names layers, tables and metrics otherwise (layout {found}, this "
                f"one has {LAYOUT}); keep it to look at and choose another folder with --out, or delete it"
            )

    @contextlib.contextmanager
    def _locked(self, say: Callable[[str], None]) -> Iterator[IO[str]]:
        with self._lock_file() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if is_without_locks(error):
                    say(f"{self.path}: this file system has no locks; let one cosim at a time use it")
                    yield file
                    return
                raise InputError(
                    f"{self.path}: another cosim is at work in this run directory; wait for it, or use --out"
                ) from error
            yield file

    def _lock_file(self) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if (self / LOCK).exists():
                check_readable(self / LOCK)
            return (self / LOCK).open("a")
        except OSError as error:
            what = error.filename or self.path
            raise InputError(f"{what}: cannot be written: {error.strerror}; choose another folder with --out") from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all. Raises `InputError` where that is impossible."""
        self._check_there()
        path = self / name
        try:
            write_whole(path, content)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from error

    def write_json(self, name: str, content: Any) -> None:
        self.write(name, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """A parquet file of a table that `cosim.runs.tables` describes. Raises `TableError` for one that is not as described."""
        import pyarrow as pa

        from cosim.runs.tables import TableError

        try:
            columns = pa.Table.from_pandas(table, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:  # numbers and text in one column
            raise TableError(f"{name}: {error}") from error
        self.write_table_slices(name, [columns])

    def write_table_slices(self, name: str, slices: Iterable[pa.Table]) -> None:
        """The same of a table that comes in slices, each as described and of the schema of the first; never whole in memory.

        Raises `TableError` as `write_table`, `InputError` where it cannot be written.
        """
        import pyarrow.parquet

        from cosim.runs.tables import checked

        self._check_there()
        title, writer, path = name.removesuffix(".parquet"), None, self / name
        try:
            with whole_file(path) as partial, contextlib.ExitStack() as opened:
                for one in slices:
                    table = checked(title, one)
                    if writer is None:
                        writer = opened.enter_context(pyarrow.parquet.ParquetWriter(partial, table.schema))
                    writer.write_table(table)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from error

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of a JSON file; empty where there is none. Raises `InputError` for one that is damaged."""
        try:
            content = read_json(self / name)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise InputError(f"{self / name}: cannot be read: {why(error)}; delete it, and cosim makes it anew") from error
        if not isinstance(content, dict):
            raise InputError(f"{self / name}: holds no named values; delete it, and cosim makes it anew")
        return content

    def seal(self, *names: str) -> None:
        """Keep digests of files that other commands read, and that no stage's record has, by which `check_sealed` knows them."""
        known = self.read_json(DIGESTS)
        found = {**known, **{name: self.digest([name]) for name in names}}
        if found != known:
            self.write_json(DIGESTS, found)

    def check_sealed(self, name: str) -> None:
        """Raises `InputError` for a file that is not as it was sealed; one that never was, as by an older cosim, is taken."""
        known = self.read_json(DIGESTS)
        if name in known and (self / name).exists() and known[name] != self.digest([name]):
            raise InputError(f"{self / name}: is not as cosim wrote it; run the command again that made it")

    def remove(self, names: Iterable[str]) -> None:
        """Delete files and folders; what is not there is left so. Raises `InputError` for a link in the place of a folder."""
        for name in names:
            path = self / name
            if path.is_symlink() and path.is_dir():
                raise InputError(f"{path}: is a link to a folder, in which nothing is deleted; put the folder in its place")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def digest(self, names: Iterable[str]) -> str:
        """SHA-256 over the names and the contents of files and folders; one that is missing counts as such."""
        digest = hashlib.sha256()
        for name in names:
            path = self / name
            digest.update(f"{name} {'is there' if path.exists() else 'is missing'}\n".encode())
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    digest.update(f"{file.relative_to(self.path)}\n".encode())
                    with file.open("rb") as content:  # of a sweep of a million points, too
                        for part in iter(partial(content.read, 1 << 20), b""):
                            digest.update(part)
        return digest.hexdigest()


def _name_of(design: Mapping[str, Any]) -> str:
    """Raises ValueError for the content of a design file that says no name."""
    name = design.get("name")
    if not isinstance(name, str):
        raise ValueError("holds no design, which has a name")
    return name
