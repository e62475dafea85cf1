"""The runs of a study: which there are, and what one of them gives."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from training.checkpoint import continued
from training.data.catalogue import load
from training.data.spikes import SpikeData, held_out, reduced
from training.hardware import HardwareModel, NormalisedModel, WeightRange, normalise
from training.hardware_aware.methods import Comparison, Method, MethodResult, run_method
from training.hardware_aware.variation import Mismatch
from training.models import convolutional, fully_connected
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.study.plan import Study, StudyError, hardware_name
from training.trainer import Progress

COLUMNS = (
    "run", "dataset", "network", "solver", "steps", "e_rev", "noise", "seed", "epochs", "method", "test_accuracy",
    "own_die_accuracy", "other_dies_accuracy", "worst_die_accuracy", "gain_plus", "gain_minus", "drive", "train_seconds",
    "device",
)  # fmt: skip


Target: TypeAlias = float | tuple[float, float] | str | Path


@cache
def reference_reversals() -> tuple[float, float]:
    """E+ and E- (thresholds) of the packaged reference cell at the geometric middle of its weights."""
    return normalise(HardwareModel.reference()).reversals


@dataclass(frozen=True)
class Run:
    """One cell of the grid. `e_rev` is of `Study.reversal`, or the file of a hardware model; `steps` 0 is the exact solver."""

    study: Study
    method: Method
    e_rev: Target
    steps: int
    noise: float
    seed: int

    @cached_property
    def hardware(self) -> HardwareModel | None:
        """The model it runs on, where that is no |E|. Raises `HardwareModelError`."""
        return HardwareModel.load(self.e_rev) if isinstance(self.e_rev, Path) else None

    @property
    def target(self) -> NormalisedModel:
        """What it runs on. Raises `HardwareModelError`."""
        if isinstance(self.e_rev, Path):
            assert self.hardware is not None
            return normalise(self.hardware)
        return NormalisedModel.constant(*self._pair)

    @property
    def _pair(self) -> tuple[float, float]:
        """E+ and E-, where it runs on no hardware model."""
        assert not isinstance(self.e_rev, Path)
        if self.e_rev == "reference":
            return reference_reversals()
        return self.e_rev if isinstance(self.e_rev, tuple) else (float(self.e_rev), -float(self.e_rev))

    @property
    def target_name(self) -> str:
        if isinstance(self.e_rev, Path):
            return hardware_name(self.e_rev)
        if isinstance(self.e_rev, tuple):
            return "{:g}/{:g}".format(*self.e_rev)
        return self.e_rev if isinstance(self.e_rev, str) else f"{self.e_rev:g}"

    @property
    def mismatch(self) -> Mismatch:
        """Of the dies: the study's, or that of the hardware's Monte Carlo dies. Raises `HardwareModelError`."""
        variation = self.hardware.variation if self.hardware else None
        if variation is None or "mismatch" in self.study.model_fields_set:
            return self.study.mismatch
        return Mismatch.of(variation)

    @property
    def key(self) -> str:
        """Short digest of all that decides the row."""
        return _digest({**self._settings(), "method": self.method, "e_rev": self._target(), "dies": self.study.dies})

    @property
    def training_key(self) -> str:
        """Short digest of all that decides the training: rows that share one share its checkpoint."""
        method = self.method.training
        target = self._target() if method.knows_hardware or self.hardware else None
        return _digest({**self._settings(), "method": method, "e_rev": target})

    def _target(self) -> str:
        """|E| or E+ and E-, or what the hardware model holds, wherever it lies."""
        if self.hardware:
            return _digest({"hardware": self.hardware.model_dump_json()})
        return str(self.e_rev if isinstance(self.e_rev, float) else self._pair)

    def _settings(self) -> dict[str, object]:
        kept = ("dataset", "network", "hidden", "channels", "pool", "train_samples", "gamma", "noise_share")
        fixed = self.study.model_dump(mode="json", include=set(kept))
        # Rows of before there were these keep their keys.
        fixed |= self.study.model_dump(mode="json", include={"last_pool", "normalise", "late"}, exclude_defaults=True)
        return {
            **fixed,
            "recipe": self.study.recipe.decisive(),
            "mismatch": asdict(self.mismatch),
            "steps": self.steps,
            "noise": self.noise,
            "seed": self.seed,
        }

    @property
    def title(self) -> str:
        """The run in a few words."""
        solver = f"DSTD {self.steps}" if self.steps else "exact"
        return f"{self.method}, |E| {self.target_name}, {solver}, noise {self.noise:g}, seed {self.seed}"


def runs_of(study: Study) -> Iterator[Run]:
    """All of them, those that share a training one after the other."""
    targets: list[Target] = [*study.reversal, *study.hardware]
    # As keys of a dictionary: a value that stands twice is one run.
    outer = itertools.product(dict.fromkeys(study.seeds), dict.fromkeys(study.noise), dict.fromkeys(study.steps))
    for seed, noise, steps in outer:
        for method, e_rev in itertools.product(dict.fromkeys(study.methods), dict.fromkeys(targets)):
            yield Run(study, method, e_rev, steps, noise, seed)


def study_data(study: Study, folder: Path | None, held_out_samples: int = 0) -> SpikeData:
    """The data set of a study; `folder` holds its files. Raises `DataFileError` or `StudyError`.

    So many training samples, at most half of them, take the place of the test set.
    """
    data = load(study.dataset, folder)
    if held_out_samples:
        data = held_out(data, min(held_out_samples, len(data.train_labels) // 2))
    if not study.train_samples:
        return data
    try:
        return reduced(data, study.train_samples)
    except ValueError as error:
        raise StudyError(str(error)) from error


def perform(
    run: Run,
    data: SpikeData,
    checkpoints: Path,
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
    small_checkpoint: bool = False,
) -> dict[str, object]:
    """Train and evaluate one run; returns its row, by `COLUMNS`. Goes on from its checkpoint where there is one."""
    study = run.study
    checkpoints.mkdir(parents=True, exist_ok=True)
    shaped = _shaped(study, data)
    comparison = Comparison(
        build=builder(run, shaped),
        target=run.target,
        data=shaped,
        recipe=recipe_of(run),
        mismatch=run.mismatch,
        dies=study.dies,
        noise_share=study.noise_share,
    )
    checkpoint = checkpoints / f"{run.training_key}.safetensors"
    work = partial(
        run_method,
        run.method,
        comparison,
        progress,
        checkpoint,
        evaluate_every=None,  # the row has the one look
        device=device,
        small_checkpoint=small_checkpoint,
    )
    return _row(run, continued(work, checkpoint), device)


def _row(run: Run, result: MethodResult, device: torch.device | str) -> dict[str, object]:
    return {
        "run": run.key,
        "dataset": run.study.dataset,
        "network": network_name(run.study, result.network.sizes),
        "solver": "dstd" if run.steps else "exact",
        "steps": run.steps or None,
        "e_rev": run.e_rev if isinstance(run.e_rev, float) else run.target_name,
        "noise": run.noise,
        "seed": run.seed,
        "epochs": run.study.recipe.epochs,
        "method": str(run.method),
        "test_accuracy": result.nominal.accuracy,
        "own_die_accuracy": result.own_die,
        "other_dies_accuracy": result.mean_of_dies,
        "worst_die_accuracy": min(result.other_dies, default=None),
        "gain_plus": result.gains.plus,
        "gain_minus": result.gains.minus,
        "drive": max(result.nominal.drive),
        "train_seconds": result.history[-1].seconds,
        "device": str(device),
    }


def _shaped(study: Study, data: SpikeData) -> SpikeData:
    """With its gamma, and as pictures where the network or the augmentation needs them."""
    data = data.with_gamma(study.gamma)
    if study.network == "fc" and not study.recipe.augmentation:
        return data
    if data.image is None:
        raise StudyError(f"the samples of {study.dataset} are no images; take network 'fc' and no augmentation")
    return data.as_images()


def network_name(study: Study, sizes: Sequence[int]) -> str:
    """784-400-400-10, or 64-64-P-128-128-P-512-10 with P a pooling; the second of PP over what is left."""
    if study.network == "fc":
        return "-".join(map(str, sizes))
    groups = ["-".join([*map(str, group), "P"]) for group in study.channels]
    return "-".join([*groups, *["P"] * bool(study.last_pool), *(str(n) for n in (*study.hidden, sizes[-1]))])


def builder(run: Run, data: SpikeData) -> Callable[[NormalisedModel], RCSpikeNetwork]:
    """Makes the untrained network of a run on a model; its weights keep to the range of the cell it will run on."""
    study = run.study
    options: dict[str, Any] = {"solver": "exact"}
    if run.steps:
        options = {"solver": "dstd", "steps": run.steps, "random_offset": True, "late": study.late}
    options |= {"weight_range": WeightRange.of(run.target), "normalise": study.normalise}
    if study.network == "fc":
        return partial(fully_connected, data.inputs, data.classes, hidden=study.hidden, **options)
    assert data.image is not None
    return partial(
        convolutional, data.image, data.classes, channels=study.channels, hidden=study.hidden, pool=study.pool,
        last_pool=study.last_pool, **options,
    )  # fmt: skip


def recipe_of(run: Run) -> Recipe:
    return run.study.recipe.but(seed=run.seed, spike_time_noise=run.noise)


def _digest(settings: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
