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
    """What a tensor on the CPU holds, to be read: a copy, if it does not lie row by row. Raises TypeError for half precision."""
    return None if x is None else _checked(x).detach().contiguous().numpy()


def written(x: Tensor | None) -> NDArray[Any] | None:
    """The memory of a tensor on the CPU, to be written to: never a copy. `row_major` makes tensors for it."""
    return None if x is None else x.detach().numpy()


def zeros_in_rows(x: Tensor) -> Tensor:
    """Zeros of the shape of x that lie row by row; torch's own `zeros_like` keeps the order in which x lies."""
    return x.new_zeros(x.shape)


def _checked(x: Tensor) -> Tensor:
    if x.dtype in (torch.float16, torch.bfloat16):
        raise TypeError(
            f"{x.dtype}: a layer needs float32 or float64; keep the weights in float32 and take the products in bf16 by autocast"
        )
    return x


def in_order(t: Tensor) -> tuple[Tensor, Tensor]:
    """Spike times [batch, in] in order, those before 0 as 0, and the input that each belongs to.

    A sample that holds NaN is all NaN, so that it shows: the walks end at the first spike that does not arrive.
    """
    times = _checked(t).detach().contiguous().cpu().numpy()
    order = times.argsort(axis=1)
    sorted_times = np.take_along_axis(times, order, axis=1)
    sorted_times[np.isnan(sorted_times[:, -1:]).any(axis=1)] = np.nan
    return torch.from_numpy(np.maximum(sorted_times, 0.0, out=sorted_times)), torch.from_numpy(order)


def over_threads(work: Callable[[int, int], None], items: int, events: int) -> None:
    """work(first, last) over `items`, shared among torch's number of threads where there are enough events to be done.

    The threads live for this call only: a pool that outlives it would hang a forked process, such as a worker of a data loader.
    """
    threads = min(torch.get_num_threads(), items, 1 + events // _EVENTS_PER_THREAD)
    if threads <= 1:  # of no items too
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
        shares[first] = zeros_in_rows(like)
        work(shares[first].numpy(), first, last)

    over_threads(one, items, events)
    return sum_in_order(shares[first] for first in sorted(shares))
