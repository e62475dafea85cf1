"""The data sets that scikit-learn carries."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits, load_iris, load_wine

from training.data.features import feature_spikes, stratified
from training.data.spikes import SpikeData
from training.encoding import brightness_times

BRIGHTEST_DIGIT = 16.0


def iris(test_samples: int = 50, split_seed: int = 0, bias: bool = True) -> SpikeData:
    """Fisher's Iris, 150 flowers of three classes: four features and a bias spike, in a stratified split.

    Raises `DataFileError` unless every class has a flower on both sides.
    """
    found = load_iris()
    return feature_spikes(
        found.data, found.target, found.feature_names, test_samples=test_samples, split_seed=split_seed, bias=bias
    )


def wine(test_samples: int = 59, split_seed: int = 0, bias: bool = True) -> SpikeData:
    """Wine, 178 wines of three growers: thirteen features and a bias spike, in a stratified split.

    Raises `DataFileError` unless every class has a wine on both sides.
    """
    found = load_wine()
    return feature_spikes(
        found.data, found.target, found.feature_names, test_samples=test_samples, split_seed=split_seed, bias=bias
    )


def digits(test_samples: int = 360, split_seed: int = 0) -> SpikeData:
    """The 1797 handwritten digits of 8 x 8 pixels as 64 spikes, in a stratified split.

    Raises `DataFileError` unless every class has a digit on both sides.
    """
    pixels, labels = load_digits(return_X_y=True)
    train, test = stratified(labels, test_samples, split_seed)
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
