"""The published training recipe as a loss (Sakemi et al. 2025, arXiv 2412.09010, its Iris network)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from training.layer import LayerOutput


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Times are in phases.

    The loss of a batch, averaged over its samples, with t the spike times of the layers and c of the class outputs:

        cross-entropy of softmax(-c / softmax_temperature)
        + temporal_penalty * sum over outputs of (t - temporal_target)^2
        + early_spike_penalty * sum over all neurons of relu(1 - t / early_spike)
        + weight_penalty * sum of the squared weights

    `temporal_target` below 1 keeps every output firing inside its phase, the ones that are no class too; the circuit's firing
    law does not hold for spikes before about a tenth of a phase, which the early-spike penalty keeps away from.
    """

    epochs: int = 1200
    batch: int = 50
    learning_rate: float = 1e-3
    seed: int = 0
    softmax_temperature: float = 0.07
    temporal_penalty: float = 0.1
    temporal_target: float = 0.9
    weight_penalty: float = 1e-2
    early_spike_penalty: float = 0.2
    early_spike: float = 0.12
    spike_time_noise: float = 0.01


def loss(outputs: Sequence[LayerOutput], weights: Sequence[Tensor], labels: Tensor, classes: int, recipe: Recipe) -> Tensor:
    """Loss of one mini-batch, a scalar: see `Recipe`.

    Args:
        outputs: what every layer computed, the last one last.
        weights: weight of every layer.
        labels: [batch], 0 .. classes - 1.
        classes: the first so many outputs are the classes.
    """
    t_out = outputs[-1].spike_times
    total = F.cross_entropy(-t_out[:, :classes] / recipe.softmax_temperature, labels)
    total = total + recipe.temporal_penalty * (t_out - recipe.temporal_target).square().sum(1).mean()
    if recipe.early_spike_penalty:
        for layer in outputs:
            early = F.relu(1.0 - layer.spike_times / recipe.early_spike).sum(1).mean()
            total = total + recipe.early_spike_penalty * early
    for weight in weights:
        total = total + recipe.weight_penalty * weight.square().sum()
    return total
