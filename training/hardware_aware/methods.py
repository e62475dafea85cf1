"""Every way of training for a nonideal circuit, comparable: the same network, data and recipe, run on the same hardware."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch

from training.data.spikes import SpikeData
from training.evaluation import Evaluation, evaluate
from training.hardware import NormalisedModel
from training.hardware_aware.gains import Gains, search_gains, with_gains
from training.hardware_aware.variation import DynamicMismatch, FrozenMismatch, Mismatch, VariationKind, WeightNoise, varied
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.trainer import History, Progress, train

IDEAL_REVERSAL = 100.0
# The die that frozen mismatch trains for; the others are dies it has never seen.
OWN_DIE = 1


class Method(StrEnum):
    """How a network is trained; all are run on the real hardware afterwards.

    The first five are trained as an ideal multiply-accumulate, |E| = 100: mapped as it is; with two gains searched afterwards
    ("scaled"); with noise injected into the weights; with the mismatch of one die ("frozen"); with another die for every batch
    ("dynamic"). The other three are trained on the equation of the real hardware, without mismatch and with either kind.
    """

    IDEAL = "ideal"
    SCALED = "scaled"
    NOISE = "noise"
    FROZEN = "frozen"
    DYNAMIC = "dynamic"
    ODE = "ode"
    ODE_FROZEN = "ode-frozen"
    ODE_DYNAMIC = "ode-dynamic"

    @property
    def knows_hardware(self) -> bool:
        return self in (Method.ODE, Method.ODE_FROZEN, Method.ODE_DYNAMIC)

    @property
    def training(self) -> Method:
        """The method whose training this one shares: gains are searched on a network that was trained ideally."""
        return Method.IDEAL if self is Method.SCALED else self

    def variation(self, mismatch: Mismatch, noise_share: float) -> VariationKind | None:
        """What is done to the synapses, and with mismatch to the neurons, in training."""
        if self is Method.NOISE:
            return WeightNoise(noise_share)
        if self in (Method.FROZEN, Method.ODE_FROZEN):
            return FrozenMismatch(mismatch, OWN_DIE)
        if self in (Method.DYNAMIC, Method.ODE_DYNAMIC):
            return DynamicMismatch(mismatch)
        return None


@dataclass(frozen=True)
class Comparison:
    """What all methods share.

    Attributes:
        build: makes the untrained network on a model, its weights in the range of the cell it will run on.
        target: the hardware that the network will run on.
        mismatch: of the dies it will run on, and of the methods that train for it.
        dies: mismatch dies to evaluate on, numbered from 1.
        noise_share: of the method "noise", see `WeightNoise`.
    """

    build: Callable[[NormalisedModel], RCSpikeNetwork]
    target: NormalisedModel
    data: SpikeData
    recipe: Recipe
    mismatch: Mismatch = Mismatch()  # noqa: RUF009 (frozen)
    dies: int = 0
    noise_share: float = 0.05


@dataclass(frozen=True)
class MethodResult:
    """What a method gives on the real hardware, on the test set.

    Attributes:
        network: trained, on the target, its weights without the gains.
        nominal: on the circuit as designed.
        own_die: accuracy on the die that "frozen" methods train for; None without dies.
        other_dies: accuracies on the dies 2 ...
    """

    method: Method
    network: RCSpikeNetwork
    history: History
    gains: Gains
    nominal: Evaluation
    own_die: float | None
    other_dies: list[float]

    @property
    def mean_of_dies(self) -> float | None:
        return statistics.fmean(self.other_dies) if self.other_dies else None


def run_method(
    method: Method | str,
    shared: Comparison,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    *,
    evaluate_every: int | None = 1,
    device: torch.device | str = "cpu",
    small_checkpoint: bool = False,
) -> MethodResult:
    """Train by one method and evaluate on the target; `progress`, `checkpoint` and the rest as in `training.trainer.train`."""
    method = Method(method)
    ideal = NormalisedModel.constant(IDEAL_REVERSAL, -IDEAL_REVERSAL)
    network = shared.build(shared.target if method.knows_hardware else ideal)
    history = train(
        network,
        shared.data,
        shared.recipe,
        progress,
        checkpoint,
        variation=method.variation(shared.mismatch, shared.noise_share),
        evaluate_every=evaluate_every,
        device=device,
        small_checkpoint=small_checkpoint,
    )
    network.to(device).bind(shared.target)
    data = shared.data.to(torch.device(device))
    gains = Gains()
    if method is Method.SCALED:
        gains = search_gains(
            network, data.train_t, data.train_labels, data.classes, shared.recipe.softmax_temperature, seed=shared.recipe.seed
        )
    with with_gains(network, gains):
        nominal = _on(network, data, None, shared.recipe)
        dies = [
            _on(network, data, FrozenMismatch(shared.mismatch, die), shared.recipe).accuracy
            for die in range(OWN_DIE, OWN_DIE + shared.dies)
        ]
    return MethodResult(method, network.cpu(), history, gains, nominal, dies[0] if dies else None, dies[1:])


def _on(network: RCSpikeNetwork, data: SpikeData, die: FrozenMismatch | None, recipe: Recipe) -> Evaluation:
    noise = torch.Generator(data.test_t.device).manual_seed(recipe.seed)
    with varied(network, die):
        return evaluate(network, data.test_t, data.test_labels, data.classes, generator=noise, keep_layers=False)
