"""The official formats of the image data sets, read and checked; nothing here is a pickle."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.files import read_bounded, why

Pixels = NDArray[np.uint8]

IDX_UNSIGNED_BYTE = 8
CIFAR_SHAPE = (3, 32, 32)
CIFAR_RECORD = 1 + 3 * 32 * 32
CIFAR_TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
CIFAR_TEST = ("test_batch.bin",)
IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


GZIP_MAGIC = b"\x1f\x8b"
CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
KNOWN_CONTENTS = {
    **dict.fromkeys(
        ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
         "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"), "mnist",
    ),
    **dict.fromkeys(
        ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
         "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"), "fashion-mnist",
    ),
}  # fmt: skip
"""md5 sum of an official idx file, unpacked -> its set: images and labels of training and test."""


class DataFileError(TrainingError):
    """A data file is missing or is not what it should be. One line: file, what is wrong, what would be right."""


def read_idx_set(folder: Path, part: str, name: str) -> tuple[Pixels, Pixels]:
    """Images [n, 1, height, width] and labels [n] of one part ("train" or "test") of the MNIST-like set `name`, .gz or not."""
    image_file, label_file = (_present(folder, file) for file in IDX_FILES[part])
    images, labels = read_idx(image_file, 3, name), read_idx(label_file, 1, name)
    if len(images) != len(labels):
        raise DataFileError(f"{label_file}: holds {len(labels)} labels for the {len(images)} images of {image_file.name}")
    _check_labels(label_file, labels)
    return images[:, None], labels


def read_idx(path: Path, dimensions: int, name: str) -> Pixels:
    """An idx file of unsigned bytes (magic 0, 0, 8, dimensions; big-endian sizes; data) of the set `name`.

    Raises `DataFileError`, also for a known file of another set.
    """
    content = _content(path)
    _check_set(path, content, name)
    header = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, IDX_UNSIGNED_BYTE, dimensions]) or len(content) < header:
        raise DataFileError(f"{path}: is no idx file of unsigned bytes in {dimensions} dimensions")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    expected, found = int(np.prod(shape)), len(content) - header
    if found != expected:
        raise DataFileError(f"{path}: holds {found} bytes of data, its header says {expected}; fetch the file again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_cifar_set(folder: Path, part: str) -> tuple[Pixels, Pixels]:
    """Images [n, 3, 32, 32] and labels [n] of the binary version of CIFAR-10 (a label and 3072 bytes of pixels a record)."""
    records = [_read_cifar(_present(folder, name)) for name in (CIFAR_TRAIN if part == "train" else CIFAR_TEST)]
    together = np.concatenate(records)
    return together[:, 1:].reshape(-1, *CIFAR_SHAPE), together[:, 0]


def _read_cifar(path: Path) -> Pixels:
    content = _content(path)
    if not content or len(content) % CIFAR_RECORD:
        raise DataFileError(
            f"{path}: holds {len(content)} bytes, a batch of CIFAR-10's binary version holds a multiple of {CIFAR_RECORD}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, CIFAR_RECORD)
    _check_labels(path, records[:, 0])
    return records


def _check_labels(path: Path, labels: Pixels) -> None:
    if len(labels) == 0 or labels.max() > 9:
        found = f"the label {labels.max()}" if len(labels) else "no label"
        raise DataFileError(f"{path}: holds {found}; labels are 0 .. 9")


def _present(folder: Path, name: str) -> Path:
    """An official file as archives and browsers leave it: packed or not, its name with a dot, in a folder of its own name."""
    spelled = (name, name.replace("-idx", ".idx"))
    for place in (folder, *(folder / one for one in spelled)):
        for candidate in (place / f"{one}{packed}" for one in spelled for packed in ("", ".gz")):
            if candidate.is_file():
                return candidate
    if name.endswith(".bin") and (pickled := next(folder.rglob(name.removesuffix(".bin")), None)):
        raise DataFileError(
            f"{pickled}: is of the Python version of CIFAR-10, a pickle, which can run anything and is not opened; get "
            f"{CIFAR_ARCHIVE} (the binary version) and give its folder"
        )
    raise DataFileError(f"{folder}: {name}: missing; give the folder of the official files, or none to download them")


def _content(path: Path) -> bytes:
    """What a file holds; packed is what begins as such, whatever its name."""
    try:
        content = read_bounded(path)
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{path}: cannot be read: {why(error)}; fetch the file again") from error


def _check_set(path: Path, content: bytes, name: str) -> None:
    """Raises `DataFileError` for the known file of another set: these differ in nothing else."""
    known = KNOWN_CONTENTS.get(hashlib.md5(content, usedforsecurity=False).hexdigest(), name)
    if known != name:
        raise DataFileError(f"{path}: is a file of {known}, not of {name}; name that set, or give the folder of {name}")
