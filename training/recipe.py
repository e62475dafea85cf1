"""How a network is trained: what can be set, the published recipes, the learning rate. Imports no torch."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Schedule = Literal["constant", "cosine", "one_cycle", "linear"]
OptimiserName = Literal["adam", "adamw", "sgd"]
Precision = Literal["float32", "bfloat16"]

# torch's defaults for one cycle: rise over this share of the steps, from a 25th of the rate, and fall to a 10^4th of that.
RISE, START_DIVISOR, END_DIVISOR = 0.3, 25.0, 1e4

_LATER = ("warm_up", "optimiser", "momentum", "weight_decay", "ema", "precision", "coarse_share")
_LATER_AUGMENTATION = ("alternating_flip", "cutout_pixels")
"""Fields that the first checkpoints, and the first tables of studies, know nothing of."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Augmentation(_Settings):
    """How far training pictures are moved, each by its own draw."""

    flip: bool = Field(default=False, description="mirror every other picture, left to right")
    alternating_flip: bool = Field(
        default=False,
        description="instead of `flip`: mirror half of the pictures in one epoch and the other half in the next, always the same",
    )
    rotation_degrees: float = Field(default=0.0, ge=0.0, description="turn by a uniform angle up to this, either way (bilinear)")
    crop_pixels: int = Field(
        default=0, ge=0, description="shift by whole pixels up to this, either way; what comes in from outside is black"
    )
    cutout_pixels: int = Field(default=0, ge=0, description="side of a square within the picture that becomes black, 0 for none")

    @model_validator(mode="after")
    def _flips_in_one_way(self) -> Self:
        if self.flip and self.alternating_flip:
            raise ValueError("flip and alternating_flip are two ways of the same; give one of them")
        return self

    def __bool__(self) -> bool:
        return self != Augmentation()


class Recipe(_Settings):
    """How a network is trained; the defaults are those of the published Iris network. Times are in phases.

    The loss of a batch, averaged over its samples, with t the spike times of the layers and c of the class outputs:

        cross-entropy of softmax(-c / softmax_temperature), targets smoothed by `label_smoothing`
        + temporal_penalty * sum over outputs of (t - temporal_target)^2
        + early_spike_penalty * sum over all neurons of relu(1 - t / early_spike)
        + weight_penalty * sum of the squared weights
        + energy_penalty * energy of an inference in pJ (`training.energy`)

    `temporal_target` below 1 keeps every output firing inside its phase, the ones that are no class too; the circuit's firing
    law does not hold for spikes before about a tenth of a phase, which the early-spike penalty keeps away from.

    Raises `pydantic.ValidationError`, a ValueError, for an unknown field or a value out of range.
    """

    epochs: int = Field(default=1200, ge=1)
    batch: int = Field(default=50, ge=1, description="samples of a mini-batch")
    learning_rate: float = Field(default=1e-3, gt=0.0, le=10.0, description="largest one, of the optimiser")
    schedule: Schedule = Field(default="constant", description="what becomes of the learning rate over the epochs")
    warm_up: float = Field(default=0.2, ge=0.0, lt=1.0, description='share of the steps in which schedule "linear" rises')
    optimiser: OptimiserName = Field(default="adam", description='"sgd" is with momentum, in the form of Nesterov')
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0, description="of sgd")
    weight_decay: float = Field(
        default=0.0,
        ge=0.0,
        description="of weights, not of gains and bias spikes: by itself with adamw, as a part of the gradient with the others",
    )
    ema: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="decay, per step, of the moving average of the weights that is evaluated and kept; 0: the weights themselves",
    )
    seed: int = 0
    softmax_temperature: float = Field(default=0.07, gt=0.0, description="of the cross-entropy, in phases")
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    temporal_penalty: float = Field(default=0.1, ge=0.0, description="on outputs away from temporal_target, squared")
    temporal_target: float = Field(default=0.9, description="in phases")
    weight_penalty: float = Field(default=1e-2, ge=0.0, description="on squared weights")
    early_spike_penalty: float = Field(default=0.2, ge=0.0, description="on spikes before early_spike")
    early_spike: float = Field(default=0.12, gt=0.0, description="spikes before this share of a phase are penalised")
    energy_penalty: float = Field(
        default=0.0, ge=0.0, description="on the energy of an inference, per picojoule; needs what the cells cost (docs/cost.md)"
    )
    spike_time_noise: float = Field(default=0.01, ge=0.0, description="rms of every layer's spikes, in phases, in training")
    noise_in_evaluation: bool = Field(default=False, description="the same noise in inference, as published for images")
    mixup: float = Field(default=0.0, ge=0.0, description="alpha of mixed samples, 0 for none; needs about twice the epochs")
    initial_spread: float | None = Field(
        default=None,
        gt=0.0,
        description="standard deviation of the first weights times the root of a neuron's inputs: deep networks need it (0.7 for "
        "convolutional ones); small weights unless given",
    )
    augmentation: Augmentation = Field(default=Augmentation(), description="how far training pictures are moved")
    coarse_share: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="share of the epochs, the first ones, in which a phase is solved in two cells, a cheap stand-in",
    )
    precision: Precision = Field(
        default="float32", description="of the products in training; the membranes, the loss and the weights stay in float32"
    )

    def but(self, **changes: Any) -> Self:
        """The same recipe with other values of some fields."""
        return self.model_validate({**dict(self), **changes})

    def decisive(self) -> dict[str, Any]:
        """The settings by name. What came after the first checkpoints is left out while it is left alone: those stay valid."""
        settings = self.model_dump()
        for part, of, later in ((settings, Recipe, _LATER), (settings["augmentation"], Augmentation, _LATER_AUGMENTATION)):
            for name in later:
                if part[name] == of.model_fields[name].default:
                    del part[name]
        return settings


# Sakemi et al. 2025 (arXiv 2412.09010): RC-Spike networks and time-to-first-spike networks on images.
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


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Learning rate of the optimiser's step `step`, 0 .. steps - 1, by the recipe's schedule.

    Cosine falls to 0 (Loshchilov and Hutter 2017); one cycle rises and falls (Smith 2018), as torch's OneCycleLR does. Linear
    rises straight over the share `warm_up` and falls straight to 0 behind the last step, as two of torch's LinearLR do.
    """
    peak = recipe.learning_rate
    if recipe.schedule == "constant":
        return peak
    if recipe.schedule == "cosine":
        return _between(peak, 0.0, step / steps)
    if recipe.schedule == "linear":
        rise = round(recipe.warm_up * steps)
        return peak * ((step + 1) / rise if step < rise else (steps - step) / (steps - rise))
    start, top = peak / START_DIVISOR, RISE * steps - 1
    if step <= top:
        return _between(start, peak, step / top)
    return _between(peak, start / END_DIVISOR, (step - top) / (steps - 1 - top))


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` at a share of 0 to `end` at 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2
