"""Trials of a search, two objectives at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reports.figures.style import INK, MUTED, WIDE, axes, legend_above, svg, units

BEST, LIMITED = "#0b4f8a", "#e08a00"

DECADES = 30.0
"""A range that is wider is drawn by its ratios; a narrower one would have no two powers of ten to be read by."""


@svg
def objectives(table: pd.DataFrame, names: Sequence[tuple[str, str, str]]) -> Figure:
    """The first objective against each of the others.

    Args:
        table: one row a trial that has a result, with `best`, `missed`, and the columns of `names`.
        names: (column, what it is called, its unit) of each objective; a share has no unit.
    """
    first, *others = names
    figure, (row,) = axes(1, len(others), WIDE, 2.6, sharey=True)
    missed = table.missed != ""
    kinds = (
        ("holds the limits", table[~table.best & ~missed], {"marker": "o", "color": MUTED, "markersize": 3}),
        ("misses a limit", table[missed], {"marker": "x", "color": LIMITED, "markersize": 4}),
        ("best", table[table.best], {"marker": "o", "color": BEST, "markersize": 5}),
        ("the design itself", table[table.trial == 0], {"marker": "s", "color": INK, "markersize": 8, "fillstyle": "none"}),
    )
    for axis, (column, called, unit) in zip(row, others, strict=True):
        for label, rows, look in kinds:
            axis.plot(rows[column], rows[first[0]], linestyle="none", label=label, **look)
        for best in table[table.best].itertuples():
            place = (table.loc[best.Index, column], table.loc[best.Index, first[0]])
            axis.annotate(str(best.trial), place, xytext=(3, 3), textcoords="offset points", fontsize=6, color=MUTED)
        axis.set_xlabel(called)
        _scaled(axis, "x", unit)
    row[0].set_ylabel(first[1])
    _scaled(row[0], "y", first[2])
    legend_above(row[0], ncols=2)
    return figure


def _scaled(axis: Any, which: str, unit: str) -> None:
    """Engineering prefixes, shares in percent; a wide range by its ratios."""
    if unit == "%":
        getattr(axis, f"{which}axis").set_major_formatter(PercentFormatter(1.0))
        return
    low, high = getattr(axis, f"get_{which}lim")()
    if low > 0 and high > DECADES * low:
        getattr(axis, f"set_{which}scale")("log")
    units(axis, **{which: unit})
