"""Capacitances between the nets of a layout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Capacitances:
    """Between each two nets that have one, in farads.

    Attributes:
        names: of the nets; the first is that of the field, the net of the substrate's taps where there are some.
        first, second: nets by their place in `names`, first < second.
        farads: of each pair.
    """

    names: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    farads: NDArray[np.float64]

    def __iter__(self) -> Iterator[tuple[str, str, float]]:
        for a, b, value in zip(self.first, self.second, self.farads, strict=True):
            yield self.names[a], self.names[b], float(value)

    @property
    def field(self) -> str:
        """The net of what lies under everything."""
        return self.names[0]

    def total(self) -> dict[str, float]:
        """Of each net, to all others together, in farads."""
        sums = np.bincount(self.first, self.farads, len(self.names)) + np.bincount(self.second, self.farads, len(self.names))
        return {name: float(value) for name, value in zip(self.names, sums, strict=True)}

    def between(self, one: str, other: str) -> float:
        """Farads between two nets, 0 if there is nothing."""
        return self.pairs().get((min(one, other), max(one, other)), 0.0)

    def pairs(self) -> Mapping[tuple[str, str], float]:
        """By the two names in alphabetical order, in farads."""
        sums: dict[tuple[str, str], float] = defaultdict(float)
        for a, b, value in self:
            sums[min(a, b), max(a, b)] += value
        return sums

    def table(self) -> pd.DataFrame:
        """A row a pair: `net`, `other`, `capacitance_f`; largest first."""
        frame = pd.DataFrame(list(self), columns=["net", "other", "capacitance_f"])
        return frame.sort_values("capacitance_f", ascending=False, ignore_index=True)
