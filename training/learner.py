"""One training: everything that the next epoch depends on."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Hashable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from training.captured import CapturedStep, Recorder, fixed_of
from training.data.augmentation import augment, turns
from training.data.mixing import mixed
from training.data.spikes import SpikeData
from training.energy import NetworkEnergy
from training.errors import TrainingError
from training.evaluation import accuracy
from training.hardware_aware.variation import FrozenMismatch, VariationKind, varied
from training.loss import loss
from training.network import RCSpikeNetwork
from training.optimiser import MovingAverage, optimiser_of, set_rate
from training.recipe import Recipe, learning_rate
from training.structures.structure import advance, structures_of


@dataclass(frozen=True)
class Epoch:
    """One row of the history. The training accuracy is that of the noisy mini-batches; the test set decides nothing.

    `test_accuracy` is NaN where it was not asked for after this epoch; `seconds` is the wall time of the training so far.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float = field(default=0.0, compare=False)


History = list[Epoch]


class Learner:
    """Trains a network by a recipe, an epoch at a time.

    Args:
        network: on the device of the training, in training mode, weights as they shall start.
        variation: how synapses and neurons differ from what was asked for, in training; a frozen die is
            the caller's to put in place.
        evaluate_every: epochs between two looks at the test set; the last epoch always has one. None: there is no look.
        energy: what the cells cost, for the recipe's energy penalty.
        recorder: records the step of a full mini-batch, to replay it; None: every step is run operation by operation.
    """

    def __init__(
        self,
        network: RCSpikeNetwork,
        data: SpikeData,
        recipe: Recipe,
        generator: torch.Generator,
        variation: VariationKind | None = None,
        evaluate_every: int | None = 1,
        energy: NetworkEnergy | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        if recipe.energy_penalty and energy is None:
            raise TrainingError("energy_penalty: needs what the cells cost, which the characterisation of a circuit measures")
        self.energy = energy if recipe.energy_penalty else None
        self.network, self.data, self.recipe = network, data, recipe
        self.generator, self.variation, self.evaluate_every = generator, variation, evaluate_every
        # One die stays what it is as long as the training lasts.
        self.redrawn = None if isinstance(variation, FrozenMismatch) else variation
        self.history: History = []
        self.optimiser = optimiser_of(recipe, network)
        self.average = MovingAverage(network, recipe.ema) if recipe.ema else None
        self.steps_per_epoch = math.ceil(len(data.train_labels) / recipe.batch)
        # Which pictures are mirrored, where they take turns.
        self._turns = turns(len(data.train_labels), recipe.seed).to(data.train_labels.device)
        self._captured: CapturedStep | None = None
        # What a recording holds fixed. To look takes as long as a replay, and only structures may change it from step to step.
        self._held: Hashable = None
        self._may_change = any(structures_of(network))
        if recorder is not None:
            batch = min(recipe.batch, len(data.train_labels))
            self._captured = CapturedStep(self._step, batch, lambda: self._held, generator, recorder)

    def train_epoch(self) -> Epoch:
        """Every training sample once, in a new order; returns the new row of the history.

        Raises `TrainingError` for a loss that is no number.
        """
        started, samples = time.monotonic(), len(self.data.train_labels)
        self.network.coarsen(len(self.history) < self.recipe.coarse_share * self.recipe.epochs)
        self._held = fixed_of(self.network)
        order = torch.randperm(samples, generator=self.generator, device=self.generator.device)
        loss_sum = right = torch.zeros((), device=self.generator.device)
        for index, rows in enumerate(torch.split(order, self.recipe.batch)):
            self._set_out(len(self.history) * self.steps_per_epoch + index)
            batch_loss, batch_right = self.step(rows)
            loss_sum, right = loss_sum + batch_loss * len(rows), right + batch_right
        done = len(self.history) + 1
        if not math.isfinite(mean_loss := float(loss_sum) / samples):
            raise TrainingError(
                f"epoch {done}: the loss is {mean_loss}; lower learning_rate ({self.recipe.learning_rate:g}), or look at the "
                "inputs and the weights that the training started from"
            )
        test_accuracy = self._test_accuracy() if self._looks(done) else math.nan
        before = self.history[-1].seconds if self.history else 0.0
        seconds = before + time.monotonic() - started
        self._turns.logical_not_()
        self.history.append(Epoch(done, mean_loss, float(right) / samples, test_accuracy, seconds))
        return self.history[-1]

    def _looks(self, done: int) -> bool:
        """Whether the test set is looked at after so many epochs."""
        return self.evaluate_every is not None and (done % self.evaluate_every == 0 or done == self.recipe.epochs)

    def step(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A step of the optimiser on a mini-batch, rows of the training set [batch]: its loss, and how many are right.

        On a GPU they hold until the next step.
        """
        return (self._captured or self._step)(rows)

    def _set_out(self, step: int) -> None:
        """What the host does before a step of the optimiser, counted from 0."""
        steps = self.recipe.epochs * self.steps_per_epoch
        set_rate(self.optimiser, learning_rate(self.recipe, step, steps))
        advance(self.network, step / steps)
        if self._captured is not None and self._may_change:
            self._held = fixed_of(self.network)

    def _step(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """`step`, operation by operation.

        All of it stays on the device: the host waits for nothing, and what it decides is in `fixed_of` or in tensors that stay.
        """
        t, labels = self._augmented(rows), self.data.train_labels[rows]
        targets = labels
        if self.recipe.mixup:
            t, targets = mixed(t, labels, self.data.classes, self.recipe.mixup, self.generator)
        with varied(self.network, self.redrawn, self.generator), parametrize.cached():
            with self._in_precision():
                outputs = self.network(t, self.generator)
            batch_loss = loss(outputs, [layer.weight for layer in self.network], targets, self.data.classes, self.recipe)
            if self.energy is not None:
                picojoules = 1e12 * self.energy(list(self.network), t, outputs)
                batch_loss = batch_loss + self.recipe.energy_penalty * picojoules
        self.optimiser.zero_grad()
        batch_loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.network.project()
        if self.average is not None:
            self.average.update()
        predicted = outputs[-1].spike_times[:, : self.data.classes].argmin(1)
        return batch_loss.detach(), (predicted == labels).sum()

    def _augmented(self, rows: Tensor) -> Tensor:
        """Spike times of some rows of the training set, moved as the recipe says."""
        t, how = self.data.train_t[rows], self.recipe.augmentation
        return augment(t, how, self.generator, self._turns[rows] if how.alternating_flip else None) if how else t

    def _in_precision(self) -> contextlib.AbstractContextManager[object]:
        """Where the products of a network are taken in the recipe's precision. Each weight is used once: none is kept."""
        reduced = self.recipe.precision != "float32"
        return torch.autocast(self.generator.device.type, torch.bfloat16, enabled=reduced, cache_enabled=False)

    def settle(self) -> None:
        """After the last epoch: leave in the network what shall be kept of it, and give back what a recording holds."""
        self._captured = None
        if self.average is not None:
            self.average.settle()

    def _test_accuracy(self) -> float:
        # Noise in inference is drawn from a generator of its own, so that looking changes no training.
        noise, data = torch.Generator(self.generator.device).manual_seed(self.recipe.seed), self.data
        with self.average.in_place() if self.average is not None else contextlib.nullcontext():
            return accuracy(self.network, data.test_t, data.test_labels, data.classes, generator=noise)

    def state(self, small: bool = False) -> dict[str, Tensor]:
        """Weights, optimiser, moving average, generator and history, as tensors by name.

        Where it shall be `small`, the optimiser, and what the average is off the weights, are in bfloat16.
        """

        def kept(value: Tensor) -> Tensor:
            return value.bfloat16() if small and value.dim() else value  # a count of steps has to be exact

        optimiser: dict[str, Any] = self.optimiser.state_dict()["state"]
        named = {f"optimiser.{i}.{name}": kept(value) for i, state in optimiser.items() for name, value in state.items()}
        if self.average is not None:
            named |= self.average.state(small)
        history = torch.tensor([list(asdict(row).values()) for row in self.history], dtype=torch.float64)
        return {**self.network.state_dict(), **named, "generator": self.generator.get_state(), "history": history}

    def resume(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state`."""
        self.history = [Epoch(int(row[0]), *row[1:]) for row in state["history"].tolist()]
        self.generator.set_state(state["generator"])
        self.network.load_state_dict({key: state[key] for key in self.network.state_dict()})
        optimiser: dict[int, dict[str, Tensor]] = {i: {} for i, _ in enumerate(self.network.parameters())}
        for key, value in state.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".")
                optimiser[int(index)][name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": optimiser})
        if self.average is not None:
            self.average.resume(state)
        if len(self.history) % 2:
            self._turns.logical_not_()
