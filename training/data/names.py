"""What data sets there are; read without torch and without any of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, get_args

from training.shapes import Image, NetworkShape, Window, pooled_image

SetName = Literal["iris", "wine", "digits", "mnist", "fashion-mnist", "cifar-10"]
SETS: tuple[str, ...] = get_args(SetName)

IMAGES: dict[str, Image] = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28), "cifar-10": (3, 32, 32)}
"""Sets whose samples are pictures."""

FEATURES = {"iris": 4, "wine": 13, **{name: prod(image) for name, image in IMAGES.items()}}
"""Inputs of a sample, without a bias spike."""


def network_shape(
    dataset: str,
    features: Sequence[str] | None,
    bias: bool,
    layers: Sequence[int],
    pool: int = 1,
    windows: Sequence[Window] = (),
) -> NetworkShape:
    """The shape of a network on a data set.

    Args:
        dataset: one of `SETS`, or any word where `features` says what the inputs are.
        features: columns of a table.
        bias: whether there is one more input.
        layers: neurons of each dense layer, the outputs last.
        pool: so many by so many pixels of a picture are one input.
        windows: convolutions before the dense layers.

    Raises ValueError where the samples are no pictures, or none that `pool` and `windows` fit.
    """
    if pool == 1 and not windows:
        return NetworkShape((FEATURES[dataset] if features is None else len(features)) + bias, tuple(layers))
    if dataset not in IMAGES:
        raise ValueError(f"{dataset} has no pictures; those that have are {', '.join(IMAGES)}")
    if windows and bias:
        raise ValueError("a convolution has no line for a bias spike; set bias = false")
    image = pooled_image(IMAGES[dataset], pool)
    return NetworkShape(prod(image) + bias, tuple(layers), image, tuple(windows))
