"""Pooling of images of spike times [batch, channels, height, width]."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class EarliestSpikePool(nn.Module):
    """The earliest spike of every window: an OR gate on the spike lines. The gradient goes to that spike.

    Args:
        window: height and width of the window, and its stride.
    """

    def __init__(self, window: int | tuple[int, ...] = 2) -> None:
        super().__init__()
        self.window = window

    def forward(self, t: Tensor) -> Tensor:
        return -F.max_pool2d(-t, self.window)


class AverageSpikePool(nn.Module):
    """The mean of the spike times of every window; a silent input counts as a spike at t = 1.

    Args:
        window: height and width of the window, and its stride.
    """

    def __init__(self, window: int | tuple[int, ...] = 2) -> None:
        super().__init__()
        self.window = window

    def forward(self, t: Tensor) -> Tensor:
        return F.avg_pool2d(t.clamp(max=1.0), self.window)
