"""A stack of RC-Spike layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training.hardware import FloatArray, NormalisedModel, WeightRange
from training.layer import LayerOutput, RCSpikeLayer


class RCSpikeNetwork(nn.Module):
    """Layers of neurons, one phase apart; the spikes of a layer are the input of the next.

    Iterating gives the layers that have synapses; pooling and reshaping between them only pass spike times on.

    Args:
        sizes: neurons from the input spikes to the outputs, e.g. (5, 5, 5).
        model: hardware of every layer, or of each in turn.
        options: keyword arguments of `RCSpikeLayer`.
    """

    def __init__(self, sizes: Sequence[int], model: NormalisedModel | Sequence[NormalisedModel], **options: Any) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise ValueError(f"sizes: {tuple(sizes)} has no layer; give the number of inputs and of neurons, e.g. (5, 5, 5)")
        self.sizes = tuple(sizes)
        models = of_layers(model, len(sizes) - 1)
        self.layers = nn.ModuleList(
            RCSpikeLayer(inputs, outputs, of_layer, fan_out=fan_out, **options)
            for inputs, outputs, fan_out, of_layer in zip(sizes[:-1], sizes[1:], (*sizes[2:], 0), models, strict=True)
        )

    @classmethod
    def of(cls, sizes: Sequence[int], layers: Iterable[nn.Module]) -> Self:
        """A network of ready layers: `RCSpikeLayer`s, and modules from spike times to spike times between them.

        `sizes` are the numbers of spike lines, from the input to the outputs, as the network shall be described by.
        """
        network = cls.__new__(cls)
        nn.Module.__init__(network)
        network.sizes = tuple(sizes)
        network.layers = nn.ModuleList(layers)
        return network

    def __iter__(self) -> Iterator[RCSpikeLayer]:
        return (layer for layer in self.layers if isinstance(layer, RCSpikeLayer))

    def bind(self, model: NormalisedModel | Sequence[NormalisedModel], weight_range: WeightRange | None = None) -> None:
        """Put every layer on another hardware model, or each on its own; the weights stay."""
        layers = list(self)
        for layer, of_layer in zip(layers, of_layers(model, len(layers)), strict=True):
            layer.bind(of_layer, weight_range)

    def wire_lines(self) -> None:
        """Load the output line of every neuron with as many synapses as the next layer has on it, where that is wired."""
        for before, after in pairwise(self):
            if after.links is not None and after.links.dim() == 2:
                before.fan_out = max(round(float(after.links.sum(0, dtype=torch.float64).mean())), 1)
                before.bind(before.model, before.weight_range)

    def reset_parameters(self, generator: torch.Generator, spread: float | None = None) -> None:
        """Draw all weights: see `RCSpikeLayer.reset_parameters`."""
        for layer in self:
            layer.reset_parameters(generator, spread)

    def project(self) -> None:
        for layer in self:
            layer.project()

    def fold_normalisation(self) -> None:
        """Make plain weights and bias spikes of normalised drives: the same network in evaluation."""
        for layer in self:
            layer.fold_normalisation()

    def coarsen(self, coarse: bool) -> None:
        """Let training solve every phase by `training.layer.COARSE`, or again as the layers were made to."""
        for layer in self:
            layer.coarse = coarse

    def effective_weights(self) -> list[FloatArray]:
        """What the cells do, in float64, one array per layer shaped as its weight: to map; all 0 or within the cell's range."""
        return [_within(layer.effective_weight().detach().double().numpy(), layer.weight_range) for layer in self]

    def devices(self) -> int:
        """Synapses that there are: crossings that are wired."""
        return sum(layer.weight.numel() if layer.links is None else int(layer.links.sum()) for layer in self)

    def forward(self, t: Tensor, generator: torch.Generator | None = None) -> list[LayerOutput]:
        """Input spike times [batch, inputs], or images of them, to the output of every layer with synapses, the last one last."""
        outputs: list[LayerOutput] = []
        with parametrize.cached():  # a structure makes its weight once
            for layer in self.layers:
                if isinstance(layer, RCSpikeLayer):
                    outputs.append(layer(t, generator))
                    t = outputs[-1].spike_times
                else:
                    t = layer(t)
        return outputs


def of_layers(model: NormalisedModel | Sequence[NormalisedModel], layers: int) -> Sequence[NormalisedModel]:
    """A model for each layer. Raises ValueError where there are not as many."""
    models = [model] * layers if isinstance(model, NormalisedModel) else list(model)
    if len(models) != layers:
        raise ValueError(f"model: {len(models)} for {layers} layers; give one, or one a layer")
    return models


def _within(weight: FloatArray, span: WeightRange) -> FloatArray:
    """Take off what single precision left beyond the range."""
    clipped = np.where(weight > 0, weight.clip(*span.plus), -(-weight).clip(*span.minus))
    return np.where(weight == 0, 0.0, clipped)
