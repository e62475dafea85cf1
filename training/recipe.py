"""How a network is trained: the published recipes, the loss, the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from training.data.augmentation import Augmentation
from training.layer import LayerOutput
from training.neurons.ttfs import FirstSpikes

Schedule = Literal["constant", "cosine", "one_cycle"]

# torch's defaults for one cycle: rise over this share of the steps, from a 25th of the rate, and fall to a 10^4th of that.
RISE, START_DIVISOR, END_DIVISOR = 0.3, 25.0, 1e4


NO_AUGMENTATION = Augmentation()


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Times are in phases.

    The loss of a batch, averaged over its samples, with t the spike times of the layers and c of the class outputs:

        cross-entropy of softmax(-c / softmax_temperature), targets smoothed by `label_smoothing`
        + temporal_penalty * sum over outputs of (t - temporal_target)^2
        + early_spike_penalty * sum over all neurons of relu(1 - t / early_spike)
        + weight_penalty * sum of the squared weights

    `temporal_target` below 1 keeps every output firing inside its phase, the ones that are no class too; the circuit's firing
    law does not hold for spikes before about a tenth of a phase, which the early-spike penalty keeps away from.

    `spike_time_noise` is the rms noise of every layer's spikes in training, and with `noise_in_evaluation` in inference too, as
    published. `schedule` is what becomes of `learning_rate` over the epochs. `augmentation` needs pictures; `mixup` (alpha,
    0 for none) mixes samples with one another (`training.data.mixing`), which needs about twice the epochs.
    `initial_spread` is the standard deviation of the first weights times the root of a neuron's inputs, which deep networks need
    (0.7 for the convolutional ones); None: small weights (`training.layer.RCSpikeLayer.reset_parameters`).
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
    noise_in_evaluation: bool = False
    schedule: Schedule = "constant"
    label_smoothing: float = 0.0
    augmentation: Augmentation = NO_AUGMENTATION
    mixup: float = 0.0
    initial_spread: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError: field, what is wrong, what would be right."""
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule: {self.schedule!r}; there are {', '.join(get_args(Schedule))}")
        if self.batch < 1:
            raise ValueError(f"batch: {self.batch} must be 1 or more")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing: {self.label_smoothing} must lie in 0 .. 1, below 1")
        for name in ("softmax_temperature", "early_spike"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} must be positive")
        if self.initial_spread is not None and not self.initial_spread > 0.0:
            raise ValueError(f"initial_spread: {self.initial_spread} must be positive")
        for name in ("epochs", "learning_rate", "spike_time_noise", "mixup"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} must be 0 or more")


# Sakemi et al. 2025 (arXiv 2412.09010): its Iris network, RC-Spike networks and time-to-first-spike networks on images.
IRIS = Recipe()
RC_SPIKE = Recipe(
    epochs=50,
    batch=32,
    learning_rate=1e-4,
    temporal_penalty=2.6,
    weight_penalty=0.0,
    early_spike_penalty=0.0,
    noise_in_evaluation=True,
)
TTFS = Recipe(
    epochs=150,
    batch=32,
    learning_rate=2e-4,
    temporal_penalty=0.02,
    temporal_target=3.2,
    weight_penalty=0.0,
    early_spike_penalty=0.0,
)


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


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Learning rate of the optimiser's step `step`, 0 .. steps - 1, by the recipe's schedule.

    Cosine falls to 0 (Loshchilov and Hutter 2017); one cycle rises and falls (Smith 2018), as torch's OneCycleLR does.
    """
    peak = recipe.learning_rate
    if recipe.schedule == "constant":
        return peak
    if recipe.schedule == "cosine":
        return _between(peak, 0.0, step / steps)
    start, top = peak / START_DIVISOR, RISE * steps - 1
    if step <= top:
        return _between(start, peak, step / top)
    return _between(peak, start / END_DIVISOR, (step - top) / (steps - 1 - top))


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` at a share of 0 to `end` at 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2
