"""The result store: one SQLite file of rows, keyed by the content of what was simulated."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import enum
import functools
import hashlib
import json
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from cosim.errors import CosimError, InputError
from cosim.simulator.damage import is_damage, is_ours, put_aside, readable_rows
from cosim.simulator.database import Say, connect
from cosim.simulator.points import Extract, Outcome, Point, Row

SCHEMA_VERSION = 3
# Raise when this room itself changes what a deck gives.
SIMULATOR_VERSION = 4

_COLUMNS = {
    "key": "TEXT PRIMARY KEY", "title": "TEXT", "condition": "TEXT", "seed": "INTEGER", "extractor": "TEXT", "row": "TEXT",
    "reason": "TEXT", "message": "TEXT", "log": "TEXT", "deck": "TEXT",
    "cpu_s": "REAL", "wall_s": "REAL", "peak_memory_mb": "REAL", "finished_unix_s": "REAL",
    # since version 2
    "reltol": "REAL", "max_step_s": "REAL",
    # since version 3
    "seal": "TEXT",
}  # fmt: skip
_SCHEMA = f"CREATE TABLE IF NOT EXISTS points ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})"
# A failure never replaces a result: two runs may meet at one point.
_PUT = (
    f"INSERT INTO points ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    + " WHERE excluded.row IS NOT NULL OR points.row IS NULL"
)


_GET = "SELECT row, seal FROM points WHERE key = ? AND row IS NOT NULL"
_PUT_ASIDE = "UPDATE points SET key = ? WHERE key = ?"

T = TypeVar("T")

COMMIT_WITHIN_S = 0.25
"""Rows are written to the disk together, but none later than this."""


_ROOM_BYTES = 1 << 16
"""What the files that SQLite keeps beside a database need at least."""


class _Damaged(Exception):
    """The file is not as SQLite left it."""


class StoreFullError(CosimError):
    """No room for another row."""

    exit_code = 3


class StoreLostError(CosimError):
    """The file was removed or replaced while it was open."""

    exit_code = 3


class Store:
    """Rows of simulated points in one file; a context manager.

    What was put is on the disk within `COMMIT_WITHIN_S`: a run killed at any moment loses no more than that, and two runs may use
    the file at once. Failures are kept as rows without a result, so that they can be looked at and are tried again. A row that is
    not as it was written is put aside, and its point is unknown; so is the whole file where it is damaged, its sound rows apart.
    """

    def __init__(self, path: Path | str, say: Say = lambda line: None) -> None:
        """Open or create; `say` hears what is lesser than usual. Raises `InputError` if it is no store, or of a newer version."""
        self.path = Path(path)
        self._say = say
        self._database: Any = None
        self._identity: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._uncommitted_since: float | None = None
        self._uncommitted: list[tuple[Any, ...]] = []
        self._closing = threading.Event()
        # The lock keeps the thread that commits and the one that puts apart.
        self._repaired(self._open)
        self._committer: threading.Thread | None = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write what was put. Raises `StoreLostError` where the file is not there any more."""
        self._closing.set()
        if self._committer:
            self._committer.join()
        try:
            self.flush()
            self._check_there()
        finally:
            self._database.close()

    def flush(self) -> None:
        """Commit what was put."""
        self._repaired(self._commit)

    def _check_there(self) -> None:
        """SQLite goes on writing to a file that was removed, and says nothing."""
        if self._identity is not None and self._identity != _identity(self.path):
            raise StoreLostError(f"{self.path}: was removed or replaced while cosim used it; run the same command again")

    def _commit(self) -> None:
        if self._uncommitted_since is not None:
            self._check_there()
            self._database.execute("COMMIT")
            self._uncommitted_since = None
            self._uncommitted.clear()

    def _commit_in_time(self) -> None:
        while not self._closing.wait(COMMIT_WITHIN_S):
            # What goes wrong here goes wrong again, and is told, at the next put.
            with contextlib.suppress(CosimError, _Damaged):
                self.flush()

    def _open(self) -> None:
        self._database = connect(self.path, self._say)
        self._prepare()
        self._identity = _identity(self.path)

    def _prepare(self) -> None:
        version = int(self._database.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise InputError(f"{self.path}: is a result store of version {version}, newer than {SCHEMA_VERSION}; update cosim")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_SCHEMA)
        there = {column[1] for column in self._database.execute("PRAGMA table_info(points)")}
        for name in [name for name in _COLUMNS if name not in there]:
            self._database.execute(f"ALTER TABLE points ADD COLUMN {name} {_COLUMNS[name]}")
        self._database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def key(self, point: Point, simulator: str) -> str:
        """SHA-256 of all that decides a row: the deck, the extraction with arguments and version, the simulator, this room."""
        parts = [point.deck.digest(), extractor_identity(point.extract), simulator, str(SIMULATOR_VERSION)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def get(self, key: str) -> Row | None:
        """The row of a point that succeeded, else None."""
        found = self._repaired(lambda: self._database.execute(_GET, (key,)).fetchone())
        if found is None:
            return None
        text, seal = found
        if not isinstance(text, str) or seal != _seal(key, text):
            self._say(f"{self.path}: a stored result is not as it was written; it is put aside, and its point simulated again")
            self._repaired(lambda: self._database.execute(_PUT_ASIDE, (f"damaged {time.time_ns()} {key}", key)))
            return None
        row: Row = json.loads(text, object_hook=_decode)
        return row

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome; a failure never replaces a result."""
        point, error = outcome.point, outcome.error
        row = json.dumps(outcome.row, default=_encode) if outcome.row is not None else None
        values = (
            key, point.deck.title, json.dumps(dict(point.condition), default=_encode_or_text), point.deck.seed,
            extractor_identity(point.extract), row,
            error and str(error.reason), error and str(error), error and error.log, error and error.deck,
            outcome.cpu_s, outcome.wall_s, outcome.peak_memory_mb, time.time(),
            point.deck.options.reltol, getattr(point.deck.analysis, "max_step_s", None), None if row is None else _seal(key, row),
        )  # fmt: skip
        if self._committer is None:
            self._committer = threading.Thread(target=self._commit_in_time, daemon=True)
            self._committer.start()
        self._repaired(lambda: self._put(values))

    def _put(self, values: tuple[Any, ...]) -> None:
        if self._uncommitted_since is None:
            self._database.execute("BEGIN IMMEDIATE")
            self._uncommitted_since = time.monotonic()
        self._database.execute(_PUT, values)
        self._uncommitted.append(values)
        if time.monotonic() - self._uncommitted_since > COMMIT_WITHIN_S:
            self._commit()

    def failures(self) -> list[dict[str, Any]]:
        """Points whose last run failed: condition, seed, reason, message, log, deck."""
        with self._explained():
            cursor = self._database.execute(
                "SELECT title, condition, seed, reason, message, log, deck FROM points WHERE row IS NULL ORDER BY finished_unix_s"
            )
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, values, strict=True)) for values in cursor]
        return [{**row, "condition": json.loads(row["condition"], object_hook=_decode)} for row in rows]

    def count(self) -> int:
        """Points that succeeded."""
        with self._explained():
            return int(self._database.execute("SELECT count(*) FROM points WHERE row IS NOT NULL").fetchone()[0])

    def _repaired(self, work: Callable[[], T]) -> T:
        """Work on the database; where its file turns out damaged, on what could be saved of it."""
        database = self._database
        try:
            with self._explained():
                return work()
        except _Damaged as damage:
            with self._explained():
                if self._database is database:  # else the other thread was here first
                    self._put_file_aside(damage)
                return work()

    def _put_file_aside(self, damage: _Damaged) -> None:
        if self._database is not None:
            self._database.close()
        aside, pending = put_aside(self.path), list(self._uncommitted)
        self._uncommitted_since = None
        self._uncommitted.clear()
        self._open()
        rows = [row for row in readable_rows(aside, "points") if row.get("seal") == _seal(str(row["key"]), str(row["row"]))]
        for values in [*(tuple(row.get(name) for name in _COLUMNS) for row in rows), *pending]:
            self._database.execute(_PUT, values)
        self._say(f"{self.path}: is damaged ({damage}); it is kept as {aside.name}, {len(rows)} results of it are sound")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        # What an error leaves is put in order before the other thread has its turn: two on one connection are misuse of SQLite.
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                if is_damage(error):
                    raise _Damaged(str(error)) from error
                if not self._lacks_room(error):
                    raise self._unusable(error) from error
                self._save_what_there_is()
                remedy = "the results up to here are kept: make room and run the same command again"
                raise StoreFullError(f"{self.path}: the disk is full; {remedy}") from error
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # what SQLite says may quote what was damaged
                if not is_ours(self.path):
                    raise self._unusable(error) from error
                raise _Damaged(str(error)) from error

    def _save_what_there_is(self) -> None:
        """After a row that found no room: SQLite gives up the whole transaction, so write the rows before it one by one."""
        if self._database is None:  # not even the file found room
            return
        with contextlib.suppress(sqlite3.OperationalError):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            for values in self._uncommitted:
                self._database.execute(_PUT, values)
        self._uncommitted_since = None
        self._uncommitted.clear()

    def _lacks_room(self, error: Exception) -> bool:
        """SQLite calls it an I/O error where its files beside the database find no room."""
        full = "I/O" in str(error) and shutil.disk_usage(self.path.parent).free < _ROOM_BYTES
        return full or "full" in str(error)

    def _unusable(self, error: Exception) -> InputError:
        remedy = "see to its folder, its rights and its locks" if is_ours(self.path) else "name another file"
        return InputError(f"{self.path}: cannot be used as a result store: {error}; {remedy}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is on the disk; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _seal(key: str, row: str) -> str:
    """A digest that binds a row to its point."""
    return hashlib.blake2b(f"{key}\n{row}".encode(errors="surrogatepass"), digest_size=16).hexdigest()


def extractor_identity(extract: Extract) -> str:
    """Qualified name, version and bound arguments as JSON. Raises `InputError` for arguments that have no stable text.

    The version is the function's attribute `version`, else EXTRACTOR_VERSION of its module, else 1: whoever changes what an
    extraction gives raises it.
    """
    function: Any = extract
    arguments: list[Any] = []
    if isinstance(extract, functools.partial):
        function, arguments = extract.func, [list(extract.args), dict(extract.keywords)]
    version = getattr(function, "version", getattr(sys.modules.get(function.__module__), "EXTRACTOR_VERSION", 1))
    name = f"{function.__module__}.{function.__qualname__}"
    try:
        return json.dumps([name, version, arguments], sort_keys=True, default=_encode)
    except TypeError as error:
        raise InputError(f"extract {name}: an argument cannot be part of the key of a result: {error}") from error


def _encode(value: object) -> object:
    """What JSON lacks; arrays are kept bit by bit."""
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, dtype="<f8")
        return {"__float64__": base64.b64encode(array.tobytes()).decode("ascii"), "shape": list(array.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {type(value).__qualname__: {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}}
    raise TypeError(f"{type(value).__name__} is not a number, text, list, array or dataclass")


def _encode_or_text(value: object) -> object:
    try:
        return _encode(value)
    except TypeError:
        return str(value)


def _decode(value: dict[str, Any]) -> Any:
    if "__float64__" not in value:
        return value
    return np.frombuffer(base64.b64decode(value["__float64__"]), dtype="<f8").reshape(value["shape"]).copy()
