"""What was extracted from the cells: measured points, fits, residuals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reports.figures.style import (
    INK,
    MUTED,
    NARROW,
    SIGN_COLOUR,
    SIGN_MARKER,
    SIGN_NAME,
    WIDE,
    axes,
    legend_above,
    shades,
    svg,
    units,
    weights,
)  # fmt: skip


@svg
def synapse_iv(points: pd.DataFrame) -> Figure:
    """Current against membrane voltage, a curve per code, and the fit's residual below; a column per sign."""
    signs = [sign for sign in (1, -1) if sign in set(points.sign)]
    figure, grid = axes(2, len(signs), WIDE, 3.9, sharex=True, gridspec_kw={"height_ratios": [2.2, 1]})
    for column, sign in enumerate(signs):
        upper, lower = grid[:, column]
        part = points[points.sign == sign]
        for (_, curve), colour in zip(part.groupby("code"), shades(part.code.nunique()), strict=True):
            ordered = curve.sort_values("membrane_v")
            upper.plot(ordered.membrane_v, ordered.current_a.abs(), ".", color=colour)
            upper.plot(ordered.membrane_v, ordered.fit_a.abs(), color=colour, linewidth=0.8)
            lower.plot(ordered.membrane_v, ordered.current_a / ordered.fit_a - 1, color=colour, linewidth=0.9)
        upper.set(yscale="log", title=SIGN_NAME[sign], ylabel="|current|" if column == 0 else None)
        lower.set(xlabel="membrane voltage", ylabel="measured / fit − 1" if column == 0 else None)
        lower.set_ylim(*_robust_limits(part.current_a / part.fit_a - 1))
        lower.yaxis.set_major_formatter(PercentFormatter(1.0))
        units(upper, "V", "A")
        units(lower, "V")
    return figure


@svg
def reversal(fit: pd.DataFrame, published: dict[int, float]) -> Figure:
    """Slope lambda and reversal potential of a synapse against its weight; `published`: sign -> lambda (1/V)."""
    figure, ((left, right),) = axes(1, 2, WIDE, 2.4)
    for sign, part in _by_sign(fit):
        style = {"color": SIGN_COLOUR[sign], "marker": SIGN_MARKER[sign], "label": SIGN_NAME[sign]}
        left.plot(part.weight.abs(), part.lambda_per_v, **style)
        right.plot(part.weight.abs(), part.reversal_v.abs(), **style)
        if sign in published:
            left.axhline(published[sign], color=SIGN_COLOUR[sign], linestyle=":", label=f"published {published[sign]:g}")
    left.set(xlabel="|weight|", ylabel="λ, slope over current at rest  (1/V)")
    right.set(xlabel="|weight|", ylabel="|reversal displacement|")
    weights(left)
    weights(right)
    units(right, y="V")
    legend_above(left, ncols=2)
    return figure


@svg
def code_curve(fit: pd.DataFrame) -> Figure:
    """The code (gate bias or resistor length) that gives a weight: what the mapping inverts."""
    figure, ((axis,),) = axes(1, 1, NARROW, 2.4)
    for sign, part in _by_sign(fit):
        axis.plot(part.weight.abs(), part.code, color=SIGN_COLOUR[sign], marker=SIGN_MARKER[sign], label=SIGN_NAME[sign])
    unit = str(fit.code_unit.iloc[0])
    axis.set(xlabel="|weight|", ylabel="gate bias" if unit == "V" else f"resistor length ({unit})")
    weights(axis)
    if unit == "V":
        units(axis, y="V")
    legend_above(axis)
    return figure


@svg
def discharger(points: pd.DataFrame) -> Figure:
    """Current of the discharger with its linear fit, and the residual below."""
    ordered = points.sort_values("membrane_v")
    return _measured_and_law(
        ordered.membrane_v,
        ordered.current_a,
        ordered.fit_a,
        ("membrane voltage", "V"),
        ("current", "A"),
        ("measured", "linear fit"),
    )


@svg
def firing(points: pd.DataFrame) -> Figure:
    """Spike time against the displacement at the start of the firing phase, with the discharger law and its residual."""
    ordered = points.sort_values("displacement_v")
    return _measured_and_law(
        ordered.displacement_v, ordered.spike_s, ordered.law_s, ("displacement", "V"), ("spike time", "s"), ("circuit", "law")
    )


@svg
def membrane_charge(points: pd.DataFrame) -> Figure:
    """Membrane voltage against the charge put on it, a line per number of synapses on the column."""
    figure, ((axis,),) = axes(1, 1, NARROW, 2.4)
    groups = list(points.groupby("synapses"))
    for (synapses, curve), colour in zip(groups, shades(len(groups)), strict=True):
        ordered = curve.sort_values("charge_c")
        axis.plot(ordered.charge_c, ordered.membrane_v, color=colour, marker=".", label=f"{synapses} synapses")
    axis.set(xlabel="charge", ylabel="membrane voltage")
    units(axis, "C", "V")
    legend_above(axis, ncols=min(3, len(groups)))
    return figure


@svg
def switching(points: pd.DataFrame) -> Figure:
    """Charge of switching a synapse on and off against its weight, and the slow tail of the latter."""
    panels = (
        ("charge_on_c", "switching on"),
        ("charge_off_c", "switching off"),
        ("charge_off_tail_c", "tail, per e-fold of time"),
    )
    figure, (row,) = axes(1, 3, WIDE, 2.2)
    for axis, (column, title) in zip(row, panels, strict=True):
        for sign, part in _by_sign(points):
            axis.plot(part.weight.abs(), part[column], color=SIGN_COLOUR[sign], marker=SIGN_MARKER[sign], label=SIGN_NAME[sign])
        axis.axhline(0, color=MUTED, linewidth=0.6)
        axis.set(xlabel="|weight|", title=title)
        weights(axis)
        units(axis, y="C")
    row[0].set_ylabel("charge towards the threshold")
    row[0].legend(loc="best")
    return figure


def _measured_and_law(
    x: pd.Series, measured: pd.Series, law: pd.Series, x_axis: tuple[str, str], y_axis: tuple[str, str], labels: tuple[str, str]
) -> Figure:
    """Points over a line, and their difference below; each axis is (name, unit)."""
    figure, ((upper,), (lower,)) = axes(2, 1, NARROW, 3.1, sharex=True, gridspec_kw={"height_ratios": [2, 1]})
    upper.plot(x, law, color=SIGN_COLOUR[-1], label=labels[1])
    upper.plot(x, measured, ".", color=INK, label=labels[0])
    lower.plot(x, measured - law, ".-", color=INK, linewidth=0.8)
    lower.axhline(0, color=MUTED, linewidth=0.6)
    lower.set_ylim(*_robust_limits(measured - law))
    upper.set_ylabel(y_axis[0])
    lower.set(xlabel=x_axis[0], ylabel=f"{labels[0]} − {labels[1].removeprefix('linear ')}")
    units(upper, x_axis[1], y_axis[1])
    units(lower, x_axis[1], y_axis[1])
    legend_above(upper, ncols=2)
    return figure


def _by_sign(table: pd.DataFrame) -> Iterator[tuple[int, Any]]:
    for sign in (1, -1):
        part = table[table.sign == sign]
        if len(part):
            yield sign, part.assign(magnitude=part.weight.abs()).sort_values("magnitude")


def _robust_limits(residual: pd.Series) -> tuple[float, float]:
    """Limits that show the bulk of a residual; what leaves the fitted range shoots out of the frame."""
    finite = residual[np.isfinite(residual)].abs()
    reach = 8 * float(finite.median()) if len(finite) else 1.0
    reach = min(reach, 1.1 * float(finite.max())) if reach else float(finite.max()) if len(finite) else 1.0
    return (-reach, reach) if reach > 0 else (-1e-15, 1e-15)
