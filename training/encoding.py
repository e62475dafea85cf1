"""Values as spike times, in phases: a time of 1 never arrives."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.hardware import FloatArray


def feature_times(features: FloatArray, minimum: FloatArray, maximum: FloatArray, bias: bool = True) -> FloatArray:
    """Features [samples, n] as spike times [samples, n], or [samples, n + 1] with a bias spike at t = 0.

    t = scaled feature, clipped to [0, 1].
    """
    scaled = np.clip((features - minimum) / (maximum - minimum), 0.0, 1.0)
    return np.concatenate([scaled, np.zeros((len(scaled), 1))], axis=1) if bias else scaled


def brightness_times(pixels: NDArray[np.uint8] | FloatArray, brightest: float) -> Tensor:
    """Pixels of any shape, 0 .. `brightest`, as spike times of the same shape: t = 1 - x, bright is early and black is silent."""
    return torch.as_tensor(1.0 - np.asarray(pixels, dtype=np.float32) / np.float32(brightest)).to(torch.get_default_dtype())
