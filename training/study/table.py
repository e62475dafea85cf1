"""A table on disk that grows row by row, whatever is killed meanwhile and however many processes write."""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.study.plan import StudyError


class GrowingTable:
    """A CSV file with one row a run: appended in one write under a lock; the piece of one that a crash left is dropped."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)

    def rows(self) -> list[dict[str, str]]:
        """What is there. Raises `StudyError` for a file with other columns."""
        if not self.path.exists():
            return []
        whole = self.path.read_text(encoding="utf-8").rpartition("\n")[0]
        reader = csv.DictReader(io.StringIO(whole))
        if whole and tuple(reader.fieldnames or ()) != self.columns:
            raise StudyError(f"{self.path}: has other columns than {', '.join(self.columns)}; move it away")
        return list(reader)

    def append(self, row: Mapping[str, object]) -> None:
        """Add one row, on disk when this returns; None is an empty cell."""
        self.rows()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            header = [] if content.rfind(b"\n") >= 0 else [self.columns]
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([*header, [_cell(row[name]) for name in self.columns]])
            file.write(text.getvalue().encode())
            os.fsync(file.fileno())


def _cell(value: object) -> object:
    """Numbers without the last digits that say nothing."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
