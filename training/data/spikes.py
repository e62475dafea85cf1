"""What a data set is to a network: spike times and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from training.hardware import FloatArray
from training.shapes import pooled_image


@dataclass(frozen=True)
class SpikeData:
    """Spike times in phases [samples, inputs] and labels [samples] of a training and a test set; a time of 1 never arrives.

    `minimum` and `maximum` [features], or [1] for pixels, are the scaling of the features, taken from the training set alone;
    `train_rows` and `test_rows` are the rows of the data set that each sample came from. `image` is the shape
    (channels, height, width) of a sample that is one; a convolutional network takes `as_images()`. `class_names` are what a table
    calls its classes, in the order of the labels.
    """

    train_t: Tensor
    train_labels: Tensor
    test_t: Tensor
    test_labels: Tensor
    minimum: FloatArray
    maximum: FloatArray
    train_rows: list[int]
    test_rows: list[int]
    image: tuple[int, int, int] | None = None
    class_names: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        return self.train_t[0].numel()

    @cached_property
    def classes(self) -> int:
        return int(self.train_labels.max()) + 1

    def with_bias(self) -> SpikeData:
        """The same samples with an input more, which spikes at the start of every phase."""
        train, test = (torch.cat([t.flatten(1), t.new_zeros(len(t), 1)], 1) for t in (self.train_t, self.test_t))
        return replace(self, train_t=train, test_t=test, image=None)

    def as_images(self) -> SpikeData:
        """The same samples as [samples, channels, height, width]. Raises ValueError for a set without pictures."""
        if self.image is None:
            raise ValueError("these samples are no images; take a network with fully connected layers")
        return replace(self, train_t=self.train_t.view(-1, *self.image), test_t=self.test_t.view(-1, *self.image))

    def pooled(self, pool: int) -> SpikeData:
        """The same samples with every square of so many pixels averaged into one, whose spike comes at the mean brightness.

        Raises ValueError for a set without pictures, and where the squares do not come out even.
        """
        if pool == 1:
            return self
        pictures = self.as_images()
        assert self.image is not None
        train, test = (F.avg_pool2d(t, pool).flatten(1) for t in (pictures.train_t, pictures.test_t))
        return replace(self, train_t=train, test_t=test, image=pooled_image(self.image, pool))

    def with_levels(self, levels: int) -> SpikeData:
        """The same samples with spikes at so many times alone, equally far apart, 0 and 1 (never) among them; 0 leaves them.

        Raises ValueError for a single level.
        """
        if levels == 0:
            return self
        if levels < 2:
            raise ValueError(f"levels: {levels} of a pixel; give 2 or more")
        steps = levels - 1
        return replace(self, **{name: (getattr(self, name) * steps).round() / steps for name in ("train_t", "test_t")})

    def with_gamma(self, gamma: float) -> SpikeData:
        """The same samples, each brightness x (spike time 1 - x) raised to `gamma`; below 1 what is dark spikes earlier.

        Raises ValueError for a gamma that is not positive.
        """
        if not gamma > 0.0:
            raise ValueError(f"gamma: {gamma} must be positive")
        if gamma == 1.0:
            return self
        return replace(self, **{name: 1.0 - (1.0 - getattr(self, name)) ** gamma for name in ("train_t", "test_t")})

    def to(self, device: torch.device) -> SpikeData:
        """The same data on another device, which no training step then waits for to learn the number of classes."""
        tensors = {name: getattr(self, name).to(device) for name in ("train_t", "train_labels", "test_t", "test_labels")}
        moved = replace(self, **tensors)
        vars(moved)["classes"] = self.classes
        return moved


def held_out(data: SpikeData, samples: int, seed: int = 0) -> SpikeData:
    """Some training samples, drawn by `seed`, in the place of the test set: settings are chosen on them, never on the test set.

    Raises ValueError unless at least one training sample is left.
    """
    total = len(data.train_labels)
    if not 0 < samples < total:
        raise ValueError(f"held-out samples: {samples} must lie in 1 .. {total - 1}")
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed)).tolist()
    return _chosen(data, order[samples:], order[:samples])


def reduced(data: SpikeData, samples: int, seed: int = 0) -> SpikeData:
    """`samples` of the training samples, drawn by `seed`; the whole test set. Raises ValueError where there are not so many."""
    total = len(data.train_labels)
    if not 0 < samples <= total:
        raise ValueError(f"train_samples: {samples} must lie in 1 .. {total}")
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed)).tolist()
    return replace(_chosen(data, order[:samples], []), test_t=data.test_t, test_labels=data.test_labels, test_rows=data.test_rows)


def first_test_samples(data: SpikeData, samples: int) -> SpikeData:
    """The whole training set, and the first so many test samples."""
    return replace(data, test_t=data.test_t[:samples], test_labels=data.test_labels[:samples], test_rows=data.test_rows[:samples])


def _chosen(data: SpikeData, train: Sequence[int], test: Sequence[int]) -> SpikeData:
    """These samples of the training set as training and as test set."""
    train_index, test_index = torch.tensor(train, dtype=torch.long), torch.tensor(test, dtype=torch.long)
    return replace(
        data,
        train_t=data.train_t[train_index],
        train_labels=data.train_labels[train_index],
        test_t=data.train_t[test_index],
        test_labels=data.train_labels[test_index],
        train_rows=[data.train_rows[i] for i in train],
        test_rows=[data.train_rows[i] for i in test],
    )
