"""Training on Lightning: seeded, bitwise repeatable, resumable."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger

from training.checkpoint import Checkpoint
from training.data.spikes import SpikeData
from training.hardware_aware.variation import FrozenMismatch, VariationKind, varied
from training.learner import Epoch, History, Learner
from training.network import RCSpikeNetwork
from training.recipe import Recipe

__all__ = ["Epoch", "History", "Progress", "train"]

Progress = Callable[[Epoch], None]


def train(
    network: RCSpikeNetwork,
    data: SpikeData,
    recipe: Recipe,
    progress: Progress | None = None,
    checkpoint: Path | str | None = None,
    *,
    checkpoint_every: int = 200,
    variation: VariationKind | None = None,
    keep_weights: bool = False,
    evaluate_every: int = 1,
    device: torch.device | str = "cpu",
    logger: Logger | None = None,
) -> History:
    """Train `network` in place from weights drawn with the recipe's seed; returns one row per epoch.

    The result is bitwise the same for the same seed on a CPU, with or without interruptions: every `checkpoint_every` epochs,
    and at least once a minute, the weights, the optimiser, the random generator and the history go to `checkpoint`
    (safetensors), from which a later call goes on. A checkpoint of another recipe, network, hardware or data set is not used;
    more epochs may be asked for than it was made with. A layer of a few neurons is too small for threads: call
    torch.set_num_threads(1) before.

    Args:
        progress: hears of every epoch; without it, and on a terminal, Lightning shows a progress bar.
        variation: noise of the synapses, or mismatch of synapses and neurons, in training.
        keep_weights: start from the network's own weights (fine tuning).
        evaluate_every: epochs between two looks at the test set; the last epoch always has one.
        device: "cpu" or "cuda". The network is on the CPU again afterwards.
        logger: a Lightning logger (CSV, TensorBoard) that gets every row of the history.

    Raises ValueError for a device that is not there, fewer outputs than classes, or an augmentation of what is no picture.
    """
    place = _device(device)
    if network.sizes[-1] < data.classes:
        raise ValueError(f"network: has {network.sizes[-1]} outputs for {data.classes} classes")
    if recipe.augmentation and data.train_t.dim() != 4:
        raise ValueError("augmentation: needs pictures, give data.as_images() and a network that takes them")
    generator = torch.Generator(place).manual_seed(recipe.seed)
    _prepare(network.to(place), recipe, generator, keep_weights)
    learner = Learner(network, data.to(place), recipe, generator, variation, evaluate_every)
    callbacks: list[Callback] = [_Ended()]
    if progress is not None:
        callbacks.append(_Told(progress))
    if checkpoint is not None:
        saved = Checkpoint(Path(checkpoint), learner, checkpoint_every)
        saved.restore(learner)
        callbacks.append(saved)
    with varied(network, variation if isinstance(variation, FrozenMismatch) else None):
        _fit(learner, callbacks, logger, bar=progress is None and sys.stderr.isatty())
    return learner.history


def _device(device: torch.device | str) -> torch.device:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device: {str(device)!r} is not there; take 'cpu'") from error
    return torch.device(device)


def _prepare(network: RCSpikeNetwork, recipe: Recipe, generator: torch.Generator, keep_weights: bool) -> None:
    for layer in network:
        layer.spike_time_noise, layer.noise_in_evaluation = recipe.spike_time_noise, recipe.noise_in_evaluation
    if not keep_weights:
        network.reset_parameters(generator, recipe.initial_spread)


class _Ended(Callback):
    """Ends the epochs of a learner, before the callbacks that look at its history; Lightning calls modules after callbacks."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Learner)
        pl_module.end_epoch()


class _Told(Callback):
    """Tells a function of every epoch."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Learner)
        self.progress(pl_module.history[-1])


def _fit(learner: Learner, callbacks: list[Callback], logger: Logger | None, *, bar: bool) -> None:
    """The epochs that are still to be done."""
    epochs = learner.recipe.epochs - len(learner.history)
    if epochs <= 0:
        return
    with _quiet(), _interrupts_as_ever():
        device = learner.generator.device
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1 if device.index is None else [device.index],
            logger=logger or False,
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=bar,
            enable_model_summary=False,
        )
        trainer.fit(learner)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's remarks on hardware that is not used and on settings that were chosen."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def _interrupts_as_ever() -> Iterator[None]:
    """Lightning turns Ctrl-C into the end of the process and ignores every further one; here it stays a KeyboardInterrupt."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from end
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
