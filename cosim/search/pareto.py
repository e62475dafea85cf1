"""Which points of several objectives are best, and how much of the objectives' space they dominate. Everything is minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def on_front(points: FloatArray) -> NDArray[np.bool_]:
    """Which of the points [points, objectives] no other dominates: none is as good in everything and better in something."""
    points = np.asarray(points, dtype=float)
    no_worse = (points[:, None, :] <= points[None, :, :]).all(2)
    better = (points[:, None, :] < points[None, :, :]).any(2)
    return np.asarray(~(no_worse & better).any(0))


def hypervolume(points: FloatArray, reference: FloatArray) -> float:
    """Volume between the reference and the points that dominate it, [points, objectives] and [objectives].

    What each point adds to those behind it, by recursion over the others cut to its own box (While, Bradstreet and Barone 2012,
    doi:10.1109/TEVC.2010.2077298).
    """
    points = np.asarray(points, dtype=float)
    inside = points[(points < reference).all(1)]
    if not len(inside):
        return 0.0
    front = np.unique(inside[on_front(inside)], axis=0)
    if front.shape[1] == 1:
        return float(reference[0] - front.min())
    boxes = np.prod(reference - front, axis=1)
    return float(sum(box - hypervolume(np.maximum(front[k + 1 :], front[k]), reference) for k, box in enumerate(boxes)))
