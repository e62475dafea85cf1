"""A network as a circuit has it: convolutions unrolled, a neuron with synapses of its own at every position of a window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.solvers.connection import Convolution, Dense, Wired


def unrolled(network: RCSpikeNetwork) -> RCSpikeNetwork:
    """The same network with a weight for every synapse of its circuit, [neurons, synapses], to map and to look into.

    It takes [batch, inputs] and gives [batch, neurons] of every layer, those of a convolution channel by channel. Of a channel
    the weights are the same at every position; a die varies each of them by itself. What is not linked is not there. A network
    of dense layers on all of their lines is its own.

    Raises ValueError for pooling, for gains and biases that are no synapses, and for a border around an image.
    """
    if not any(isinstance(layer.connection, Convolution) or layer.links is not None for layer in network):
        return network
    line = torch.arange(network.sizes[0])[None]
    layers = []
    for module in network.layers:
        if isinstance(module, RCSpikeLayer):
            connection = module.connection
            assert isinstance(connection, Dense | Convolution)
            layers.append(_unrolled(module, connection, line) if isinstance(connection, Convolution) else _linked(module))
            shape = connection.output_shape(line.shape, module.weight.shape)
            line = torch.arange(shape.numel()).view(shape)
        elif isinstance(module, nn.Flatten | nn.Unflatten):
            line = module(line)
        else:
            raise ValueError(f"{type(module).__name__}: a circuit has no such layer; it has convolutions and dense layers")
    return RCSpikeNetwork.of(network.sizes, layers).train(network.training)


@torch.no_grad()
def _unrolled(layer: RCSpikeLayer, connection: Convolution, line: Tensor) -> RCSpikeLayer:
    """A convolution over an image of numbered lines, [1, channels, height, width]."""
    if layer.gain is not None or layer.bias_weight() is not None or connection.padding:
        raise ValueError("a convolution with a gain, a bias or a border cannot be unrolled: its neurons would not be alike")
    lines = connection.patches(line.double(), layer.weight).long()
    return _with_lines(layer, lines.repeat(len(layer.weight), 1), layer.weight.flatten(1).repeat_interleave(len(lines), 0))


@torch.no_grad()
def _linked(layer: RCSpikeLayer) -> RCSpikeLayer:
    """A dense layer; where it is wired to some of its lines alone, with the synapses that are there and no others."""
    if layer.links is None:
        return layer
    if layer.gain is not None or layer.bias_weight() is not None:
        raise ValueError("a layer with a gain or a bias of its own has no synapses for them")
    synapses = layer.links.sum(1)
    if not bool((synapses == synapses[0]).all()):
        raise ValueError(
            f"neurons have {int(synapses.min())} to {int(synapses.max())} links; a column has as many synapses as any other"
        )
    lines = layer.links.nonzero()[:, 1].view(len(synapses), -1)
    return _with_lines(layer, lines, layer.weight.gather(1, lines))


def _with_lines(layer: RCSpikeLayer, lines: Tensor, weight: Tensor) -> RCSpikeLayer:
    """The neurons of a layer on lines of their own, [neurons, synapses], with these weights."""
    wired = Wired(lines)
    neurons, synapses = lines.shape
    found = RCSpikeLayer(
        synapses, neurons, layer.model, weight_range=layer.weight_range, fan_out=layer.fan_out, leak=layer.leak,
        membrane_leak=layer.membrane_leak, spike_delay=layer.spike_delay, spike_time_noise=layer.spike_time_noise,
        noise_in_evaluation=layer.noise_in_evaluation, connection=wired,
    ).to(layer.weight)  # fmt: skip
    found.weight.copy_(weight)
    return found
