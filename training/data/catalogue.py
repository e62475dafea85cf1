"""Every data set by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training.data.download import fetch
from training.data.embedded import digits, iris, wine
from training.data.features import feature_spikes
from training.data.files import DataFileError, read_cifar_set, read_idx_set
from training.data.names import SETS
from training.data.spikes import SpikeData, first_test_samples
from training.data.table import Table, samples_of
from training.encoding import brightness_times

TABLES = {"iris": iris, "wine": wine}
EMBEDDED = {**TABLES, "digits": digits}
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


def load_split(
    name: str,
    folder: Path | str | None = None,
    *,
    test_samples: int,
    split_seed: int = 0,
    bias: bool = True,
    pool: int = 1,
    levels: int = 0,
) -> SpikeData:
    """A data set with so many test samples, and a bias spike as its last input where `bias`.

    The split is drawn by `split_seed`, stratified; sets that come split keep their training part and the first of their test
    samples. Of pictures, `pool` by `pool` pixels are one, of so many grey `levels` (0: all). Raises `DataFileError` as `load`
    does, where there are not so many samples, and where there is nothing to pool.
    """
    if name in TABLES:
        if pool > 1:
            raise DataFileError(f"pool: {name} has no pictures to pool")
        return TABLES[name](test_samples, split_seed, bias)
    if name == "digits":
        data = digits(test_samples, split_seed)
    else:
        data = load(name, folder)
        if test_samples > len(data.test_labels):
            raise DataFileError(f"test_samples: {test_samples} is more than the {len(data.test_labels)} of {name}")
        data = first_test_samples(data, test_samples)
    data = data.pooled(pool).with_levels(levels)
    return data.with_bias() if bias else data


def load_table(table: Table, *, test_samples: int, split_seed: int = 0, bias: bool = True) -> SpikeData:
    """The samples of a user's table as spike times, in a stratified split (see `training.data.features.feature_spikes`).

    Raises `DataFileError` for a table that cannot be used, or a split that is not possible; one line with file and column.
    """
    found = samples_of(table)
    try:
        data = feature_spikes(
            found.features, found.labels, found.names, test_samples=test_samples, split_seed=split_seed, bias=bias
        )
    except DataFileError as error:
        raise DataFileError(f"{table.file}: {error}") from error
    return replace(data, class_names=found.classes)


def _set_folder(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise DataFileError(f"{folder}: is no folder; give the folder of the official {name} files, or none to download them")
    return next((folder / inner for inner in FOLDERS[name] if (folder / inner).is_dir()), folder)


def _images(name: str, folder: Path) -> SpikeData:
    (train, train_labels), (test, test_labels) = (
        read_cifar_set(folder, part) if name == "cifar-10" else read_idx_set(folder, part, name) for part in ("train", "test")
    )
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
