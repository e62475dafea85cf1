"""A file of tensors that is too large for where it has to go: several files beside an index, which is written last.

The parts of one content carry its digest in their names, so that a kill between them leaves the content before it whole.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from training.files import read_bounded, why, write_whole
from training.tensors import NetworkFileError, read_tensors, write_tensors

MOST_BYTES = 15 << 20

_PARTS, _DIGEST = "parts", "parts_sha256"


def write_parted(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], most_bytes: int = MOST_BYTES) -> None:
    """Write tensors to `path`, or to parts beside it where the file would have more than so many bytes. Raises `OSError`."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    if len(content) <= most_bytes:
        write_tensors(path, tensors, metadata)
        _remove_parts(path, ())
        return
    digest, count = hashlib.sha256(content).hexdigest(), -(-len(content) // most_bytes)
    names = [f"{path.name}.{digest[:8]}.{number + 1}of{count}" for number in range(count)]
    for number, name in enumerate(names):
        write_whole(path.with_name(name), content[number * most_bytes : (number + 1) * most_bytes])
    write_tensors(path, {}, {**metadata, _PARTS: " ".join(names), _DIGEST: digest})
    _remove_parts(path, names)


def read_parted(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of what `write_parted` wrote, or of a file of tensors. Raises `NetworkFileError`."""
    tensors, metadata = read_tensors(path)
    if (names := metadata.pop(_PARTS, None)) is None:
        return tensors, metadata
    content = b"".join(_part(path, name) for name in names.split())
    if hashlib.sha256(content).hexdigest() != metadata.pop(_DIGEST, None):
        raise NetworkFileError(f"{path}: {_PARTS}: are not what they were when the file was written; copy all of them again")
    try:
        return load(content), metadata
    except SafetensorError as error:
        raise NetworkFileError(f"{path}: {_PARTS}: cannot be read as safetensors: {error}") from error


def remove(path: Path) -> None:
    """Delete what `write_parted` wrote."""
    path.unlink()
    _remove_parts(path, ())


def _part(path: Path, name: str) -> bytes:
    if Path(name).name != name:
        raise NetworkFileError(f"{path}: {_PARTS}: {name!r} is no name of a file beside it")
    try:
        return read_bounded(path.with_name(name))
    except OSError as error:
        raise NetworkFileError(f"{path}: part {name} cannot be read: {why(error)}; copy all of them again") from error


def _remove_parts(path: Path, but: Sequence[str]) -> None:
    for old in _parts_of(path):
        if old.name not in but:
            with contextlib.suppress(OSError):
                old.unlink()


def _parts_of(path: Path) -> Iterator[Path]:
    return path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 8}.*of*")
