"""What can be had of a damaged SQLite file, and where the file goes."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAGIC = b"SQLite format 3\0"
_FLIPPED_BITS = 8
_BESIDE = ("", "-wal", "-shm", "-journal")


def is_damage(error: sqlite3.OperationalError) -> bool:
    """Whether an error that SQLite takes for one of the program comes of a file whose tables are not ours any more."""
    return any(what in str(error) for what in ("no such table", "no such column", "unsupported file format", "malformed"))


def is_ours(path: Path) -> bool:
    """Whether a file is an SQLite file, or was one, a few bits of its first bytes apart; true also of one that is not there."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError:
        return True
    flipped = sum((one ^ other).bit_count() for one, other in zip(start, _MAGIC, strict=False))
    return not start or (len(start) == len(_MAGIC) and flipped <= _FLIPPED_BITS)


def put_aside(path: Path) -> Path:
    """Rename a file, and those that SQLite keeps beside it; the new name, which was free."""
    names = (path.with_name(f"{path.name}.damaged-{k}") for k in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    for ending in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


def readable_rows(path: Path, table: str) -> Iterator[dict[str, Any]]:
    """Rows of a table of a damaged file by their columns, as far as SQLite reads them, from either end."""
    seen: set[Any] = set()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.text_factory = lambda content: content.decode(errors="replace")
        for order in ("ASC", "DESC"):
            with contextlib.suppress(sqlite3.DatabaseError):
                cursor = database.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid {order}")
                names = [column[0] for column in cursor.description]
                for values in cursor:
                    if values[0] not in seen:
                        seen.add(values[0])
                        yield dict(zip(names[1:], values[1:], strict=True))
