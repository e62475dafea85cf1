"""What a recipe minimises."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from training.layer import LayerOutput
from training.neurons.ttfs import FirstSpikes
from training.recipe import Recipe


def loss(outputs: Sequence[LayerOutput], weights: Sequence[Tensor], targets: Tensor, classes: int, recipe: Recipe) -> Tensor:
    """Loss of one mini-batch, a scalar: see `Recipe`.

    Args:
        outputs: what every layer computed, the last one last.
        weights: weight of every layer.
        targets: labels [batch], 0 .. classes - 1, or the share of each class [batch, classes].
        classes: the first so many outputs are the classes.
    """
    t_out = outputs[-1].spike_times
    scores = -t_out[:, :classes] / recipe.softmax_temperature
    total = F.cross_entropy(scores, targets, label_smoothing=recipe.label_smoothing)
    total = total + recipe.temporal_penalty * (t_out - recipe.temporal_target).square().sum(1).mean()
    if recipe.early_spike_penalty:
        for layer in outputs:
            early = F.relu(1.0 - layer.spike_times / recipe.early_spike).flatten(1).sum(1).mean()
            total = total + recipe.early_spike_penalty * early
    if recipe.weight_penalty:
        for weight in weights:
            total = total + recipe.weight_penalty * weight.square().sum()
    return total


def first_spike_loss(
    layers: Sequence[FirstSpikes], labels: Tensor, classes: int, recipe: Recipe, firing_penalty: float
) -> Tensor:
    """Loss of one mini-batch of neurons that fire when they cross the threshold (`training.neurons.ttfs`), a scalar.

    Cross-entropy and temporal penalty as in `Recipe`, and firing_penalty * sum over all neurons of relu(1 - weights that arrived
    before the spike): a neuron whose arrived weights stay below the threshold cannot fire and has no other gradient.
    """
    t_out = layers[-1].spike_times
    total = F.cross_entropy(-t_out[:, :classes] / recipe.softmax_temperature, labels, label_smoothing=recipe.label_smoothing)
    total = total + recipe.temporal_penalty * (t_out - recipe.temporal_target).square().sum(1).mean()
    for layer in layers:
        total = total + firing_penalty * F.relu(1.0 - layer.weight_sum).flatten(1).sum(1).mean()
    return total
