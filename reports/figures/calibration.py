"""Dies before and after their calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures.style import COLOUR, INK, MUTED, WIDE, axes, legend_above, svg, units


@svg
def dies(rows: pd.DataFrame) -> Figure:
    """Error of the output spikes of every die (log axis), open as manufactured and filled once calibrated."""
    figure, ((axis,),) = axes(1, 1, WIDE, 2.4)
    place = np.arange(len(rows))
    axis.vlines(place, rows.after_rmse_s, rows.before_rmse_s, color=MUTED, linewidth=0.8)
    before, after = COLOUR["conventional"], COLOUR["ode"]
    axis.plot(place, rows.before_rmse_s, "^", color=before, markerfacecolor="none", markersize=4.5, label="as manufactured")
    axis.plot(place, rows.after_rmse_s, "o", color=after, markersize=4.5, label="calibrated")
    axis.set(yscale="log", xlabel="die", ylabel="output spikes, rms")
    axis.set_xticks(place, [f"{die:.0f}" for die in rows.die], color=INK)
    units(axis, y="s")
    legend_above(axis, ncols=2)
    return figure
