"""Rows of a sweep on their way to Parquet: by file on the disk as they come, so that a million points need no memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

# Before it is imported: its own allocator keeps 30 MB of what the columns of a Parquet writer need for a moment.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import pyarrow as pa

ROWS_TOGETHER = 2000


class Spool:
    """Rows of several tables, in any order; a context manager that leaves no file of its own behind."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """`folder` is made where it is not there. Raises `OSError` where nothing can be written in it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._tables = {name: _Spooled(folder / f"{name}.rows.partial") for name in names}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for table in self._tables.values():
            table.remove()

    def add(self, name: str, place: int, row: dict[str, Any]) -> None:
        """A row of a table, and its place among the others."""
        self._tables[name].add(place, row)

    def slices(self, name: str) -> Iterator[pa.Table]:
        """The rows of a table in the order of their places, some thousands at a time; at least one slice, which may be empty."""
        return self._tables[name].slices()


class _Spooled:
    """Rows of one table, a batch behind the other in a file; in memory are the places of all, and the rows of one batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("wb")
        self._rows: list[dict[str, Any]] = []
        self._waiting: list[int] = []
        self._places: list[np.ndarray] = []
        self._starts: list[int] = []
        self._schemas: list[pa.Schema] = []

    def remove(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, place: int, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._waiting.append(place)
        if len(self._rows) >= ROWS_TOGETHER:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        table = table_of(self._rows)
        self._starts.append(self._file.tell())
        self._places.append(np.array(self._waiting))
        self._schemas.append(table.schema)
        with pa.ipc.new_stream(self._file, table.schema) as stream:
            stream.write_table(table)
        self._rows.clear()
        self._waiting.clear()

    def slices(self) -> Iterator[pa.Table]:
        """Points end nearly in their order, so a slice has its rows of a few batches, and no more are read for it."""
        self._flush()
        self._file.flush()
        places = np.concatenate([np.empty(0, dtype=np.int64), *self._places])
        batch = np.repeat(np.arange(len(self._places)), [len(one) for one in self._places])
        first = np.concatenate([[0], np.cumsum([len(one) for one in self._places])]).astype(np.int64)
        # Each batch has a schema of its own: a column may be empty in one and hold numbers in the next.
        schema = pa.unify_schemas(self._schemas, promote_options="permissive") if self._schemas else pa.schema([])
        none = pa.table([pa.nulls(0, kind) for kind in schema.types], schema)
        ordered = np.argsort(places)
        with self._path.open("rb") as file:
            for start in range(0, max(len(ordered), 1), ROWS_TOGETHER):
                rows = ordered[start : start + ROWS_TOGETHER]
                parts, found = [none], np.empty(0, dtype=np.int64)
                for number in np.unique(batch[rows]):
                    own = rows[batch[rows] == number]
                    parts.append(_batch(file, self._starts[number]).take(_whole(own - first[number])))
                    found = np.concatenate([found, own])
                table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
                yield table.take(_whole(np.argsort(places[found])))


def _batch(file: IO[bytes], start: int) -> pa.Table:
    file.seek(start)
    with pa.ipc.open_stream(file) as stream:
        return stream.read_all()


def table_of(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Columns in the order in which they appear; None where a row lacks one."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: column([row.get(name) for row in rows]) for name in names})


def column(values: Sequence[Any]) -> pa.Array:
    """As `pa.array`, which imports pandas to look at what it is given: 40 MB that a sweep has no other use for."""
    kinds = {type(value) for value in values if value is not None}
    valid = None if not any(value is None for value in values) else _bits([value is not None for value in values])
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {bool}:
        return pa.Array.from_buffers(pa.bool_(), len(values), [valid, _bits([bool(value) for value in values])])
    if kinds <= {int, float, np.float64}:
        kind = np.int64 if kinds == {int} else np.float64
        filled = np.array([0 if value is None else value for value in values], dtype=kind)
        return pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(values), [valid, pa.py_buffer(filled)])
    if kinds == {str}:
        texts = [b"" if value is None else value.encode() for value in values]
        return pa.Array.from_buffers(pa.string(), len(values), [valid, _offsets(texts), pa.py_buffer(b"".join(texts))])
    if kinds <= {list, np.ndarray}:
        lists = [() if value is None else value for value in values]
        inner = column(list(chain.from_iterable(lists)))
        return pa.Array.from_buffers(pa.list_(inner.type), len(values), [valid, _offsets(lists)], children=[inner])
    return pa.array(values)


def _bits(flags: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(flags, dtype=bool), bitorder="little"))


def _offsets(parts: Sequence[Any]) -> pa.Buffer:
    """Where each part begins, and the last ends."""
    return pa.py_buffer(np.array([0, *accumulate(map(len, parts))], dtype=np.int32))


def _whole(numbers: np.ndarray) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers, dtype=np.int64))])
