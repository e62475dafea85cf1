"""The ladder of neuron models: what each term buys on spike patterns that no model has seen."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.style import COLOUR, INK, MUTED, WIDE, axes, legend_above


def ladder(table: pd.DataFrame) -> Figure:
    """Membrane error of each rung, rms and worst, on held-out patterns and on those it was fitted to.

    Args:
        table: `rung, fitted_parameters, fit_rms_v, held_out_rms_v, held_out_worst_v`, the lowest rung first.
    """
    figure, ((axis,),) = axes(1, 1, WIDE, 0.5 + 0.3 * len(table))
    place = range(len(table))
    axis.barh(place, 1e3 * table.held_out_rms_v, height=0.6, color=COLOUR["ode"], label="held out, rms")
    axis.plot(1e3 * table.held_out_worst_v, place, "|", color=INK, markersize=9, label="held out, worst")
    fitted = table.fitted_parameters > 0
    axis.plot(
        1e3 * table.fit_rms_v[fitted], [k for k in place if fitted.iloc[k]], "o", color=COLOUR["conventional"],
        label="patterns it was fitted to, rms",
    )  # fmt: skip
    for k, row in enumerate(table.itertuples()):
        at = (1e3 * row.held_out_worst_v, k)
        axis.annotate(f"{1e3 * row.held_out_rms_v:.3g} mV rms", at, (6, 0), textcoords="offset points", ha="left", va="center")
    axis.set_xscale("log")
    axis.set_xlim(right=4e3 * table.held_out_worst_v.max())
    axis.set_yticks(list(place), [f"{row.rung}  ({row.fitted_parameters})" for row in table.itertuples()])
    axis.tick_params(axis="y", colors=MUTED)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("membrane error (mV); in brackets how many parameters were fitted")
    legend_above(axis, ncols=3)
    return figure
