"""Product-quantised spike times: those of a few neighbouring neurons are one word of a learnt table."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.network import RCSpikeNetwork
from training.structures.spike_times import behind

FOLLOWS = 0.05
"""Share by which a vector follows a batch."""

UNUSED = 0.01
"""A vector that is nearest to fewer spikes of a batch than this, in its running mean, starts anew at one that was sent."""

SILENT = 0.02
"""A neuron that a vector says to fire within this share of the end of its phase is silent."""


class SpikeVectors(nn.Module):
    """Puts the spikes of `size` neighbours on the nearest of 2^bits vectors (product quantisation, Jegou et al. 2011).

    The table is one for all neurons of a layer, and it is learnt: in training a vector follows the mean of the spikes that it
    stands for (van den Oord et al. 2017), and the gradient goes straight through. A spike takes `bits` / `size` bits.

    Args:
        bits: of a word.
        size: neurons whose spikes are one word; the last ones of a layer stand with some that are always silent.
    """

    vectors: Tensor
    used: Tensor

    def __init__(self, bits: int, size: int) -> None:
        super().__init__()
        if not 1 <= bits <= 16 or size < 1:
            raise ValueError(f"bits, size: {bits} for {size} spikes; 1 .. 16 bits for at least one")
        self.bits, self.size = bits, size
        self.register_buffer("vectors", torch.ones(2**bits, size))
        self.register_buffer("used", torch.zeros(2**bits))

    @property
    def bits_per_spike(self) -> float:
        return self.bits / self.size

    def forward(self, t: Tensor) -> Tensor:
        with torch.no_grad():
            own = self._split(t)
            if self.training:
                self._follow(own)
            counted = self._joined(self._table()[self._nearest(own)], t)
        return counted + (t - t.detach())

    def words(self, t: Tensor) -> Tensor:
        """Which vector stands for each group of neurons, [batch, groups]."""
        return self._nearest(self._split(t.detach())).view(len(t), -1)

    def times(self, words: Tensor, width: int) -> Tensor:
        """The inverse of `words`: spike times of so many neurons, [batch, width]."""
        return self._table()[words].flatten(1)[:, :width]

    def _table(self) -> Tensor:
        return torch.where(self.vectors > 1.0 - SILENT, torch.ones_like(self.vectors), self.vectors)

    def _split(self, t: Tensor) -> Tensor:
        """[groups, size]."""
        rows = t.flatten(1).clamp(0.0, 1.0)
        return F.pad(rows, (0, -rows.shape[1] % self.size), value=1.0).reshape(-1, self.size).to(self.vectors)

    def _joined(self, groups: Tensor, t: Tensor) -> Tensor:
        return groups.view(len(t), -1)[:, : t[0].numel()].reshape(t.shape).to(t)

    def _nearest(self, groups: Tensor) -> Tensor:
        table = self._table()
        return (table.square().sum(1) - 2.0 * groups @ table.T).argmin(1)

    def _follow(self, groups: Tensor) -> None:
        """Let the vectors follow a batch; those that nothing is near to start at spikes of it, drawn by their number."""
        word = self._nearest(groups)
        count = groups.new_zeros(len(self.used)).index_add_(0, word, groups.new_ones(len(word)))
        sums = torch.zeros_like(self.vectors).index_add_(0, word, groups)
        means = sums / count.clamp(min=1.0)[:, None]
        self.vectors += FOLLOWS * torch.where(count[:, None] > 0, means - self.vectors, 0.0)
        self.used += FOLLOWS * (count - self.used)
        dead = (self.used < UNUSED).nonzero()[:, 0]
        self.vectors[dead] = groups[(dead * 7919 + int(word.sum())) % len(groups)]
        self.used[dead] = 1.0


def with_vectors(network: RCSpikeNetwork, bits: int, size: int) -> RCSpikeNetwork:
    """The same layers, of which each sees its inputs and hidden spikes as words; the outputs are sent as they are."""
    return behind(network, lambda: SpikeVectors(bits, size))
