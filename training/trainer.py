"""Training: Adam on mini-batches, seeded, bitwise repeatable, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from training.data import SpikeData
from training.evaluation import evaluate
from training.network import RCSpikeNetwork
from training.recipe import Recipe, loss
from training.storage import NetworkFileError, read_tensors, write_tensors


@dataclass(frozen=True)
class Epoch:
    """One row of the history. The training accuracy is that of the noisy mini-batches; the test set decides nothing."""

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float


History = list[Epoch]
Progress = Callable[[Epoch], None]


def train(
    network: RCSpikeNetwork,
    data: SpikeData,
    recipe: Recipe,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    *,
    checkpoint_every: int = 200,
) -> History:
    """Train `network` in place from weights drawn with the recipe's seed; returns one row per epoch.

    The result is bitwise the same for the same seed, with or without interruptions: every `checkpoint_every` epochs the
    weights, the optimiser and the random generator go to `checkpoint` (safetensors), from which a later call goes on. A
    checkpoint of another recipe, network, hardware or data set is not used; more epochs may be asked for than it was made with.
    A layer of a few neurons is too small for threads: call torch.set_num_threads(1) before.
    """
    run = _Run(network, data, recipe)
    if checkpoint is not None:
        run.restore(checkpoint)
    while len(run.history) < recipe.epochs:
        run.epoch()
        if progress:
            progress(run.history[-1])
        if checkpoint is not None and (len(run.history) % checkpoint_every == 0 or len(run.history) == recipe.epochs):
            run.store(checkpoint)
    return run.history


class _Run:
    """State of one training: everything that the next epoch depends on."""

    def __init__(self, network: RCSpikeNetwork, data: SpikeData, recipe: Recipe) -> None:
        self.network, self.data, self.recipe = network, data, recipe
        self.history: History = []
        self.generator = torch.Generator().manual_seed(recipe.seed)
        for layer in network:
            layer.spike_time_noise = recipe.spike_time_noise
        network.reset_parameters(self.generator)
        self.weights = list(network.parameters())
        self.optimiser = torch.optim.Adam(self.weights, lr=recipe.learning_rate, fused=True)

    def epoch(self) -> None:
        """One pass over the training set in a new order."""
        data, samples = self.data, len(self.data.train_labels)
        self.network.train()
        total_loss, total_right = torch.zeros(()), torch.zeros(())
        order = torch.randperm(samples, generator=self.generator)
        for rows in torch.split(order, self.recipe.batch):
            batch_loss, right = self._step(data.train_t[rows], data.train_labels[rows])
            total_loss += batch_loss * len(rows)
            total_right += right
        test = evaluate(self.network, data.test_t, data.test_labels, data.classes)
        self.history.append(
            Epoch(len(self.history) + 1, float(total_loss) / samples, float(total_right) / samples, test.accuracy)
        )

    def _step(self, t: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One optimiser step; returns the loss and the number of samples that were right."""
        outputs = self.network(t, self.generator)
        batch_loss = loss(outputs, self.weights, labels, self.data.classes, self.recipe)
        self.optimiser.zero_grad()
        batch_loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.network.project()
        predicted = outputs[-1].spike_times[:, : self.data.classes].argmin(1)
        return batch_loss.detach(), (predicted == labels).sum()

    def _fingerprint(self) -> str:
        """What a checkpoint must share with this run to be continued: all but the number of epochs."""
        digest = hashlib.sha256(repr((asdict(replace(self.recipe, epochs=0)), self.network.sizes)).encode())
        for layer in self.network:
            settings = (layer.weight_range, layer.solver, layer.steps, layer.random_offset, layer.leak)
            numbers = (layer.model.v_reset, layer.model.tail_reference)
            digest.update(repr((settings, numbers)).encode())
        data = (self.data.train_t, self.data.train_labels, self.data.test_t, self.data.test_labels)
        for tensor in (*self.network.buffers(), *data):
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def _tensors(self) -> dict[str, Tensor]:
        optimiser = {
            f"optimiser.{i}.{name}": value
            for i, state in self.optimiser.state_dict()["state"].items()
            for name, value in state.items()
        }
        history = torch.tensor([list(asdict(row).values()) for row in self.history], dtype=torch.float64)
        return {**self.network.state_dict(), **optimiser, "generator": self.generator.get_state(), "history": history}

    def store(self, path: Path) -> None:
        write_tensors(path, self._tensors(), {"fingerprint": self._fingerprint()})

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of this very run; anything else is left aside."""
        try:
            tensors, metadata = read_tensors(path)
        except NetworkFileError:
            return
        if metadata.get("fingerprint") != self._fingerprint() or len(tensors["history"]) > self.recipe.epochs:
            return
        self.history = [Epoch(int(row[0]), *row[1:]) for row in tensors["history"].tolist()]
        self.generator.set_state(tensors["generator"])
        self.network.load_state_dict({key: tensors[key] for key in self.network.state_dict()})
        state: dict[int, dict[str, Tensor]] = {i: {} for i in range(len(self.weights))}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".")
                state[int(index)][name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
