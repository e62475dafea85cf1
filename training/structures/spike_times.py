"""Spike times as a counter has them: so many bits a phase, in training as in inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork


class SpikeCounter(nn.Module):
    """Puts spikes on the nearest of 2^bits ticks of a phase; a silent neuron stays silent.

    The gradient goes straight through. A word of `bits` bits a spike: the last tick, the end of the phase, is silence.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        if not 1 <= bits <= 24:
            raise ValueError(f"bits: {bits} of a counter; 1 .. 24")
        self.bits = bits

    def forward(self, t: Tensor) -> Tensor:
        with torch.no_grad():
            ticks = float(2**self.bits - 1)
            counted = (t.clamp(0.0, 1.0) * ticks).round() / ticks
            # a spike that comes stays one: the last tick before silence is the latest
            counted = torch.where(t < 1.0, counted.clamp(max=(ticks - 1.0) / ticks), counted)
        return counted + (t - t.detach())

    def words(self, t: Tensor) -> Tensor:
        """Spike times as whole numbers 0 .. 2^bits - 1."""
        ticks = 2**self.bits - 1
        words: Tensor = (self(t).detach() * ticks).round().long()
        return words

    def times(self, words: Tensor) -> Tensor:
        """The inverse of `words`."""
        times: Tensor = words.float() / (2**self.bits - 1)
        return times


def with_counters(network: RCSpikeNetwork, bits: int) -> RCSpikeNetwork:
    """The same layers behind counters: what comes in and what every hidden layer sends is counted, the outputs are not."""
    return behind(network, lambda: SpikeCounter(bits))


def behind(network: RCSpikeNetwork, make: Callable[[], nn.Module]) -> RCSpikeNetwork:
    """The same layers, each behind a module from spike times to the times of what drives its lines.

    No synapse then hangs on the line of a neuron, whose spike is read, and every layer is switched by drivers, as the first one
    is. In the reference cells ten synapses alone are 1.4 ns of a hidden spike.
    """

    def layers() -> Iterator[nn.Module]:
        for layer in network.layers:
            if isinstance(layer, RCSpikeLayer):
                layer.fan_out = 0
                layer.bind(layer.model.without("line"), layer.weight_range)
                yield make()
            yield layer

    return RCSpikeNetwork.of(network.sizes, layers())
