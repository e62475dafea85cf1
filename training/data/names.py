"""What data sets there are; read without torch and without any of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, Protocol, get_args

from training.shapes import Image, NetworkShape, Window, pooled_image
from training.structures.plan import AnyStructure, wired

SetName = Literal["iris", "wine", "digits", "mnist", "fashion-mnist", "cifar-10"]
SETS: tuple[str, ...] = get_args(SetName)

IMAGES: dict[str, Image] = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28), "cifar-10": (3, 32, 32)}
"""Sets whose samples are pictures."""

FEATURES = {"iris": 4, "wine": 13, **{name: prod(image) for name, image in IMAGES.items()}}
"""Inputs of a sample, without a bias spike."""


class TableColumns(Protocol):
    """A table of samples."""

    @property
    def features(self) -> Sequence[str]: ...


class Convolution(Protocol):
    """A convolution as a design describes it; see `Window`."""

    @property
    def channels(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def stride(self) -> int: ...


class DescribedNetwork(Protocol):
    """A network as a design describes it.

    `dataset`: one of `SETS`, or any word where `table` says what the inputs are. `bias`: whether there is one more input.
    `layers`: neurons of each dense layer, the outputs last. `pool`: so many by so many pixels of a picture are one input.
    `convolutions`: before the dense layers.
    """

    @property
    def dataset(self) -> str: ...
    @property
    def table(self) -> TableColumns | None: ...
    @property
    def bias(self) -> bool: ...
    @property
    def layers(self) -> Sequence[int]: ...
    @property
    def pool(self) -> int: ...
    @property
    def convolutions(self) -> Sequence[Convolution]: ...


def network_shape(network: DescribedNetwork, structure: AnyStructure | None = None) -> NetworkShape:
    """The layers of a network on its data, with the links that a structure leaves.

    Raises ValueError where the samples are no pictures, or none that `pool` and `convolutions` fit.
    """
    return wired(_on_every_line(network), structure)


def _on_every_line(network: DescribedNetwork) -> NetworkShape:
    windows = tuple(Window(own.channels, own.kernel, own.stride) for own in network.convolutions)
    if network.pool == 1 and not windows:
        inputs = len(network.table.features) if network.table else FEATURES[network.dataset]
        return NetworkShape(inputs + network.bias, tuple(network.layers))
    if network.dataset not in IMAGES:
        raise ValueError(f"{network.dataset} has no pictures; those that have are {', '.join(IMAGES)}")
    if windows and network.bias:
        raise ValueError("a convolution has no line for a bias spike; set bias = false")
    image = pooled_image(IMAGES[network.dataset], network.pool)
    return NetworkShape(prod(image) + network.bias, tuple(network.layers), image, windows)
