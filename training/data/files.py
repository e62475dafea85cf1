"""The official formats of the image data sets, read and checked; nothing here is a pickle."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

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


class DataFileError(TrainingError):
    """A data file is missing or is not what it should be. One line: file, what is wrong, what would be right."""


def read_idx_set(folder: Path, part: str) -> tuple[Pixels, Pixels]:
    """Images [n, 1, height, width] and labels [n] of one part ("train" or "test") of an MNIST-like set, .gz or not."""
    image_file, label_file = (_present(folder, name) for name in IDX_FILES[part])
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(images) != len(labels):
        raise DataFileError(f"{label_file}: holds {len(labels)} labels for the {len(images)} images of {image_file.name}")
    _check_labels(label_file, labels)
    return images[:, None], labels


def read_idx(path: Path, dimensions: int) -> Pixels:
    """An idx file of unsigned bytes (magic 0, 0, 8, dimensions; big-endian sizes; data). Raises `DataFileError`."""
    content = _content(path)
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
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise DataFileError(f"{folder}: {name}: missing; give the folder of the official files, or none to download them")


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{path}: cannot be read: {error}; fetch the file again") from error
