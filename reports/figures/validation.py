"""Model against circuit: spike times, membranes, the conventional gain search, energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, PercentFormatter

from reports.figures.style import (
    COLOUR,
    INK,
    MARKER,
    MUTED,
    NAME,
    NARROW,
    SHADE,
    WIDE,
    axes,
    legend_above,
    shades,
    svg,
    units,
)  # fmt: skip

SMALLEST_ERROR_S = 1e-12  # errors below the resolution of the simulator count in the first bin
POINTS_PER_LINE = 400


@svg
def error_histogram(spikes: pd.DataFrame) -> Figure:
    """Share of output spikes per bin of |circuit - model| (log axis), one outline per mapping."""
    figure, ((axis,),) = axes(1, 1, WIDE, 2.3)
    errors = {name: error_s(group).abs().clip(lower=SMALLEST_ERROR_S) for name, group in spikes.groupby("mapping")}
    highest = max(float(error.max()) for error in errors.values())
    lowest = min(float(error.min()) for error in errors.values())
    bins = np.geomspace(lowest, max(highest, 2 * lowest), 41)
    for name, error in errors.items():
        colour = COLOUR.get(name, MUTED)
        share = np.full(len(error), 1 / len(error))
        axis.hist(error, bins, weights=share, histtype="stepfilled", color=colour, alpha=0.25)
        axis.hist(error, bins, weights=share, histtype="step", color=colour, linewidth=1.2, label=NAME.get(name, name))
        axis.axvline(rms(error_s(spikes[spikes.mapping == name])), color=colour, linestyle=":", linewidth=1.2)
    axis.set(xscale="log", xlabel="|circuit − model| of an output spike", ylabel="share of spikes")
    axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    units(axis, x="s")
    legend_above(axis, ncols=2)
    return figure


@svg
def parity(spikes: pd.DataFrame) -> Figure:
    """Circuit against model spike time, and the difference below it, one column per mapping."""
    mappings = _mappings(spikes)
    figure, grid = axes(2, len(mappings), WIDE, 3.9, sharex=True, gridspec_kw={"height_ratios": [2.2, 1]})
    for column, name in enumerate(mappings):
        upper, lower = grid[:, column]
        last = spikes.layer.max()
        for layer in sorted(spikes.layer.unique()):
            size, shade = (9, COLOUR.get(name, MUTED)) if layer == last else (4, "none")
            part = spikes[(spikes.mapping == name) & (spikes.layer == layer)]
            style: dict[str, Any] = {
                "s": size, "marker": MARKER.get(name, "o"), "facecolors": shade, "edgecolors": COLOUR.get(name, MUTED),
                "linewidths": 0.5, "label": f"layer {layer}",
            }  # fmt: skip
            upper.scatter(part.model_spike_s, part.circuit_spike_s, **style)
            lower.scatter(part.model_spike_s, part.circuit_spike_s - part.model_spike_s, **style)
        upper.axline((0, 0), slope=1, color=MUTED, linewidth=0.7, zorder=0)
        upper.set(title=NAME.get(name, name), ylabel="spike of the circuit" if column == 0 else None)
        lower.set(xlabel="spike of the model", ylabel="circuit − model" if column == 0 else None)
        units(upper, "s", "s")
        units(lower, "s", "s")
        upper.legend(loc="upper left")
    return figure


@svg
def membrane_overlay(waveforms: pd.DataFrame, samples: dict[str, int], phase_s: float | None) -> Figure:
    """Membranes of one mapping: a row per layer, a column per sample (`samples`: its rank -> its number)."""
    layers = sorted(waveforms.layer.unique())
    figure, grid = axes(len(layers), len(samples), WIDE, 1.75 * len(layers) + 0.35, sharex=True, sharey="row")
    for column, (rank, sample) in enumerate(samples.items()):
        for row, layer in enumerate(layers):
            axis = grid[row, column]
            chosen = waveforms[(waveforms["sample"] == sample) & (waveforms.layer == layer)]
            _membranes(axis, chosen)
            _phases(axis, layer, phase_s, labelled=column == 0)
            units(axis, "s", "V")
            if row == 0:
                axis.set_title(f"{rank}: sample {sample}")
            if column == 0:
                axis.set_ylabel(f"membrane, layer {layer}")
        grid[-1, column].set_xlabel("time")
    grid[0, -1].plot([], [], color=INK, label="circuit")
    grid[0, -1].plot([], [], color=INK, linestyle="--", label="model")
    figure.legend(*grid[0, -1].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@svg
def attribution(table: pd.DataFrame, whole: str) -> Figure:
    """Error of the last layer's spikes with one term of the model left out, the worst on top; dashed: none is left out."""
    last = table[table.layer == table.layer.max()].set_index("left_out")
    terms = last.drop(index=whole).sort_values("spike_rmse_s")
    figure, ((axis,),) = axes(1, 1, WIDE, 0.9 + 0.3 * len(terms))
    for place, (name, colour, label) in enumerate(
        (("spike_rmse_s", COLOUR["ode"], "end to end"), ("alone_rmse_s", MUTED, "behind the circuit's own spikes"))
    ):
        axis.barh(np.arange(len(terms)) + 0.2 - 0.4 * place, terms[name], 0.4, color=colour, label=label)
        axis.axvline(last.loc[whole, name], color=colour, linestyle="--", linewidth=1.0)
    axis.set_yticks(np.arange(len(terms)), [f"without {term}".replace("_", " ") for term in terms.index])
    axis.set(xscale="log", xlabel="output spike-time RMSE")
    axis.grid(visible=False, axis="y")
    units(axis, x="s")
    legend_above(axis, ncols=2)
    return figure


@svg
def causes(table: pd.DataFrame) -> Figure:
    """What remains of circuit minus model as cause after cause is taken account of, from top to bottom, a column per layer.

    Light: the terms of the model; dark: what was measured apart from it; the last bar is what is unexplained.
    """
    steps = table[table.kind != "apart"]
    layers, order = sorted(steps.layer.unique()), list(dict.fromkeys(steps.cause))
    figure, (grid,) = axes(1, len(layers), WIDE, 0.9 + 0.22 * len(order), sharex=True, sharey=True)
    for axis, layer in zip(grid, layers, strict=True):
        own = steps[steps.layer == layer].set_index("cause").reindex(order)
        shade = [COLOUR["ode"] if kind == "measured" else "#9db7d1" for kind in own.kind]
        axis.barh(np.arange(len(order)), own.spike_rmse_s, 0.7, color=shade)
        axis.plot(own.alone_rmse_s, np.arange(len(order)), "|", color=INK, markersize=8, label="behind the circuit's own spikes")
        axis.set(xscale="log", title=f"layer {layer}", xlabel="rms error that remains")
        axis.grid(visible=False, axis="y")
        units(axis, x="s")
    labels = [order[0], *(f"+ {cause}".replace("_", " ") for cause in order[1:])]
    grid[0].set_yticks(np.arange(len(order)), [*labels[:-1], f"{labels[-1]}:\nunexplained"])
    grid[0].set_xlim(left=max(steps[["spike_rmse_s", "alone_rmse_s"]].to_numpy().min(), SMALLEST_ERROR_S) / 3)
    grid[0].invert_yaxis()
    figure.legend(*grid[-1].get_legend_handles_labels(), loc="outside upper right")
    return figure


@svg
def model_dies(table: pd.DataFrame, nominal: float | None, simulated: Sequence[float]) -> Figure:
    """How many dies of the model have which accuracy; dashed the nominal one, ticks those of simulated dies."""
    figure, ((axis,),) = axes(1, 1, NARROW, 2.4)
    axis.hist(100 * table.accuracy, bins=24, color=COLOUR["ode"], label="dies of the model")
    if nominal is not None:
        axis.axvline(100 * nominal, color=INK, linestyle="--", linewidth=1.0, label="nominal")
    if simulated:
        axis.plot([100 * one for one in simulated], [0.0] * len(simulated), "|", color=INK, markersize=14, label="simulated dies")
    axis.set(xlabel="test accuracy (%)", ylabel="dies")
    legend_above(axis, ncols=3)
    return figure


@svg
def gain_search(points: pd.DataFrame) -> Figure:
    """The points of the two-gain search, the darker the smaller their error; the optimum is ringed."""
    figure, ((axis,),) = axes(1, 1, NARROW, 2.7)
    shade = axis.scatter(
        points.gain_plus, points.gain_minus, c=points.rmse_s, cmap="viridis", norm="log", s=26, edgecolors="white", linewidths=0.4
    )
    best = points.loc[points.rmse_s.idxmin()]
    axis.scatter(best.gain_plus, best.gain_minus, s=90, facecolors="none", edgecolors=INK, linewidths=1.0)
    axis.set(xlabel="gain of positive weights", ylabel="gain of negative weights")
    bar = figure.colorbar(shade, ax=axis, label="output spike-time RMSE", format=EngFormatter("s"))
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bar.ax.minorticks_off()
    return figure


@svg
def energy(table: pd.DataFrame) -> Figure:
    """Mean energy per inference, a bar per source and mapping (`table`: sources x mappings, joule)."""
    figure, ((axis,),) = axes(1, 1, NARROW, 0.7 + 0.36 * len(table))
    height = 0.8 / len(table.columns)
    for place, name in enumerate(table.columns):
        position = np.arange(len(table)) + (place - (len(table.columns) - 1) / 2) * height
        axis.barh(position, table[name], height, color=COLOUR.get(name, MUTED), label=NAME.get(name, name))
    axis.set_yticks(np.arange(len(table)), [str(source).replace("_", " ") for source in table.index])
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("energy per inference")
    units(axis, x="J")
    legend_above(axis, ncols=2)
    return figure


def error_s(spikes: pd.DataFrame) -> pd.Series:
    """Circuit minus model."""
    return spikes.circuit_spike_s - spikes.model_spike_s


def _mappings(table: pd.DataFrame) -> list[str]:
    """The mappings of a table, the conventional one first."""
    return sorted(table.mapping.unique())


def _membranes(axis: Any, waveforms: pd.DataFrame) -> None:
    neurons = sorted(waveforms.neuron.unique())
    for neuron, colour in zip(neurons, shades(len(neurons)), strict=True):
        line = waveforms[waveforms.neuron == neuron].sort_values("time_s")
        line = line.iloc[:: max(1, len(line) // POINTS_PER_LINE)]
        axis.plot(line.time_s, line.circuit_v, color=colour, linewidth=0.9)
        axis.plot(line.time_s, line.model_v, color=colour, linewidth=1.1, linestyle=(0, (3, 2)))


def _phases(axis: Any, layer: int, phase_s: float | None, labelled: bool) -> None:
    """Shade the accumulation of a layer darkly and its firing lightly; the layers, counted from 1, run one phase apart."""
    if phase_s is None:
        return
    start = (layer - 1) * phase_s
    axis.axvspan(start, start + phase_s, color=SHADE, zorder=0, linewidth=0)
    axis.axvspan(start + phase_s, start + 2 * phase_s, color="#f7ead2", zorder=0, linewidth=0)
    if labelled:
        for place, name in ((start, "accumulate"), (start + phase_s, "fire")):
            axis.annotate(
                name, (place + phase_s / 2, 0.0), xycoords=("data", "axes fraction"), xytext=(0, 2),
                textcoords="offset points", ha="center", color=MUTED, fontsize=6,
            )  # fmt: skip


def rms(values: pd.Series) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))
