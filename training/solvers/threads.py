"""Compiled loops over torch's tensors and torch's number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Below so many synapse events a thread costs more than it brings.
_EVENTS_PER_THREAD = 2_000_000


def array(x: Tensor | None) -> NDArray[Any] | None:
    """The memory of a tensor on the CPU (of a contiguous copy, if it is not)."""
    return None if x is None else x.detach().contiguous().numpy()


def in_order(t: Tensor) -> tuple[Tensor, Tensor]:
    """Spike times [batch, in] in order, those before 0 as 0, and the input that each belongs to. NaN comes last, and stays."""
    times = t.detach().cpu().numpy()
    order = times.argsort(axis=1)
    sorted_times = np.take_along_axis(times, order, axis=1)
    return torch.from_numpy(np.maximum(sorted_times, 0.0, out=sorted_times)), torch.from_numpy(order)


def over_threads(work: Callable[[int, int], None], items: int, events: int) -> None:
    """work(first, last) over `items`, shared among torch's number of threads where there are enough events to be done.

    The threads live for this call only: a pool that outlives it would hang a forked process, such as a worker of a data loader.
    """
    threads = min(torch.get_num_threads(), items, 1 + events // _EVENTS_PER_THREAD)
    if threads == 1:
        work(0, items)
        return
    bounds = [items * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda span: work(*span), pairwise(bounds)))


def sum_in_order(shares: Iterable[Tensor]) -> Tensor:
    """Sum of the threads' shares, added to the first of them. Threads end in any order: sort the shares by where each began."""
    first, *others = shares
    for share in others:
        first += share
    return first


def gather_over_threads(work: Callable[[NDArray[Any], int, int], None], items: int, events: int, like: Tensor) -> Tensor:
    """work(share, first, last) over `items` as `over_threads` does; returns the sum of the shares, shaped as `like`."""
    shares: dict[int, Tensor] = {}

    def one(first: int, last: int) -> None:
        shares[first] = torch.zeros_like(like)
        work(shares[first].numpy(), first, last)

    over_threads(one, items, events)
    return sum_in_order(shares[first] for first in sorted(shares))
