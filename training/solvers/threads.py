"""Compiled loops over torch's tensors and torch's number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

# Below so many synapse events a thread costs more than it brings.
_EVENTS_PER_THREAD = 2_000_000


def array(x: Tensor | None) -> NDArray[Any] | None:
    """The memory of a tensor on the CPU (of a contiguous copy, if it is not)."""
    return None if x is None else x.detach().contiguous().numpy()


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
