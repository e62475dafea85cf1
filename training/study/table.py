"""A table on disk that grows row by row, whatever is killed meanwhile and however many processes write."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.study.plan import StudyError

DIGEST = "row_digest"


class GrowingTable:
    """A CSV file with one row a run: appended in one write under a lock; the piece of one that a crash left is dropped.

    Each row ends in a digest of itself, and counts as not there where that is wrong. A file without that column has none.
    A file of before there were the columns `added` stays without them; they read as empty cells.
    """

    def __init__(self, path: Path, columns: Sequence[str], added: Sequence[str] = ()) -> None:
        self.path, self.columns = path, tuple(columns)
        older = tuple(name for name in self.columns if name not in added)
        self._headers = [(*names, *digest) for names in (self.columns, older) for digest in ((), (DIGEST,))]

    def rows(self) -> list[dict[str, str]]:
        """What is there. Raises `StudyError` for a file with other columns."""
        if not self.path.exists():
            return []
        columns, *rows = self._read(self.path.read_bytes()) or [[]]
        if DIGEST in columns:
            columns, rows = columns[:-1], [row[:-1] for row in rows if row and row[-1] == _digest(row[:-1])]
        whole = (dict(zip(columns, row, strict=True)) for row in rows if len(row) == len(columns))
        return [{name: row.get(name, "") for name in self.columns} for row in whole]

    def _read(self, content: bytes) -> list[list[str]]:
        """The lines that are whole, their columns first; none in a file that is empty."""
        # A flipped bit may leave what is no text, or no line: its digest tells.
        whole = content.decode(errors="replace").rpartition("\n")[0]
        try:
            lines = list(csv.reader(io.StringIO(whole, newline="")))
        except csv.Error as error:
            raise StudyError(f"{self.path}: is damaged: {error}; move it away") from error
        if lines and tuple(lines[0]) not in self._headers:
            raise StudyError(f"{self.path}: has other columns than {', '.join(self.columns)}; move it away")
        return lines

    def append(self, row: Mapping[str, object]) -> None:
        """Add one row, on disk when this returns; None is an empty cell."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            lines = self._read(content)
            file.truncate(content.rfind(b"\n") + 1)
            columns = lines[0] if lines else [*self.columns, DIGEST]
            cells = [str(_cell(row[name])) for name in columns if name != DIGEST]
            digest = [_digest(cells)] if DIGEST in columns else []
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([*([] if lines else [columns]), [*cells, *digest]])
            file.write(text.getvalue().encode())
            os.fsync(file.fileno())


def _digest(cells: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(cells).encode(), digest_size=8).hexdigest()


def _cell(value: object) -> object:
    """Numbers without the last digits that say nothing."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
