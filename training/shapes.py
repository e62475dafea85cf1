"""The layers of a network as crossbars: how many synapses hang on a membrane and on an input line. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import NamedTuple, Self

Image = tuple[int, int, int]
"""Channels, height and width."""


class Window(NamedTuple):
    """A convolution: what slides over an image, by so many pixels at a time, and gives so many channels. It has no border, so
    that every neuron has as many synapses as any other."""

    channels: int
    kernel: int
    stride: int

    def over(self, image: Image) -> Image:
        """What comes of an image. Raises ValueError where the window is larger."""
        extents = image[1:]
        if min(extents) < self.kernel:
            raise ValueError(f"a window of {self.kernel} x {self.kernel} is larger than the image, {_told(image)}")
        height, width = ((extent - self.kernel) // self.stride + 1 for extent in extents)
        return self.channels, height, width

    def crossbar(self, image: Image) -> Crossbar:
        """What the layer is in a circuit, a neuron for every channel and position."""
        made = self.over(image)
        synapses, neurons = image[0] * self.kernel**2, prod(made)
        reached = image[0] * prod((positions - 1) * self.stride + self.kernel for positions in made[1:])
        return Crossbar(synapses, max(1, round(synapses * neurons / reached)), neurons)


class Crossbar(NamedTuple):
    """A layer in a circuit: synapses on a membrane, synapses on an input line (the mean over the lines that have any, rounded),
    and neurons. Of a dense layer every neuron is on every line."""

    synapses: int
    rows: int
    neurons: int


def pooled_image(image: Image, pool: int) -> Image:
    """The image with every square of so many pixels made one. Raises ValueError where they do not come out even."""
    if any(extent % pool for extent in image[1:]):
        raise ValueError(f"pool {pool} does not divide the pictures, {_told(image)}")
    return image[0], image[1] // pool, image[2] // pool


@dataclass(frozen=True)
class NetworkShape:
    """What a network is before it has weights: convolutions over an image first, one after another, then dense layers.

    Attributes:
        inputs: spike lines into the first layer.
        dense: neurons of each dense layer, the outputs last.
        image: that the inputs are, where there are convolutions.
        linked: synapses on a membrane of each dense layer, where it is wired to some of its lines alone; all where empty.
    """

    inputs: int
    dense: tuple[int, ...]
    image: Image | None = None
    windows: tuple[Window, ...] = ()
    linked: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.windows and (self.image is None or prod(self.image) != self.inputs):
            raise ValueError(f"image: a convolution needs one of as many pixels as there are inputs, {self.inputs}")
        self.images  # noqa: B018 (refuses a window that is larger than its image)

    @classmethod
    def of(cls, *sizes: int) -> Self:
        """Dense layers alone, such as of(5, 5, 5)."""
        return cls(sizes[0], sizes[1:])

    @property
    def images(self) -> list[Image]:
        """What goes into each convolution, and what comes out of the last one; nothing without any."""
        images = [self.image] if self.windows and self.image else []
        for window in self.windows:
            images.append(window.over(images[-1]))
        return images

    @property
    def crossbars(self) -> tuple[Crossbar, ...]:
        """Every layer, in order."""
        images = self.images
        return (
            *(window.crossbar(before) for window, before in zip(self.windows, images, strict=False)),
            *(
                Crossbar(links, max(1, round(after * links / before)), after)
                for (before, after), links in zip(self.dense_sizes, self.linked or self.dense_lines, strict=True)
            ),
        )

    @property
    def dense_sizes(self) -> list[tuple[int, int]]:
        """Lines and neurons of each dense layer."""
        images = self.images
        return list(pairwise([prod(images[-1]) if images else self.inputs, *self.dense]))

    @property
    def dense_lines(self) -> tuple[int, ...]:
        """Lines of each dense layer."""
        return tuple(lines for lines, _ in self.dense_sizes)

    @property
    def fan_outs(self) -> tuple[int, ...]:
        """Synapses that a neuron of each layer drives; the outputs drive none."""
        return (*(layer.rows for layer in self.crossbars[1:]), 0)

    @property
    def weights(self) -> list[tuple[int, ...]]:
        """The shape of the weights of every layer: of a convolution [channels out, channels in, kernel, kernel]."""
        images = self.images
        return [
            *((own.channels, before[0], own.kernel, own.kernel) for own, before in zip(self.windows, images, strict=False)),
            *((neurons, lines) for lines, neurons in self.dense_sizes),
        ]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lines from the inputs to the outputs, such as (5, 5, 5)."""
        return (self.inputs, *(layer.neurons for layer in self.crossbars))


def _told(image: Image) -> str:
    return " x ".join(map(str, image[1:]))
