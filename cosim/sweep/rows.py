"""Rows of a sweep on their way to Parquet: by file on the disk as they come, so that a million points need no memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
from pyarrow import compute

ROWS_TOGETHER = 2000
_PLACE = "place in the sweep"


class Spool:
    """Rows of several tables, in any order; a context manager that leaves no file of its own behind."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """`folder` is made where it is not there. Raises `OSError` where nothing can be written in it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = {name: folder / f"{name}.rows.partial" for name in names}
        self._files: dict[str, IO[bytes]] = {name: path.open("wb") for name, path in self._paths.items()}
        self._waiting: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for name, path in self._paths.items():
            self._files[name].close()
            path.unlink(missing_ok=True)

    def add(self, name: str, place: int, row: dict[str, Any]) -> None:
        """A row of a table, and its place among the others."""
        waiting = self._waiting[name]
        waiting.append({_PLACE: place, **row})
        if len(waiting) >= ROWS_TOGETHER:
            self._flush(name)

    def slices(self, name: str) -> Iterator[pa.Table]:
        """The rows of a table in the order of their places, some thousands at a time; at least one slice, which may be empty."""
        self._flush(name)
        self._files[name].flush()
        # Each batch has a schema of its own: a column may be empty in one and hold numbers in the next.
        with pa.memory_map(str(self._paths[name])) as source:
            batches = list(_batches(source))
            whole = (
                pa.concat_tables(batches, promote_options="permissive")
                if batches
                else pa.table({_PLACE: pa.array([], pa.int64())})
            )
            ordered = compute.sort_indices(whole[_PLACE])
            for start in range(0, max(len(whole), 1), ROWS_TOGETHER):
                yield whole.take(ordered.slice(start, ROWS_TOGETHER)).drop_columns([_PLACE])

    def _flush(self, name: str) -> None:
        if rows := self._waiting[name]:
            table = _table(rows)
            with pa.ipc.new_stream(self._files[name], table.schema) as stream:
                stream.write_table(table)
            rows.clear()


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Columns in the order in which they appear; None where a row lacks one."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


def _batches(source: pa.MemoryMappedFile) -> Iterator[pa.Table]:
    while source.tell() < source.size():
        with pa.ipc.open_stream(source) as stream:
            yield stream.read_all()
