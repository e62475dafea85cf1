"""A user's own table: CSV or Parquet, a row a sample, columns for the features and one for the label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.data.files import DataFileError
from training.files import check_readable, why
from training.hardware import FloatArray

FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class Table:
    """Where the samples stand.

    Attributes:
        file: .csv (with a header) or .parquet.
        label: column of the class: text or whole numbers.
        features: columns in the order of the inputs; every other column than the label where there are none.
    """

    file: Path
    label: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Samples:
    """What a table holds: features [samples, features] and their names, labels [samples], names of the classes in their order."""

    features: FloatArray
    names: tuple[str, ...]
    labels: NDArray[np.intp]
    classes: tuple[str, ...]


def samples_of(table: Table) -> Samples:
    """The samples of a table.

    The classes are the values of the label column in their order. Raises `DataFileError`: a file that cannot be read, a column
    that is not there, a cell that is empty or no number; one line with file and column.
    """
    frame = _read(table.file)
    names = table.features or feature_names(frame.columns, table.label)
    _check_columns(table, frame, names)
    classes, labels = _labels(table, frame[table.label])
    features = np.column_stack([_numbers(table.file, frame[name]) for name in names])
    return Samples(features, names, labels, classes)


def feature_names(columns: Iterable[str], label: str) -> tuple[str, ...]:
    """The features of a table that names none: every column but the label, in their order."""
    return tuple(str(name) for name in columns if name != label)


def columns_of(file: Path) -> tuple[str, ...]:
    """Names of the columns. Raises `DataFileError` for a file that cannot be read as a table."""
    return tuple(str(name) for name in _read(file).columns)


def _read(file: Path) -> pd.DataFrame:
    if file.suffix.lower() not in FORMATS:
        raise DataFileError(f"{file}: is neither {' nor '.join(FORMATS)}; write the table as one of these")
    try:
        check_readable(file)
        frame = pd.read_parquet(file) if file.suffix.lower() == ".parquet" else pd.read_csv(file, skipinitialspace=True)
    except FileNotFoundError:
        raise DataFileError(f"{file}: is not there; give the table of the samples, relative to the design file") from None
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        reason = why(error).strip().partition("\n")[0]
        raise DataFileError(f"{file}: cannot be read as a table: {reason}") from error
    if not len(frame):
        raise DataFileError(f"{file}: holds no sample below its header")
    return frame


def _check_columns(table: Table, frame: pd.DataFrame, names: Sequence[str]) -> None:
    there = ", ".join(map(str, frame.columns))
    for name in (table.label, *names):
        if name not in frame.columns:
            raise DataFileError(f"{table.file}: has no column {name!r}; it has {there}")
    if not names:
        raise DataFileError(f"{table.file}: has no column beside the label {table.label!r}; there is nothing to learn from")
    if table.label in names:
        raise DataFileError(f"{table.file}: column {table.label!r} is the label and a feature; a label is not learnt from itself")
    if len(set(names)) < len(names):
        raise DataFileError(f"{table.file}: a feature is listed twice: {', '.join(names)}")


def _labels(table: Table, column: pd.Series[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The classes in order, and the class of each sample."""
    if column.isna().any():
        raise DataFileError(f"{table.file}: column {table.label!r}: sample {_first(column.isna())} has no label")
    if pd.api.types.is_float_dtype(column):
        raise DataFileError(f"{table.file}: column {table.label!r}: holds fractions; a label is text or a whole number")
    classes, labels = np.unique(column.to_numpy(), return_inverse=True)
    counts = np.bincount(labels)
    if counts.min() < 2:
        raise DataFileError(
            f"{table.file}: column {table.label!r}: class {str(classes[counts.argmin()])!r} has one sample only; "
            "every class needs one to train on and one to test on"
        )
    return tuple(str(name) for name in classes), labels.astype(np.intp)


def _numbers(file: Path, column: pd.Series[float]) -> FloatArray:
    """A feature as finite numbers."""
    values: FloatArray = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        row = _first(pd.Series(bad))
        given = column.iloc[row - 1]
        what = "is empty" if pd.isna(given) else f"holds {given!r}, which is no finite number"
        raise DataFileError(f"{file}: column {column.name!r}: sample {row} {what}")
    return values


def _first(mask: pd.Series[bool]) -> int:
    """The first sample that a mask holds for, counted from 1."""
    return int(np.flatnonzero(mask.to_numpy())[0]) + 1
