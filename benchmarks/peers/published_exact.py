"""The exact layer as published before DSTD: everything at once, no loop over spikes (Sakemi et al. 2025, arXiv 2412.09010).

Per sample and neuron the weights in the order of their spikes, cumulative sums g and f, and the membrane as a sum over intervals,

    v(1) = sum_j g_j d_j phi1(f_j d_j) exp(-sum_{k > j} f_k d_k),

differentiated by autograd. Tensors are [batch, inputs, outputs]: memory and time grow with their product.
"""

from __future__ import annotations

import torch
from torch import Tensor


def accumulate(t: Tensor, weight: Tensor, beta: Tensor) -> Tensor:
    """v(1) [batch, out] of spikes t [batch, in] within the phase, weight [out, in], beta [out, in], from v(0) = 0."""
    times, order = t.clamp(0.0, 1.0).sort(dim=1)
    intervals = torch.diff(times, dim=1, append=torch.ones_like(times[:, :1])).unsqueeze(2)
    g = weight.T[order].cumsum(1)
    f = (beta * weight).T[order].cumsum(1)
    x = f * intervals
    safe = torch.where(x == 0.0, 1.0, x)
    phi = torch.where(x == 0.0, 1.0, -torch.expm1(-safe) / safe)
    later = x.flip(1).cumsum(1).flip(1) - x
    return (g * intervals * phi * torch.exp(-later)).sum(1)
