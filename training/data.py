"""Data sets as spike times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import Tensor

from training.hardware import FloatArray


@dataclass(frozen=True)
class SpikeData:
    """Spike times in phases [samples, inputs] and labels [samples] of a training and a test set; a time of 1 never arrives.

    `minimum` and `maximum` [features] are the scaling of the features, taken from the training set alone; `train_rows` and
    `test_rows` are the rows of the data set that each sample came from.
    """

    train_t: Tensor
    train_labels: Tensor
    test_t: Tensor
    test_labels: Tensor
    minimum: FloatArray
    maximum: FloatArray
    train_rows: list[int]
    test_rows: list[int]

    @property
    def inputs(self) -> int:
        return self.train_t.shape[1]

    @property
    def classes(self) -> int:
        return int(self.train_labels.max()) + 1


def encode(features: FloatArray, minimum: FloatArray, maximum: FloatArray) -> FloatArray:
    """Features [samples, n] as spike times [samples, n + 1]: t = scaled feature, clipped to [0, 1], and a bias spike at t = 0."""
    scaled = np.clip((features - minimum) / (maximum - minimum), 0.0, 1.0)
    return np.concatenate([scaled, np.zeros((len(scaled), 1))], axis=1)


def iris(test_samples: int = 50, split_seed: int = 0) -> SpikeData:
    """Fisher's Iris as five spikes per flower, in a stratified split.

    Raises ValueError unless 3 <= test_samples <= 147: every class needs a flower on both sides.
    """
    if not 3 <= test_samples <= 147:
        raise ValueError(f"test_samples: {test_samples} must lie in 3 .. 147 (Iris has 150 flowers of three classes)")
    features, labels = load_iris(return_X_y=True)
    train, test = train_test_split(np.arange(len(labels)), test_size=test_samples, stratify=labels, random_state=split_seed)
    minimum, maximum = features[train].min(0), features[train].max(0)

    def spikes(rows: FloatArray) -> Tensor:
        return torch.as_tensor(encode(features[rows], minimum, maximum), dtype=torch.get_default_dtype())

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
