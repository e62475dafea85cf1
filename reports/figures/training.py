"""How training went."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reports.figures.style import COLOUR, MUTED, NAME, WIDE, axes, legend_above, svg

EPOCHS_PER_LINE = 500


@svg
def history(table: pd.DataFrame) -> Figure:
    """Loss and accuracy by epoch, one line per network; training dashed, test solid."""
    figure, ((left, right),) = axes(1, 2, WIDE, 2.3)
    for name, part in table.groupby("mapping"):
        ordered = part.sort_values("epoch")
        ordered = ordered.iloc[:: max(1, len(ordered) // EPOCHS_PER_LINE)]
        colour, label = COLOUR.get(name, MUTED), NAME.get(name, name)
        left.plot(ordered.epoch, ordered.loss, color=colour, label=label)
        right.plot(ordered.epoch, ordered.train_accuracy, color=colour, linestyle="--", linewidth=0.8, label=f"{label}, training")
        right.plot(ordered.epoch, ordered.test_accuracy, color=colour, label=f"{label}, test")
    left.set(xlabel="epoch", ylabel="loss")
    if (table.loss > 0).all():
        left.set_yscale("log")
        for formatter in (left.yaxis.set_major_formatter, left.yaxis.set_minor_formatter):
            formatter("{x:g}")
    right.set(xlabel="epoch", ylabel="accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend_above(left, ncols=2)
    right.legend(loc="lower right")
    return figure
