"""Mixup: samples between two training samples, and targets that say how far between."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor


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
    other = torch.as_tensor(betaincinv(alpha, alpha, 0.5 * uniform.cpu().numpy())).to(t)
    partner = torch.randperm(len(t), generator=generator, device=t.device)
    targets = F.one_hot(labels, classes).to(t.dtype)
    return (
        torch.lerp(t, t[partner], other.view(-1, *[1] * (t.dim() - 1))),
        torch.lerp(targets, targets[partner], other[:, None]),
    )
