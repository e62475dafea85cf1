"""One network of a study: trained and evaluated, or failed for a reason that is its own."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

import torch

from training.data.spikes import SpikeData
from training.errors import TrainingError
from training.study.runs import Run, perform
from training.trainer import Progress


@dataclass(frozen=True)
class Work:
    """What all networks share: the folder of the data (None: with the package), that of the checkpoints, the device.

    `held_out` training samples take the place of the test set (0: none do); `threads` are those of the processor;
    `small_checkpoints` are in files of at most 15 MiB.
    """

    data: Path | None
    checkpoints: Path
    device: str = "cpu"
    held_out: int = 0
    threads: int = 1
    small_checkpoints: bool = False


@dataclass(frozen=True)
class Row:
    """A line of study.csv, by `training.study.runs.COLUMNS`."""

    values: dict[str, object]


@dataclass(frozen=True)
class Failure:
    """Why a network has no row: one line, and the traceback where there is one."""

    reason: str
    traceback: str = ""


def attempt(run: Run, data: SpikeData, work: Work, progress: Progress) -> Row | Failure:
    """Train a network, on from its checkpoint where there is one, and evaluate it.

    Raises `TrainingError` for what is wrong with the study itself, and with every network of it.
    """
    torch.set_num_threads(work.threads)
    try:
        return Row(perform(run, data, work.checkpoints, progress, work.device, work.small_checkpoints))
    except TrainingError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines()
        return Failure(f"{type(error).__name__}: {said[0]}" if said else type(error).__name__, traceback.format_exc())
