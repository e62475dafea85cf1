"""Tables of numbers as spikes: one input a feature, a bias spike where it is asked for, a stratified split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor

from training.data.files import DataFileError
from training.data.spikes import SpikeData
from training.encoding import feature_times
from training.hardware import FloatArray


def feature_spikes(
    features: FloatArray,
    labels: NDArray[np.intp],
    names: Sequence[str],
    *,
    test_samples: int,
    split_seed: int = 0,
    bias: bool = True,
) -> SpikeData:
    """Features as spike times, in a stratified split; ranges are learnt on the training part alone.

    Args:
        features: [samples, features].
        labels: [samples], 0 .. classes - 1.
        names: of the features, for what is said of them.
        test_samples: samples of the test part.
        split_seed: draws the split.
        bias: append an input that spikes at the start of every phase.

    Raises `DataFileError` where a split is not possible, or a feature is the same in every training sample.
    """
    train, test = stratified(labels, test_samples, split_seed)
    minimum, maximum = features[train].min(0), features[train].max(0)
    if constant := [name for name, low, high in zip(names, minimum, maximum, strict=True) if low == high]:
        raise DataFileError(
            f"feature {constant[0]!r} is the same in every training sample, so that it says nothing; leave it out"
        )

    def spikes(rows: NDArray[np.intp]) -> Tensor:
        times = feature_times(features[rows], minimum, maximum, bias=bias)
        return torch.as_tensor(times, dtype=torch.get_default_dtype())

    return SpikeData(
        train_t=spikes(train),
        train_labels=torch.as_tensor(labels[train], dtype=torch.long),
        test_t=spikes(test),
        test_labels=torch.as_tensor(labels[test], dtype=torch.long),
        minimum=minimum,
        maximum=maximum,
        train_rows=train.tolist(),
        test_rows=test.tolist(),
    )


def stratified(labels: NDArray[np.intp], test_samples: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the training and of the test part, every class in both by its share.

    Raises `DataFileError` unless every class has a sample on both sides.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise DataFileError("all samples are of one class; there is nothing to tell apart")
    if counts.min() < 2:
        raise DataFileError("a class has one sample only; every class needs one to train on and one to test on")
    least, most = len(classes), len(labels) - len(classes)
    if not least <= test_samples <= most:
        raise DataFileError(
            f"test_samples: {test_samples} must lie in {least} .. {most} ({len(labels)} samples of {len(classes)} classes)"
        )
    train, test = train_test_split(np.arange(len(labels)), test_size=test_samples, stratify=labels, random_state=seed)
    return train, test
