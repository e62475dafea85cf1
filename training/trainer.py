"""Training: seeded, bitwise repeatable, resumable."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from training.captured import CudaGraphs
from training.checkpoint import Checkpoint
from training.data.spikes import SpikeData
from training.energy import NetworkEnergy
from training.errors import TrainingError
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
    evaluate_every: int | None = 1,
    device: torch.device | str = "cpu",
    energy: NetworkEnergy | None = None,
    capture: bool = True,
    small_checkpoint: bool = False,
) -> History:
    """Train `network` in place from weights drawn with the recipe's seed; returns one row per epoch.

    What normalises the drive of a layer is folded into its weights and a bias spike at the end.

    The result is bitwise the same for the same seed on a CPU, with or without interruptions: every `checkpoint_every` epochs,
    and at least once a minute, the weights, the optimiser, the random generator and the history go to `checkpoint`
    (safetensors), from which a later call goes on. A checkpoint of another recipe, network, hardware or data set is refused, and
    left as it is; more epochs may be asked for than it was made with. A layer of a few neurons is too small for threads: call
    torch.set_num_threads(1) before.

    Args:
        progress: hears of every epoch, before its checkpoint is written; without it, and on a terminal, a bar is shown.
        variation: noise of the synapses, or mismatch of synapses and neurons, in training.
        keep_weights: start from the network's own weights (fine tuning).
        evaluate_every: epochs between two looks at the test set; the last epoch always has one. None: there is no look, for
            who evaluates the network afterwards.
        device: "cpu" or "cuda". The network is on the CPU again afterwards.
        energy: what the cells cost, which a recipe with an energy penalty needs.
        capture: on a GPU, record a step as a CUDA graph and replay it; one that cannot be recorded is told by a warning, and
            run operation by operation, as all are without.
        small_checkpoint: for where files have to be small: the checkpoint's optimiser in bfloat16, the weights as they are, no
            file above 15 MiB (`training.checkpoint.Checkpoint`). What goes on from it does so within that rounding.

    Raises `TrainingError` for a device that is not there, an energy penalty without energies, fewer outputs than classes, an
    augmentation of what is no picture, spikes that are no numbers, and a loss that is none, with its epoch; `AnotherTraining` for
    the checkpoint of another one.
    """
    place = _device(device)
    wanted = {"checkpoint_every": checkpoint_every} | ({} if evaluate_every is None else {"evaluate_every": evaluate_every})
    for name, every in wanted.items():
        if not isinstance(every, int) or every < 1:
            raise TrainingError(f"{name}: must be a whole number of epochs, 1 or more, not {every!r}")
    _check_spikes(data)
    if recipe.ema and any(layer.normalisation is not None for layer in network):
        raise TrainingError("ema: normalised drives keep statistics of the weights, not of their moving average; leave ema out")
    if network.sizes[-1] < data.classes:
        raise TrainingError(f"network: has {network.sizes[-1]} outputs for {data.classes} classes")
    _check_augmentation(recipe, data)
    generator = torch.Generator(place).manual_seed(recipe.seed)
    with _in_training(network, place):
        _prepare(network, recipe, generator, keep_weights)
        recorder = CudaGraphs() if capture and place.type == "cuda" else None
        learner = Learner(network, data.to(place), recipe, generator, variation, evaluate_every, energy, recorder)
        saved = None if checkpoint is None else Checkpoint(Path(checkpoint), learner, checkpoint_every, small_checkpoint)
        if saved is not None:
            saved.restore(learner)
        die = variation if isinstance(variation, FrozenMismatch) else None
        with varied(network, die), _told(progress, recipe.epochs) as tell:
            while len(learner.history) < recipe.epochs:
                tell(learner.train_epoch())
                if saved is not None:
                    saved.keep(learner)
            learner.settle()
        network.fold_normalisation()
    return learner.history


def _check_spikes(data: SpikeData) -> None:
    """Raises `TrainingError` for samples that hold what is no number."""
    for name, spikes in (("train_t", data.train_t), ("test_t", data.test_t)):
        if bad := torch.nonzero(spikes.isnan().flatten(1).any(1)).flatten().tolist():
            raise TrainingError(
                f"data: {name}: sample {bad[0]} ({len(bad)} of {len(spikes)}) holds a spike time that is no number"
            )


def _check_augmentation(recipe: Recipe, data: SpikeData) -> None:
    """Raises `TrainingError` for an augmentation of what is no picture, or of one that is smaller than a square in it."""
    if recipe.augmentation and data.train_t.dim() != 4:
        raise TrainingError("augmentation: needs pictures, give data.as_images() and a network that takes them")
    if (side := recipe.augmentation.cutout_pixels) > min(data.train_t.shape[2:], default=side):
        height, width = data.train_t.shape[2:]
        raise TrainingError(f"augmentation.cutout_pixels: {side} is more than a picture of {height} x {width} has; give fewer")


def _device(device: torch.device | str) -> torch.device:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device: {str(device)!r} is not there; take 'cpu'") from error
    return torch.device(device)


@contextlib.contextmanager
def _in_training(network: RCSpikeNetwork, device: torch.device) -> Iterator[None]:
    """The network on a device and in training mode; afterwards on the CPU, in the mode that it was in."""
    training = network.training
    network.to(device).train()
    try:
        yield
    finally:
        network.coarsen(False)
        network.cpu().train(training)


def _prepare(network: RCSpikeNetwork, recipe: Recipe, generator: torch.Generator, keep_weights: bool) -> None:
    for layer in network:
        layer.spike_time_noise, layer.noise_in_evaluation = recipe.spike_time_noise, recipe.noise_in_evaluation
    if not keep_weights:
        network.reset_parameters(generator, recipe.initial_spread)


@contextlib.contextmanager
def _told(progress: Progress | None, epochs: int) -> Iterator[Progress]:
    """Who hears of every epoch: the caller, or a bar on a terminal, or nobody."""
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        from training.bar import epoch_bar

        with epoch_bar(epochs) as show:
            yield show
    else:
        yield lambda epoch: None
