"""What a trained network does, always on the exact layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.layer import LayerOutput
from training.network import RCSpikeNetwork


@dataclass(frozen=True)
class Evaluation:
    """Result on `samples` inputs.

    Attributes:
        accuracy: share of samples whose class spikes strictly before the other classes.
        predicted: class of the earliest spike, [samples].
        margins: earliest wrong class minus the right one, in phases, [samples]; positive where right.
        spike_times: of the outputs, [samples, outputs].
        layers: everything the layers computed.
        firing_share: share of all output spikes in (0, 0.98).
        early_share: share of all spikes before 0.1, where the firing law of the circuit does not hold.
        late_share: share of the hidden neurons' spikes in (0.97, 1), which reach the next layer as it ends its accumulation.
        nonlinear_share: share of the membranes at the end of accumulation outside the model's linear range.
        drive: largest sum|w|/|E| of a neuron, one per layer: says whether DSTD's grid is fine enough.
    """

    accuracy: float
    predicted: Tensor
    margins: Tensor
    spike_times: Tensor
    layers: list[LayerOutput]
    firing_share: float
    early_share: float
    late_share: float
    nonlinear_share: float
    drive: list[float]


@torch.no_grad()
def evaluate(network: RCSpikeNetwork, t: Tensor, labels: Tensor, classes: int | None = None) -> Evaluation:
    """Run spike times [samples, inputs] through the network in evaluation mode.

    `classes`: the first so many outputs are the classes; the largest label + 1 where None.
    """
    training = network.training
    network.eval()
    layers = network(t)
    network.train(training)
    spike_times = layers[-1].spike_times
    class_times = spike_times[:, : classes or int(labels.max()) + 1]
    right = class_times.gather(1, labels[:, None])
    wrong = class_times.scatter(1, labels[:, None], torch.inf).min(1).values
    margins = wrong - right[:, 0]
    every_spike = torch.cat([layer.spike_times.flatten() for layer in layers])
    hidden = every_spike[: every_spike.numel() - spike_times.numel()]
    return Evaluation(
        accuracy=_share(margins > 0),
        predicted=class_times.argmin(1),
        margins=margins,
        spike_times=spike_times,
        layers=layers,
        firing_share=_share((spike_times > 0) & (spike_times < 0.98)),
        early_share=_share(every_spike < 0.1),
        late_share=_share((hidden > 0.97) & (hidden < 1.0)) if len(layers) > 1 else 0.0,
        nonlinear_share=_nonlinear_share(network, layers),
        drive=drive(network),
    )


def _share(where: Tensor) -> float:
    return float(where.double().mean())


def _nonlinear_share(network: RCSpikeNetwork, outputs: list[LayerOutput]) -> float:
    outside = []
    for layer, output in zip(network, outputs, strict=True):
        low, high = layer.model.linear_range
        outside.append(((output.membrane < low) | (output.membrane > high)).flatten())
    return _share(torch.cat(outside))


@torch.no_grad()
def drive(network: RCSpikeNetwork) -> list[float]:
    """Largest sum|w|/|E| over the neurons of each layer."""
    synapses = [layer.synapses() for layer in network]
    return [float((s.weight * s.beta).sum(1).max()) for s in synapses]
