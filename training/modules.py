"""The layers as torch's own are: initialised when they are made, spike times in, spike times out, at home in `nn.Sequential`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from training.convolution import RCSpikeConvolution
from training.errors import TrainingError
from training.hardware import HardwareModel, NormalisedModel, normalise
from training.layer import LayerOutput, RCSpikeLayer
from training.network import RCSpikeNetwork


class _Module(RCSpikeLayer):
    """What makes a module of a layer: first weights, and a tensor for an answer."""

    full: bool

    def _begin(self, seed: int, full: bool) -> None:
        self.full = full
        self.reset_parameters(torch.Generator().manual_seed(seed))

    def forward(self, t: Tensor, generator: torch.Generator | None = None) -> Tensor | LayerOutput:  # type: ignore[override]
        """Input spike times to output spike times, in phases (1: none); with `full` to the membranes as well."""
        output: LayerOutput = super().forward(t, generator)
        return output if self.full else output.spike_times


class RCSpike(_Module):
    """`outputs` neurons behind a crossbar: spike times [batch, inputs] in, [batch, outputs] out, each of its own phase.

    Args:
        inputs, outputs: size of the crossbar.
        model: the circuit: a `HardwareModel`, of whose columns the one of `inputs` synapses is taken, or the numbers of the
            neuron equation.
        seed: of the first weights; layers that shall differ have different ones.
        full: give `LayerOutput` instead: spike times, and membranes before and after the synapses switch off.
        options: keyword arguments of `RCSpikeLayer`.

    Keep the weights in the cells' range with `project()` after a step of the optimiser. Raises `HardwareModelError` for a column
    that was not characterised.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        model: HardwareModel | NormalisedModel,
        *,
        seed: int = 0,
        full: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(inputs, outputs, of_column(model, inputs), **options)
        self._begin(seed, full)


class RCSpikeConv2d(RCSpikeConvolution, _Module):
    """The same behind a window: [batch, channels, height, width] in, [batch, outputs, height', width'] out.

    Args:
        channels, outputs: of the images.
        model, seed, full: as in `RCSpike`; a column has channels * kernel^2 synapses.
        kernel, stride, padding: of the window.
        options: keyword arguments of `RCSpikeLayer`.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        model: HardwareModel | NormalisedModel,
        kernel: int = 3,
        *,
        seed: int = 0,
        full: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(channels, outputs, of_column(model, channels * kernel**2), kernel, **options)
        self._begin(seed, full)


def of_column(model: HardwareModel | NormalisedModel, synapses: int) -> NormalisedModel:
    """The numbers of the neuron equation for a column of so many synapses. Raises `HardwareModelError`."""
    return normalise(model, synapses=synapses) if isinstance(model, HardwareModel) else model


def network_of(sequential: nn.Sequential) -> RCSpikeNetwork:
    """A copy of a stack of layers as a network, which can be evaluated, exported and mapped.

    The modules between the layers pass spike times on, as pooling and `nn.Flatten` do. Raises `TrainingError` where there is no
    layer of neurons.
    """
    layers = list(copy.deepcopy(sequential))
    spiking = [layer for layer in layers if isinstance(layer, RCSpikeLayer)]
    if not spiking:
        raise TrainingError("network_of: there is no layer of neurons in it; give an nn.Sequential of RCSpike and RCSpikeConv2d")
    for layer in spiking:
        if isinstance(layer, _Module):
            layer.full = True
    sizes = (spiking[0].weight.shape[1], *(layer.weight.shape[0] for layer in spiking))
    return RCSpikeNetwork.of(sizes, layers)
