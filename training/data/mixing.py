"""Mixup: samples between two training samples, and targets that say how far between."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor

# Points of the table of shares; straight lines between them are off by less than 1e-7 for alpha from 0.05 to 20.
_POINTS = 1 << 14


def mixed(t: Tensor, labels: Tensor, classes: int, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A mini-batch whose samples each hold some of another one (Zhang et al. 2018, arXiv 1710.09412).

    Spike times are linear in brightness, and so is the mixture; an input that only one of the two has comes later.

    Args:
        t: spike times [batch, ...] in phases.
        labels: [batch], 0 .. classes - 1.
        alpha: the share of the other sample is drawn, for each, from the Beta(alpha, alpha) distribution, folded to at most 1/2.

    Returns:
        spike times as `t`, and the share of each class [batch, classes].
    """
    uniform = torch.rand(len(t), generator=generator, device=t.device, dtype=torch.float64)
    # The distribution's own sampler takes no generator; a training that is resumed must draw what it would have drawn.
    # Exact on a CPU; elsewhere the host would have to wait for the device.
    other = (torch.as_tensor(betaincinv(alpha, alpha, 0.5 * uniform.numpy())) if t.is_cpu else tabulated(uniform, alpha)).to(t)
    partner = torch.randperm(len(t), generator=generator, device=t.device)
    targets = F.one_hot(labels, classes).to(t.dtype)
    return (
        torch.lerp(t, t[partner], other.view(-1, *[1] * (t.dim() - 1))),
        torch.lerp(targets, targets[partner], other[:, None]),
    )


def tabulated(uniform: Tensor, alpha: float) -> Tensor:
    """The share of the other sample at quantiles `uniform`, any shape in 0 .. 1, from a table on their device.

    Over the quantile's root of order alpha, where that is above 1, the share leaves 0 along a straight line.
    """
    place = uniform ** (1.0 / max(alpha, 1.0)) * _POINTS
    below = place.long().clamp_(0, _POINTS - 1)
    table = _table(alpha, uniform.device)
    return torch.lerp(table[below], table[below + 1], place - below)


@lru_cache(maxsize=4)
def _table(alpha: float, device: torch.device) -> Tensor:
    quantiles = (np.arange(_POINTS + 1) / _POINTS) ** max(alpha, 1.0)
    return torch.as_tensor(betaincinv(alpha, alpha, 0.5 * quantiles)).to(device)
