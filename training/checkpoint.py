"""Checkpoints of a training: safetensors, whole or not there, and only ever continued by the training that wrote them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from training.errors import TrainingError
from training.learner import Learner
from training.parts import MOST_BYTES, read_parted, remove, write_parted
from training.tensors import NetworkFileError, write_tensors

# Beside every so many epochs: what a killed training may lose.
LONGEST_LOSS_S = 60.0

# Settings of a module that came after the first checkpoints, which stay valid where these are left alone.
_LEFT_ALONE = {"coarse": False, "late": 1.0}

T = TypeVar("T")


class AnotherTraining(TrainingError):
    """A checkpoint is of another training than the one that was asked to go on from it; it is left as it is."""


class Checkpoint:
    """Writes the state of a `Learner` to `path` every `every` epochs, at least once a minute, and at the end.

    A `small` one has the optimiser, and what the moving average is off the weights, in bfloat16, and the weights as they are;
    above 15 MiB it comes in parts, beside an index at `path`. Either kind is continued by either.

    Makes the folder of `path`; raises `NetworkFileError` where it cannot.
    """

    def __init__(self, path: Path, learner: Learner, every: int, small: bool = False) -> None:
        self.path, self.every, self.small = path, every, small
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NetworkFileError(f"{path}: cannot be written: {error.strerror}; give a checkpoint another place") from error
        self._metadata = {"fingerprint": fingerprint(learner)}
        self._written = time.monotonic()

    def restore(self, learner: Learner) -> None:
        """Let the learner go on from the checkpoint where there is one.

        Raises `AnotherTraining` for a file that is not of this very training, which would be lost.
        """
        if not self.path.exists():
            return
        try:
            state, metadata = read_parted(self.path)
        except NetworkFileError as error:
            raise AnotherTraining(f"{error}; give the checkpoint another name, or delete this file") from error
        if metadata.get("fingerprint") != self._metadata["fingerprint"]:
            raise AnotherTraining(
                f"{self.path}: is of another training (another recipe, network, hardware or data set); give the checkpoint "
                "another name, or delete this file"
            )
        if (done := len(state["history"])) > learner.recipe.epochs:
            raise AnotherTraining(
                f"{self.path}: holds {done} epochs of this training, more than the {learner.recipe.epochs} of the recipe; give "
                "the checkpoint another name, or delete this file"
            )
        learner.resume(state)

    def keep(self, learner: Learner) -> None:
        """After an epoch: write the state, where it is time to."""
        done, now = len(learner.history), time.monotonic()
        if done % self.every == 0 or done == learner.recipe.epochs or now - self._written > LONGEST_LOSS_S:
            self._write(learner)
            self._written = now

    def _write(self, learner: Learner) -> None:
        try:
            if self.small:
                write_parted(self.path, learner.state(small=True), self._metadata, MOST_BYTES)
            else:
                write_tensors(self.path, learner.state(), self._metadata)
        except OSError as error:
            raise NetworkFileError(
                f"{self.path}: cannot be written: {error.strerror}; the checkpoint before it is kept: make room and start again"
            ) from error


def continued(work: Callable[[], T], checkpoint: Path) -> T:
    """A training that goes on from a checkpoint of its own place; one that was left there by another, or damaged, is deleted."""
    try:
        return work()
    except AnotherTraining:
        remove(checkpoint)
        return work()


def fingerprint(learner: Learner) -> str:
    """What a checkpoint must share with a training to be continued: all that decides its result.

    The number of epochs does so only through the schedule of the learning rate and the share of them that is coarse.
    """
    recipe = learner.recipe
    decisive = recipe.decisive()
    if recipe.schedule == "constant" and not recipe.coarse_share:
        del decisive["epochs"]
    if learner.energy is None:  # checkpoints of before there was one are of the same training
        del decisive["energy_penalty"]
    digest = hashlib.sha256(repr((decisive, learner.variation, learner.generator.device.type)).encode())
    digest.update(repr(learner.energy).encode() if learner.energy else b"")
    for name, module in learner.network.named_modules():
        digest.update(repr((name, type(module).__name__, sorted(_settings(module)))).encode())
    data = learner.data
    weights = learner.network.state_dict().values()
    tensors = (data.train_t, data.train_labels, data.test_t, data.test_labels)
    for tensor in (*weights, *learner.network.buffers(), *tensors):
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _settings(module: Any) -> Iterator[tuple[str, str]]:
    """The plain attributes of a module, and the numbers of its hardware model that are in no buffer."""
    for name, value in vars(module).items():
        plain = isinstance(value, int | float | str | tuple) or (is_dataclass(value) and name != "model")
        if name != "training" and not name.startswith("_") and plain and _LEFT_ALONE.get(name, ...) != value:
            yield name, repr(value)
    if (model := getattr(module, "model", None)) is not None:
        yield "model", repr((model.v_reset, model.tail_reference))
