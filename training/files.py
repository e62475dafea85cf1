"""Files that are read within bounds, and are either whole or not there when they are written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 30
"""A file of a user that is larger is no file of the kind that is read whole."""

DIGEST = "content_sha256"
"""Key of the digest in a file that cosim writes; one that people change or write by hand has none."""

MOST_TEXT_BYTES = 1 << 26
"""The same of settings and records: cosim writes none that is a hundredth of this."""


def check_readable(path: Path, most_bytes: int = MOST_BYTES) -> None:
    """Raises `OSError` for what is no regular file (a device never ends, a pipe never begins), and for one that is too large."""
    try:
        state = path.stat()
    except ValueError as error:  # a NUL
        raise OSError(errno.EINVAL, "is no name of a file", str(path)) from error
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "is a device or a pipe, not a file", str(path))
    if state.st_size > most_bytes:
        size, most = (f"{bytes_ / 2**20:.0f} MB" for bytes_ in (state.st_size, most_bytes))
        raise OSError(errno.EFBIG, f"has {size}, more than the {most} that are read", str(path))


def read_bounded(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file of at most so many bytes. Raises `OSError`."""
    check_readable(path, most_bytes)
    with path.open("rb") as file:
        return file.read(most_bytes)


def why(error: Exception) -> str:
    """What is wrong with a file, without its name and the number of the error."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def read_text(path: Path) -> str:
    """UTF-8 text of a record or of settings. Raises `OSError` or `ValueError`."""
    return read_bounded(path, MOST_TEXT_BYTES).decode("utf-8")


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises `OSError`, or `ValueError` for what is none, or nested too deep to be read."""
    try:
        return json.loads(read_text(path))
    except RecursionError:
        raise ValueError("is nested too deep") from None


def content_digest(content: Any) -> str:
    """SHA-256 of a content as JSON has it, whatever the order of its keys and whether 27 is written 27.0."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return hashlib.sha256(json.dumps(plain(content), sort_keys=True).encode()).hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises `OSError`, or `ValueError` for what is none, or nested too deep to be read."""
    try:
        return tomllib.loads(read_text(path))
    except RecursionError:
        raise ValueError("is nested too deep") from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside that of a file to write it to; it is moved there at the end, and removed where something goes wrong.

    Makes its folder. Raises `OSError`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there; makes its folder. Raises `OSError`, and leaves nothing then."""
    with whole_file(path) as partial:
        partial.write_bytes(content)
