"""Reads the files of a run directory; whatever is wrong with one is a single line."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from reports.errors import ReportError
from reports.tables import Columns


def text(path: Path) -> str:
    """Raises `ReportError` for a file that cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def png(path: Path) -> str:
    """A picture as a data URI. Raises `ReportError` for one that cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from error
    if not content.startswith(b"\x89PNG"):
        raise ReportError(f"{path}: is no PNG picture; `cosim layout` writes it again")
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def sha256(path: Path) -> str:
    """Digest of a file. Raises `ReportError` for one that cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from error


def settings(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises `ReportError` for one that cannot be read."""
    try:
        return tomllib.loads(text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ReportError(f"{path}: not valid TOML: {error}") from error


def record(path: Path) -> dict[str, Any]:
    """The named values of a JSON file; none where there is no file. Raises `ReportError` for one that is corrupt."""
    content = json_of(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise ReportError(f"{path}: holds {type(content).__name__}, not an object with named values")
    return content


def json_of(path: Path) -> Any:
    """The content of a JSON file. Raises `ReportError` for one that cannot be read."""
    try:
        return json.loads(text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ReportError(f"{path}: not valid JSON: {error}") from error


def table(path: Path, columns: Columns) -> pd.DataFrame | None:
    """A Parquet file, None where there is none.

    Raises `ReportError` for one that is corrupt, or where rows lack a column or numbers. What has no rows says nothing.
    """
    if not path.exists():
        return None
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors derive from these two
        raise ReportError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error
    if found.empty:
        return found
    missing = [column for column in (*columns.words, *columns.numbers) if column not in found.columns]
    if missing:
        raise ReportError(f"{path}: column {missing[0]} is missing; it has {', '.join(map(str, found.columns))}")
    no_numbers = [column for column in columns.numbers if not is_numeric_dtype(found[column])]
    if no_numbers:
        raise ReportError(f"{path}: column {no_numbers[0]} holds {found[no_numbers[0]].dtype}, not numbers")
    return found
