"""Texts made from model libraries, kept on disk for as long as no file of the library changes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs

_FOLDER_VARIABLE = "COSIM_CACHE"


def folder() -> Path:
    """Where the cache lies: `COSIM_CACHE` if set, else the user's cache folder."""
    configured = os.environ.get(_FOLDER_VARIABLE)
    return Path(configured).expanduser() if configured else platformdirs.user_cache_path("cosim")


def text(library: Path, section: str, request: str, make: Callable[[], tuple[str, Sequence[Path]]]) -> str:
    """The text for `request` from a library section, made by `make` unless it is there; `make` also gives the files it read.

    A changed content of any of these files makes the entry void, and so does damage of the entry. A folder that cannot be written
    costs time, not results.
    """
    models = folder() / "models"
    listing = models / f"{_digest(str(library), section)}.files"
    with contextlib.suppress(OSError, ValueError):
        files = _listed(_sound(listing))
        return _sound(models / f"{_key(files, request)}.spice")
    made, files_read = make()
    with contextlib.suppress(OSError):
        models.mkdir(parents=True, exist_ok=True)
        _replace(models / f"{_key(files_read, request)}.spice", made)
        _replace(listing, "\n".join(map(str, files_read)))
    return made


@functools.cache
def _listed(listing: str) -> tuple[Path, ...]:
    """The files of a listing: a hundred for each of thousands of decks."""
    return tuple(map(Path, listing.splitlines()))


def _key(files: Sequence[Path], request: str) -> str:
    return _digest(request, *(f"{path} {content_digest(path)}" for path in files))


def content_digest(path: Path) -> str:
    """SHA-256 of a file's content, read once in a process for each state of the file."""
    state = path.stat()
    return _content_digest(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@functools.cache
def _content_digest(path: Path, *_state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _sound(path: Path) -> str:
    """The content of an entry behind its first line, which is its digest. Raises ValueError where it is not as it was written."""
    digest, _, content = path.read_text(encoding="utf-8").partition("\n")
    if digest != _seal(content):
        raise ValueError(f"{path}: is damaged")
    return content


def _seal(content: str) -> str:
    return f"* {hashlib.sha256(content.encode()).hexdigest()}"


def _replace(path: Path, content: str) -> None:
    """Write an entry beside its place and move it there.

    Under a name that is the same for all who make the entry, so that what one leaves who is killed is taken up by the next. Two
    at once may spoil each other's, which the digest tells: it is made again.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(f"{_seal(content)}\n{content}", encoding="utf-8")
    partial.replace(path)
