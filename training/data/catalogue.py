"""Every data set by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from training.data.download import fetch
from training.data.embedded import digits, iris, wine
from training.data.files import DataFileError, read_cifar_set, read_idx_set
from training.data.spikes import SpikeData
from training.encoding import brightness_times

SetName = Literal["iris", "wine", "digits", "mnist", "fashion-mnist", "cifar-10"]
SETS: tuple[str, ...] = get_args(SetName)

EMBEDDED = {"iris": iris, "wine": wine, "digits": digits}
"""Sets that need no file."""

BRIGHTEST = 255.0
# What the archive, or other libraries, call the folder of a set.
FOLDERS = {
    "mnist": ("mnist", "MNIST/raw"),
    "fashion-mnist": ("fashion-mnist", "FashionMNIST/raw"),
    "cifar-10": ("cifar-10", "cifar-10-batches-bin"),
}


def load(name: str, folder: Path | str | None = None) -> SpikeData:
    """A data set as spike times, in its official split (those that need no file: stratified, seed 0).

    Args:
        name: one of `SETS`.
        folder: holds the official files, directly or in a folder of the set's name; they are downloaded to the user's cache
            where None. Iris, wine and digits need no files.

    Raises:
        DataFileError: an unknown name, a file that is missing, truncated or another; one line.
    """
    if name in EMBEDDED:
        return EMBEDDED[name]()
    if name not in FOLDERS:
        raise DataFileError(f"data set {name!r} is unknown; there are {', '.join(SETS)}")
    return _images(name, fetch(name) if folder is None else _set_folder(Path(folder), name))


def _set_folder(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise DataFileError(f"{folder}: is no folder; give the folder of the official {name} files, or none to download them")
    return next((folder / inner for inner in FOLDERS[name] if (folder / inner).is_dir()), folder)


def _images(name: str, folder: Path) -> SpikeData:
    read = read_cifar_set if name == "cifar-10" else read_idx_set
    (train, train_labels), (test, test_labels) = read(folder, "train"), read(folder, "test")
    if train.shape[1:] != test.shape[1:]:
        raise DataFileError(
            f"{folder}: training images are {train.shape[1:]}, test images {test.shape[1:]}; one set is another's"
        )
    channels, height, width = train.shape[1:]
    return SpikeData(
        train_t=brightness_times(train, BRIGHTEST).flatten(1),
        train_labels=torch.as_tensor(train_labels.astype(np.int64)),
        test_t=brightness_times(test, BRIGHTEST).flatten(1),
        test_labels=torch.as_tensor(test_labels.astype(np.int64)),
        minimum=np.zeros(1),
        maximum=np.full(1, BRIGHTEST),
        train_rows=list(range(len(train))),
        test_rows=list(range(len(test))),
        image=(channels, height, width),
    )
