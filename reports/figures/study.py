"""Studies of training as pictures: accuracy over the hardware, methods side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reports.figures.style import INK, MUTED, NARROW, WIDE, axes, flat_png, legend_above, look

METHOD_NAME = {
    "ideal": "ANN", "scaled": "scaled ANN", "noise": "noise injection", "frozen": "mismatch, one die",
    "dynamic": "mismatch, every batch", "ode": "ODE", "ode-frozen": "ODE + mismatch, one die",
    "ode-dynamic": "ODE + mismatch, every batch",
}  # fmt: skip
METHOD_LOOK = {
    "ideal": (MUTED, "s", ":"), "scaled": ("#e08a00", "^", "--"), "ode": ("#0b4f8a", "o", "-"), "noise": ("#7a5195", "v", "--"),
    "frozen": ("#4c9f70", "D", "--"), "dynamic": ("#2f6f4f", "P", "--"), "ode-frozen": ("#c2506b", "D", "-"),
    "ode-dynamic": ("#7d1d3f", "P", "-"),
}  # fmt: skip
AXIS_NAME = {"e_rev": "|E|  (thresholds)", "steps": "M, cells of the grid", "noise": "spike-time noise (phases, rms)"}


def write_pictures(folder: Path, name: str, plot: Callable[[pd.DataFrame], Figure], table: pd.DataFrame) -> list[Path]:
    """Draw a table and write it as name.png and name.svg into a folder; returns both paths."""
    with look():
        figure = plot(table)
        raster, drawing = folder / f"{name}.png", folder / f"{name}.svg"
        raster.write_bytes(flat_png(figure, dpi=200))
        figure.savefig(drawing, metadata={"Date": None})
    return [raster, drawing]


def accuracy_over(column: str, *, logarithmic: bool = True) -> Callable[[pd.DataFrame], Figure]:
    """A plot of test accuracy against one column of a study's table: mean over seeds, least and greatest shaded."""

    def plot(table: pd.DataFrame) -> Figure:
        figure, ((axis,),) = axes(1, 1, NARROW, 2.6)
        for method, rows in _by_method(table):
            colour, marker, line = METHOD_LOOK[method]
            accuracy = rows.groupby(column).test_accuracy.agg(["mean", "min", "max"])
            axis.plot(accuracy.index, accuracy["mean"], color=colour, marker=marker, linestyle=line, label=METHOD_NAME[method])
            axis.fill_between(accuracy.index, accuracy["min"], accuracy["max"], color=colour, alpha=0.15, linewidth=0)
        if logarithmic:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter("{x:g}")
        axis.set(xlabel=AXIS_NAME[column], ylabel="test accuracy")
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
        legend_above(axis, ncols=2)
        return figure

    return plot


def methods(table: pd.DataFrame) -> Figure:
    """Accuracy of every method, mean over the rows: as designed, on the die of frozen training, on the mean of other dies."""
    order = [method for method, _ in _by_method(table)]
    means = table.groupby("method").mean(numeric_only=True).loc[order[::-1]]
    figure, ((axis,),) = axes(1, 1, WIDE, 0.9 + 0.28 * len(order))
    kinds: Mapping[str, tuple[str, str, str]] = {
        "test_accuracy": ("as designed", "o", INK),
        "own_die_accuracy": ("die 1, which frozen training knows", "D", "#c2506b"),
        "other_dies_accuracy": ("mean of the other dies", "|", "#0b4f8a"),
        "worst_die_accuracy": ("worst of them", "x", MUTED),
    }
    for column, (label, marker, colour) in kinds.items():
        if column in means and means[column].notna().any():
            axis.plot(means[column], range(len(means)), marker, color=colour, label=label, markersize=6)
    axis.set_yticks(range(len(means)), [METHOD_NAME[method] for method in means.index])
    axis.set(xlabel="test accuracy", ylim=(-0.6, len(means) - 0.4))
    axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    legend_above(axis, ncols=4)
    return figure


def _by_method(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The methods that the table has, in the order of `METHOD_NAME`."""
    present = set(table.method)
    return [(method, table[table.method == method]) for method in METHOD_NAME if method in present]
