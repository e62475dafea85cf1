"""What the solvers miss and cost: membranes, errors with the theorem's lines, time and memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from reports.figures.style import INK, MUTED, WIDE, axes, legend_above, shades, units

PANELS = 3


def membranes(table: pd.DataFrame) -> Figure:
    """Membrane of one neuron: exact as a line, discretised at its grid points; a panel per |E|, at most three of them."""
    reversals = _spread(sorted(table.e_rev.unique()))
    figure, (row,) = axes(1, len(reversals), WIDE, 2.3, sharey=True)
    # The coarse grids: a fine one lies on the line.
    grids = sorted(set(table.steps) - {0})[:PANELS]
    for axis, reversal in zip(row, reversals, strict=True):
        part = table[table.e_rev == reversal]
        exact = part[part.steps == 0]
        axis.plot(exact.t, exact.v, color=INK, label="exact")
        for steps, colour in zip(grids, shades(len(grids)), strict=True):
            points = part[part.steps == steps]
            axis.plot(points.t, points.v, "o--", color=colour, markersize=4, linewidth=0.8, label=f"M = {steps}")
        axis.set(xlabel="time (phases)", title=f"|E| = {reversal:g}")
    row[0].set_ylabel("membrane (thresholds)")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(grids) + 1)
    return figure


def errors(table: pd.DataFrame) -> Figure:
    """RMS error of v(1) of the widest layer: against M with lines of slope -2, against |E| with lines of slope -1."""
    widest = table[table.inputs == table.inputs.max()]
    figure, ((left, right),) = axes(1, 2, WIDE, 2.7)
    _error_lines(left, widest, "steps", "e_rev", "|E| = {:g}", -2.0)
    _error_lines(right, widest, "e_rev", "steps", "M = {:g}", -1.0)
    left.set(xlabel="M, cells of the grid", ylabel=f"rms error of v(1), {widest.inputs.iloc[0]} inputs")
    right.set(xlabel="|E|  (thresholds)")
    return figure


def _error_lines(axis: Any, table: pd.DataFrame, x: str, group: str, label: str, slope: float) -> None:
    """Measured points, and through the last of each group the line that the theorem O(M^-2 |E|^-1) gives."""
    groups = list(table.groupby(group))
    for (value, part), colour in zip(groups, shades(len(groups)), strict=True):
        ordered = part.sort_values(x)
        axis.loglog(ordered[x], ordered.rms_error, "o", color=colour, label=label.format(value))
        last = ordered.iloc[-1]
        line = last.rms_error * (ordered[x] / last[x]) ** slope
        axis.loglog(ordered[x], line, color=colour, linewidth=0.7, linestyle="--")
    ticks = sorted(table[x].unique())
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axis.xaxis.set_minor_locator(NullLocator())
    legend_above(axis, ncols=4)


def costs(table: pd.DataFrame) -> Figure:
    """Time of forward and backward, and memory held between them, against the inputs of a layer."""
    figure, ((left, right),) = axes(1, 2, WIDE, 2.5)
    kinds = list(table.groupby(["solver", "steps"], sort=False))
    for ((solver, steps), part), colour in zip(kinds, shades(len(kinds)), strict=True):
        name = f"DSTD, M = {steps}" if solver == "dstd" else {"mac": "ordinary layer", "exact": "exact"}[str(solver)]
        style = {"color": MUTED if solver == "mac" else colour, "marker": "s" if solver == "exact" else "o", "label": name}
        ordered = part.sort_values("inputs")
        left.loglog(ordered.inputs, ordered.seconds, **style)
        right.loglog(ordered.inputs, np.maximum(ordered.held_bytes, 1), **style)
    left.set(xlabel="inputs", ylabel="forward and backward")
    right.set(xlabel="inputs", ylabel="held for the backward pass")
    units(left, y="s")
    units(right, y="B")
    legend_above(left, ncols=2)
    return figure


def _spread(values: list[float]) -> list[float]:
    """At most `PANELS` of the values, first and last among them."""
    chosen = np.linspace(0, len(values) - 1, min(PANELS, len(values))).round().astype(int)
    return [values[i] for i in chosen]
