"""Figures of a datasheet: parameters over conditions, distributions over dies, correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.style import INK, MUTED, WIDE, axes, shades, svg, units

COLUMNS = 3
PANEL_HEIGHT = 1.9
_CLEAR_LABELS = 24


@svg
def over_conditions(table: pd.DataFrame, parameters: Mapping[str, str]) -> Figure:
    """A panel a parameter: its value against temperature, a colour a FET corner, one dot a supply and resistor/capacitor corner.

    `table` holds corner, temperature_c, parameter, value; `parameters` the unit of each panel.
    """
    figure, panels = _panels(len(parameters))
    table = table.assign(fets=_transistors(table.corner))
    corners = sorted(table.fets.unique())
    colours = dict(zip(corners, shades(len(corners)), strict=True))
    for axis, (name, unit) in zip(panels, parameters.items(), strict=True):
        part = table[table.parameter == name]
        for corner, rows in part.groupby("fets"):
            shift = 4.0 * (corners.index(corner) - (len(corners) - 1) / 2)
            axis.plot(rows.temperature_c + shift, rows.value, ".", color=colours[corner], markersize=3)
        if (part.value > 0).all() and len(part) and part.value.max() > 30 * part.value.min():
            axis.set_yscale("log")
        axis.set(title=name, xlabel="temperature, °C")
        if unit:
            units(axis, y=unit)
    handles = [Line2D([], [], color=colours[corner], marker=".", linestyle="", label=corner) for corner in corners]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(corners))
    return figure


@svg
def normal_quantiles(dies: pd.DataFrame, parameters: Mapping[str, tuple[str, bool]]) -> Figure:
    """A panel a parameter: sorted values against the normal quantiles; a straight line is a normal distribution.

    `parameters`: unit, whether the logarithm is judged (its axis is logarithmic then).
    """
    figure, panels = _panels(len(parameters))
    normal = NormalDist()
    for axis, (name, (unit, logarithmic)) in zip(panels, parameters.items(), strict=True):
        values = np.sort(dies[name].to_numpy(dtype=float))
        values = values[np.isfinite(values)]
        values = values[values > 0] if logarithmic else values
        sigmas = np.array([normal.inv_cdf((k + 0.5) / len(values)) for k in range(len(values))])
        scaled = np.log(values) if logarithmic else values
        line = np.median(scaled) + sigmas * (np.quantile(scaled, 0.84134) - np.quantile(scaled, 0.15866)) / 2
        axis.plot(sigmas, np.exp(line) if logarithmic else line, color=MUTED, linewidth=0.8)
        axis.plot(sigmas, values, ".", color=INK, markersize=2)
        if logarithmic:
            axis.set_yscale("log")
        axis.set(title=name, xlabel="normal quantile, σ")
        if unit:
            units(axis, y=unit)
    return figure


@svg
def correlations(matrix: Any, names: Sequence[str]) -> Figure:
    """Correlation between parameters over dies, -1 to 1."""
    size = min(WIDE, 2.0 + 0.17 * len(names))
    figure, ((axis,),) = axes(1, 1, size, size)
    image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=5.5 if len(names) > _CLEAR_LABELS else 7)
    axis.set_yticks(range(len(names)), names, fontsize=5.5 if len(names) > _CLEAR_LABELS else 7)
    axis.grid(visible=False)
    figure.colorbar(image, ax=axis, shrink=0.6, label="correlation")
    return figure


def _transistors(corner: pd.Series) -> pd.Series:
    """The transistor corner of ss, ss_hh, ...; one that names resistors and capacitors alone is typical."""
    first = corner.str.partition("_")[0]
    return first.where(first.isin(["tt", "ff", "ss", "sf", "fs"]), "tt")


def _panels(count: int) -> tuple[Figure, list[Any]]:
    rows = max(1, -(-count // COLUMNS))
    figure, grid = axes(rows, COLUMNS, WIDE, PANEL_HEIGHT * rows)
    flat = list(grid.ravel())
    for unused in flat[count:]:
        unused.set_axis_off()
    return figure, flat[:count]
