"""What a trained network does, always on the exact layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        layers: everything the layers computed; empty where it was not to be kept.
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


# Samples that run at once: enough for the speed, few enough for the memory of a convolutional network.
BATCH, IMAGE_BATCH = 500, 100


def evaluate(
    network: RCSpikeNetwork,
    t: Tensor,
    labels: Tensor,
    classes: int | None = None,
    *,
    generator: torch.Generator | None = None,
    keep_layers: bool = True,
) -> Evaluation:
    """Run spike times [samples, inputs] (or pictures of them) through the network in evaluation mode.

    Args:
        classes: the first so many outputs are the classes; the largest label + 1 where None.
        generator: draws the spike-time noise of layers that have it in evaluation.
        keep_layers: False leaves `layers` empty, for networks and sample counts that would fill the memory.
    """
    classes = classes or int(labels.max()) + 1
    parts, tallies = [], []
    for outputs in _run(network, t, generator):
        parts.append(outputs if keep_layers else outputs[-1:])
        tallies.append(_tally(network, outputs))
    layers = [LayerOutput(*(torch.cat(kind) for kind in zip(*layer, strict=True))) for layer in zip(*parts, strict=True)]
    spike_times = layers[-1].spike_times
    class_times = spike_times[:, :classes]
    margins = _margins(class_times, labels)
    counts = torch.stack(tallies).sum(0)
    early, late, nonlinear = (counts[:3] / counts[3:].clamp_min(1.0)).tolist()
    return Evaluation(
        accuracy=_share(margins > 0),
        predicted=class_times.argmin(1),
        margins=margins,
        spike_times=spike_times,
        layers=layers if keep_layers else [],
        firing_share=_share((spike_times > 0) & (spike_times < 0.98)),
        early_share=early,
        late_share=late,
        nonlinear_share=nonlinear,
        drive=drive(network),
    )


def accuracy(
    network: RCSpikeNetwork, t: Tensor, labels: Tensor, classes: int, *, generator: torch.Generator | None = None
) -> float:
    """Share of samples whose class spikes strictly before the others; arguments as in `evaluate`."""
    spike_times = torch.cat([outputs[-1].spike_times for outputs in _run(network, t, generator)])
    return _share(_margins(spike_times[:, :classes], labels) > 0)


def _run(network: RCSpikeNetwork, t: Tensor, generator: torch.Generator | None) -> Iterator[list[LayerOutput]]:
    """What every layer does, part by part of the samples, in evaluation mode and without a graph."""
    training = network.training
    network.eval()
    try:
        for part in torch.split(t, IMAGE_BATCH if t.dim() > 2 else BATCH):
            with torch.no_grad():
                outputs = network(part, generator)
            yield outputs
    finally:
        network.train(training)


def _margins(class_times: Tensor, labels: Tensor) -> Tensor:
    right = class_times.gather(1, labels[:, None])
    wrong = class_times.scatter(1, labels[:, None], torch.inf).min(1).values
    return wrong - right[:, 0]


def _tally(network: RCSpikeNetwork, outputs: list[LayerOutput]) -> Tensor:
    """Spikes that are early, hidden ones that are late, membranes outside the linear range; and of how many each, [6]."""
    spikes = [layer.spike_times for layer in outputs]
    every, hidden = _count(spikes), _count(spikes[:-1])
    early = sum(int((t < 0.1).sum()) for t in spikes)
    late = sum(int(((t > 0.97) & (t < 1.0)).sum()) for t in spikes[:-1])
    nonlinear = 0
    for layer, output in zip(network, outputs, strict=True):
        low, high = layer.model.linear_range
        nonlinear += int(((output.membrane < low) | (output.membrane > high)).sum())
    return torch.tensor([early, late, nonlinear, every, hidden, every], dtype=torch.float64)


def _count(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _share(where: Tensor) -> float:
    return float(where.double().mean())


@torch.no_grad()
def drive(network: RCSpikeNetwork) -> list[float]:
    """Largest sum|w|/|E| over the neurons of each layer."""
    synapses = [layer.synapses() for layer in network]
    return [float((s.weight * s.beta).flatten(1).sum(1).max()) for s in synapses]
