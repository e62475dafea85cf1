"""Networks of the published experiments, ready to train (Sakemi et al. 2025, arXiv 2412.09010)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from training.convolution import RCSpikeConvolution
from training.hardware import NormalisedModel
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork, of_layers
from training.neurons.layers import TTFSLayer
from training.neurons.ttfs import FirstSpikes
from training.pooling import AverageSpikePool, EarliestSpikePool
from training.shapes import NetworkShape
from training.solvers.connection import Convolution

# Channels of the published convolutional network, a pooling after every group.
PUBLISHED_CHANNELS = ((64, 64), (128, 128), (256, 256))
PUBLISHED_HIDDEN = (512,)

POOLS = {"earliest": EarliestSpikePool, "average": AverageSpikePool}


def shaped(shape: NetworkShape, model: NormalisedModel | Sequence[NormalisedModel], **options: Any) -> RCSpikeNetwork:
    """A network of a shape: takes [batch, inputs], also where they are an image that convolutions go over.

    Args:
        model: hardware of every layer, or of each in turn.
        options: keyword arguments of `RCSpikeLayer`.
    """
    if shape.image is None or not shape.windows:
        return RCSpikeNetwork(shape.sizes, model, **options)
    models = of_layers(model, len(shape.crossbars))
    layers = list(zip(models, shape.weights, shape.fan_outs, strict=True))
    convolutions = [
        RCSpikeConvolution(inputs, outputs, own, kernel, stride=window.stride, fan_out=fan_out, **options)
        for window, (own, (outputs, inputs, kernel, _), fan_out) in zip(shape.windows, layers, strict=False)
    ]
    dense = [
        RCSpikeLayer(inputs, outputs, own, fan_out=fan_out, **options)
        for own, (outputs, inputs), fan_out in layers[len(convolutions) :]
    ]
    return RCSpikeNetwork.of(shape.sizes, [nn.Unflatten(1, shape.image), *convolutions, nn.Flatten(), *dense])


def fully_connected(
    inputs: int, classes: int, model: NormalisedModel, *, hidden: Sequence[int] = (400, 400), **options: Any
) -> RCSpikeNetwork:
    """inputs-400-400-classes. Images are flattened: takes [batch, ...] with `inputs` spike times each.

    `options` are keyword arguments of `RCSpikeLayer`.
    """
    network = RCSpikeNetwork((inputs, *hidden, classes), model, **options)
    return RCSpikeNetwork.of(network.sizes, [nn.Flatten(), *network])


def convolutional(
    image: tuple[int, int, int],
    classes: int,
    model: NormalisedModel,
    *,
    channels: Sequence[Sequence[int]] = PUBLISHED_CHANNELS,
    hidden: Sequence[int] = PUBLISHED_HIDDEN,
    width: float = 1.0,
    pool: str = "earliest",
    last_pool: str | None = None,
    **options: Any,
) -> RCSpikeNetwork:
    """64-64-P-128-128-P-256-256-P-512-classes: 3x3 windows with stride 1 and a border of 1, pooling 2x2.

    Args:
        image: channels, height and width of the spike times that come in, [batch, channels, height, width].
        classes: outputs.
        model: hardware of every layer.
        channels: channels of the convolutions, a pooling after every group.
        hidden: neurons of the dense layers before the output.
        width: factor on all channels and hidden neurons; 2 is the published double width.
        pool: "earliest" or "average", see `training.pooling`.
        last_pool: likewise, over all that is left of the image, before the dense layers; None: they see every position.
        options: keyword arguments of `RCSpikeLayer`.

    Raises ValueError where the image is too small for so many poolings, or the pooling is not known.
    """
    for name, kind in (("pool", pool), ("last_pool", last_pool or pool)):
        if kind not in POOLS:
            raise ValueError(f"{name}: {kind!r}; known are {', '.join(map(repr, POOLS))}")
    _check_poolings(image, channels)
    groups = [[_scaled(n, width) for n in group] for group in channels]
    dense = [_scaled(n, width) for n in hidden] + [classes]
    lines = [n for group in groups for n in group]
    # What a neuron of one layer drives: the taps of its line in the next, or the neurons of the first dense layer.
    fan_outs = [9 * n for n in lines[1:]] + [dense[0]]
    layers: list[nn.Module] = []
    sizes, shape = [prod(image)], image
    for group in groups:
        for outputs in group:
            fan_out = fan_outs[len(sizes) - 1]
            layers.append(RCSpikeConvolution(shape[0], outputs, model, 3, padding=1, fan_out=fan_out, **options))
            shape = (outputs, *shape[1:])
            sizes.append(prod(shape))
        layers.append(POOLS[pool]())
        shape = (shape[0], shape[1] // 2, shape[2] // 2)
    if last_pool is not None:
        layers.append(POOLS[last_pool](shape[1:]))
        shape = (shape[0], 1, 1)
    layers.append(nn.Flatten())
    for inputs, outputs, fan_out in zip([prod(shape), *dense], dense, [*dense[1:], 0], strict=False):
        layers.append(RCSpikeLayer(inputs, outputs, model, fan_out=fan_out, **options))
        sizes.append(outputs)
    return RCSpikeNetwork.of(sizes, layers)


def _scaled(neurons: int, width: float) -> int:
    return max(1, round(neurons * width))


class TTFSNetwork(nn.Module):
    """Layers of time-to-first-spike neurons, which all live at once, with pooling between them.

    Args:
        layers: `TTFSLayer`s, and modules from spike times to spike times.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def reset_parameters(self, generator: torch.Generator) -> None:
        for layer in self.layers:
            if isinstance(layer, TTFSLayer):
                layer.reset_parameters(generator)

    def forward(self, t: Tensor) -> list[FirstSpikes]:
        """Spike times, [batch, channels, height, width], to what every layer of neurons did, the last one last."""
        outputs: list[FirstSpikes] = []
        for layer in self.layers:
            result = layer(t)
            if isinstance(result, FirstSpikes):
                outputs.append(result)
                result = result.spike_times
            t = result
        return outputs


def ttfs_convolutional(
    image: tuple[int, int, int],
    classes: int,
    *,
    channels: Sequence[Sequence[int]] = ((16, 16), (32, 32)),
    hidden: Sequence[int] = (128,),
    e_plus: float = torch.inf,
    e_minus: float = -torch.inf,
    horizon: float = 4.0,
) -> TTFSNetwork:
    """16-16-P-32-32-P-128-classes of `TTFSLayer`s, 3x3 windows with a border of 1, the earliest spike of 2x2."""
    options: dict[str, Any] = {"e_plus": e_plus, "e_minus": e_minus, "horizon": horizon}
    _check_poolings(image, channels)
    layers: list[nn.Module] = []
    inputs, height, width = image
    for group in channels:
        for outputs in group:
            layers.append(TTFSLayer(inputs, outputs, connection=Convolution(padding=1), kernel=(3, 3), **options))
            inputs = outputs
        layers.append(EarliestSpikePool())
        height, width = height // 2, width // 2
    layers.append(nn.Flatten())
    dense = [inputs * height * width, *hidden, classes]
    layers += [TTFSLayer(before, after, **options) for before, after in pairwise(dense)]
    return TTFSNetwork(layers)


def _check_poolings(image: tuple[int, int, int], channels: Sequence[Sequence[int]]) -> None:
    if min(image[1:]) < 2 ** len(channels):
        raise ValueError(f"image: {image} is too small for {len(channels)} poolings; each halves its height and width")
