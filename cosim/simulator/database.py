"""An SQLite file on whatever file system there is: a share may lack the locks or the shared memory that SQLite would use."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from cosim.locks import locks_work

Say = Callable[[str], None]


def connect(path: Path, say: Say) -> sqlite3.Connection:
    """A connection that is autocommitting and may be used by any thread, one at a time; `say` hears where it is a lesser one.

    With a write-ahead log where its shared memory can be had, else with a rollback journal; without locks where the file system
    has none (SQLite would take that for a database in use, and wait for ever).
    """
    if str(path) != ":memory:" and not locks_work(path.parent):
        say(f"{path.parent}: this file system has no locks; let one cosim at a time use it")
        return _with_rollback_journal(path, "unix-none")
    database = _connect(path)
    try:
        _switch_to_wal(database)
    except sqlite3.OperationalError as error:
        database.close()
        if "locked" in str(error) or "full" in str(error):
            raise
        database = _with_rollback_journal(path)
        say(f"{path}: no write-ahead log on this file system ({error}); a rollback journal is used, which is slower")
    return database


def _connect(path: Path, vfs: str = "") -> sqlite3.Connection:
    name = f"{path.absolute().as_uri()}?vfs={vfs}" if vfs else path
    return sqlite3.connect(name, uri=bool(vfs), timeout=60.0, isolation_level=None, check_same_thread=False)


def _with_rollback_journal(path: Path, vfs: str = "") -> sqlite3.Connection:
    """Also of a file that was left with a write-ahead log: held exclusively, SQLite reads that without shared memory."""
    database = _connect(path, vfs)
    for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=DELETE", "locking_mode=NORMAL", "user_version"):
        database.execute(f"PRAGMA {pragma}").fetchone()
    return database


def _switch_to_wal(database: sqlite3.Connection, patience_s: float = 30.0) -> None:
    """SQLite's busy time-out does not cover this switch: two batches that start at once must try again themselves.

    Where the log's shared memory cannot be had is noticed by the first that writes.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
