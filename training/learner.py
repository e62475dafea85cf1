"""One training as a LightningModule: everything that the next epoch depends on."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from training.data.augmentation import augment
from training.data.mixing import mixed
from training.data.spikes import SpikeData
from training.evaluation import accuracy
from training.hardware_aware.variation import FrozenMismatch, VariationKind, varied
from training.network import RCSpikeNetwork
from training.recipe import Recipe, learning_rate, loss


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


class Batches:
    """The mini-batches of an epoch as rows of the training set, in a new order every time."""

    def __init__(self, samples: int, batch: int, generator: torch.Generator) -> None:
        self.samples, self.batch, self.generator = samples, batch, generator

    def __len__(self) -> int:
        return math.ceil(self.samples / self.batch)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.samples, generator=self.generator, device=self.generator.device)
        # A generator: Lightning makes iterators that it never takes a batch from, and those must not draw an order.
        yield from torch.split(order, self.batch)


class Learner(LightningModule):
    """Trains a network by a recipe.

    The optimiser is stepped by hand: Lightning's automatic optimisation costs more per step than a layer of five neurons does.

    Args:
        network: on the device of the training, weights as they shall start.
        variation: how synapses and neurons differ from what was asked for, in training; a frozen die is
            the caller's to put in place.
        evaluate_every: epochs between two looks at the test set; the last epoch always has one.
    """

    def __init__(
        self,
        network: RCSpikeNetwork,
        data: SpikeData,
        recipe: Recipe,
        generator: torch.Generator,
        variation: VariationKind | None = None,
        evaluate_every: int = 1,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.data, self.recipe = network, data, recipe
        self.generator, self.variation, self.evaluate_every = generator, variation, evaluate_every
        # One die stays what it is as long as the training lasts.
        self.redrawn = None if isinstance(variation, FrozenMismatch) else variation
        self.history: History = []
        self.weights = [layer.weight for layer in network]
        self.adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
        self.batches = Batches(len(data.train_labels), recipe.batch, generator)
        self._loss = self._right = torch.zeros(())
        self._started = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.adam

    def train_dataloader(self) -> Batches:
        return self.batches

    def on_train_epoch_start(self) -> None:
        self._loss = self._right = torch.zeros((), device=self.generator.device)
        self._started = time.monotonic()

    def training_step(self, rows: Tensor, index: int) -> None:
        """One step of the optimiser."""
        t, labels = self.data.train_t[rows], self.data.train_labels[rows]
        if self.recipe.augmentation:
            t = augment(t, self.recipe.augmentation, self.generator)
        targets = labels
        if self.recipe.mixup:
            t, targets = mixed(t, labels, self.data.classes, self.recipe.mixup, self.generator)
        rate = learning_rate(self.recipe, self._steps_done(index), self.recipe.epochs * len(self.batches))
        self.adam.param_groups[0]["lr"] = rate
        with varied(self.network, self.redrawn, self.generator):
            outputs = self.network(t, self.generator)
            batch_loss = loss(outputs, self.weights, targets, self.data.classes, self.recipe)
        self.adam.zero_grad()
        batch_loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.network.project()
        predicted = outputs[-1].spike_times[:, : self.data.classes].argmin(1)
        self._loss = self._loss + batch_loss.detach() * len(rows)
        self._right = self._right + (predicted == labels).sum()

    def end_epoch(self) -> None:
        """Put the epoch that is over into the history."""
        done, samples = len(self.history) + 1, len(self.data.train_labels)
        looked = done % self.evaluate_every == 0 or done == self.recipe.epochs
        test_accuracy = self._test_accuracy() if looked else math.nan
        before = self.history[-1].seconds if self.history else 0.0
        seconds = before + time.monotonic() - self._started
        self.history.append(Epoch(done, float(self._loss) / samples, float(self._right) / samples, test_accuracy, seconds))
        if self.logger:
            self.logger.log_metrics(asdict(self.history[-1]), step=done)

    def _steps_done(self, index: int) -> int:
        return len(self.history) * len(self.batches) + index

    def _test_accuracy(self) -> float:
        # Noise in inference is drawn from a generator of its own, so that looking changes no training.
        noise = torch.Generator(self.generator.device).manual_seed(self.recipe.seed)
        return accuracy(self.network, self.data.test_t, self.data.test_labels, self.data.classes, generator=noise)

    def state(self) -> dict[str, Tensor]:
        """Weights, optimiser, generator and history, as tensors by name."""
        adam: dict[str, Any] = self.adam.state_dict()["state"]
        moments = {f"optimiser.{i}.{name}": value for i, state in adam.items() for name, value in state.items()}
        history = torch.tensor([list(asdict(row).values()) for row in self.history], dtype=torch.float64)
        return {**self.network.state_dict(), **moments, "generator": self.generator.get_state(), "history": history}

    def resume(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state`."""
        self.history = [Epoch(int(row[0]), *row[1:]) for row in state["history"].tolist()]
        self.generator.set_state(state["generator"])
        self.network.load_state_dict({key: state[key] for key in self.network.state_dict()})
        moments: dict[int, dict[str, Tensor]] = {i: {} for i, _ in enumerate(self.network.parameters())}
        for key, value in state.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".")
                moments[int(index)][name] = value
        self.adam.load_state_dict({**self.adam.state_dict(), "state": moments})
