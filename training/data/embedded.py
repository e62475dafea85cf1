"""The data sets that scikit-learn carries."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split
from torch import Tensor

from training.data.spikes import SpikeData
from training.encoding import brightness_times, feature_times

BRIGHTEST_DIGIT = 16.0


def iris(test_samples: int = 50, split_seed: int = 0) -> SpikeData:
    """Fisher's Iris as five spikes per flower (four features and a bias spike), in a stratified split.

    Raises ValueError unless 3 <= test_samples <= 147: every class needs a flower on both sides.
    """
    if not 3 <= test_samples <= 147:
        raise ValueError(f"test_samples: {test_samples} must lie in 3 .. 147 (Iris has 150 flowers of three classes)")
    features, labels = load_iris(return_X_y=True)
    train, test = _stratified(labels, test_samples, split_seed)
    minimum, maximum = features[train].min(0), features[train].max(0)

    def spikes(rows: NDArray[np.intp]) -> Tensor:
        return torch.as_tensor(feature_times(features[rows], minimum, maximum), dtype=torch.get_default_dtype())

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


def digits(test_samples: int = 360, split_seed: int = 0) -> SpikeData:
    """The 1797 handwritten digits of 8 x 8 pixels as 64 spikes, in a stratified split.

    Raises ValueError unless 10 <= test_samples <= 1787: every class needs a digit on both sides.
    """
    if not 10 <= test_samples <= 1787:
        raise ValueError(f"test_samples: {test_samples} must lie in 10 .. 1787 (there are 1797 digits of ten classes)")
    pixels, labels = load_digits(return_X_y=True)
    train, test = _stratified(labels, test_samples, split_seed)
    times = brightness_times(pixels, BRIGHTEST_DIGIT)
    targets = torch.as_tensor(labels, dtype=torch.long)
    return SpikeData(
        train_t=times[train],
        train_labels=targets[train],
        test_t=times[test],
        test_labels=targets[test],
        minimum=np.zeros(1),
        maximum=np.full(1, BRIGHTEST_DIGIT),
        train_rows=train.tolist(),
        test_rows=test.tolist(),
        image=(1, 8, 8),
    )


def _stratified(labels: NDArray[np.intp], test_samples: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    train, test = train_test_split(np.arange(len(labels)), test_size=test_samples, stratify=labels, random_state=seed)
    return train, test
