"""The discharger: the bias that fires a resting membrane exactly at the end of its phase, and its current against voltage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.characterize.firing import first_spike
from cosim.characterize.membrane_charge import Membrane
from cosim.characterize.synapse_current import EDGE_OF_RAILS_V, held_membrane_current, line_fit
from cosim.errors import InputError
from cosim.simulator import DcSweep, Point, Transient, Waveforms
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.testbenches import MEMBRANE, SPIKE, column, discharger_iv

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD_STEP_V = 2e-3
LONGEST_PHASES = 3.0
"""A weak bias is followed this long before it counts as not firing."""


def bias_points(bench: Bench, column_size: ColumnSize, biases_v: Iterable[float]) -> Iterator[Point]:
    """A resting column fired at several discharger biases, in a phase that lasts until it fires."""
    phase = bench.design.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, (1.1 + LONGEST_PHASES) * phase)
    stop = window.end_s - 0.02 * phase
    for bias in biases_v:
        cells = with_bias(bench.cells(), float(bias))
        netlist = column(cells, *column_size.idle, window, stop, fan_out=column_size.fan_out)
        condition = {"measurement": "discharger_bias", "bias_v": float(bias)}
        deck = bench.deck(
            f"resting column fired with a discharger bias of {bias:.6f} V",
            netlist,
            Transient(stop, phase / 100, bench.fine.max_step_s),
            [MEMBRANE, SPIKE],
            bench.working,
        )
        yield Point(condition, deck, partial(first_spike, fire_s=window.fire_s, level_v=cells.supply_v / 2))


def bias_for_phase(biases_v: np.ndarray, spikes_s: np.ndarray, phase_s: float) -> float:
    """The bias whose resting column fires after exactly one phase. Raises `InputError` if the range does not hold it."""
    from scipy.interpolate import PchipInterpolator

    fired = np.isfinite(spikes_s)
    if fired.sum() < 2 or not spikes_s[fired].min() < phase_s < spikes_s[fired].max():
        raise InputError(
            f"neuron.discharger_bias_v: no bias between {biases_v[0]:.3f} and {biases_v[-1]:.3f} V fires a resting membrane "
            f"after {phase_s * 1e9:.0f} ns; widen the range or resize neuron.discharger"
        )
    order = np.argsort(spikes_s[fired])
    curve = PchipInterpolator(np.log(spikes_s[fired][order]), biases_v[fired][order])
    return float(curve(np.log(phase_s)))


def iv_point(bench: Bench, cells: Cells) -> Point:
    """DC sweep of the membrane under the discharger alone."""
    low, high = EDGE_OF_RAILS_V, cells.supply_v - EDGE_OF_RAILS_V
    steps = bench.design.characterization.membrane_points
    sweep = DcSweep("Vmembrane", low, high, (high - low) / (steps - 1))
    condition: dict[str, Any] = {"measurement": "discharger_iv", "bias_v": cells.discharger_bias_v}
    return Point(
        condition, bench.deck("discharger current", discharger_iv(cells), sweep, ["i(vmembrane)"]), held_membrane_current
    )


def threshold_point(bench: Bench, cells: Cells) -> Point:
    """DC sweep of a held membrane downwards until the neuron's output spikes."""
    sweep = DcSweep("Vmembrane", bench.design.neuron.rest_v, EDGE_OF_RAILS_V, -THRESHOLD_STEP_V)
    deck = bench.deck("static switching threshold", discharger_iv(cells), sweep, ["v(spike)"])
    return Point({"measurement": "static_threshold"}, deck, partial(static_threshold, level_v=cells.supply_v / 2))


def static_threshold(waveforms: Waveforms, level_v: float) -> dict[str, Any]:
    """Membrane voltage at which the spike line rises (NaN if it never does)."""
    crossed = waveforms.crossings("v(spike)", level_v, rising=True, after=-math.inf)
    return {"threshold_v": float(crossed[0]) if len(crossed) else float("nan")}


@dataclass(frozen=True)
class LineFit:
    """Current I (1 - u/E) over the displacement."""

    current_a: float
    reversal_v: float
    reversal_error_v: float
    residual_fraction: float

    def line(self, displacement_v: np.ndarray) -> np.ndarray:
        return self.current_a * (1 - displacement_v / self.reversal_v)


def fit_discharger(iv: pd.DataFrame, membrane: Membrane) -> LineFit:
    u = membrane.displacement(iv.membrane_v.to_numpy())
    inside = (u >= -0.05 * membrane.v_th_v) & (u <= 1.02 * membrane.v_th_v)
    intercept, slope, error, residual = line_fit(u[inside], iv.current_a.to_numpy()[inside])
    return LineFit(intercept, -intercept / slope, abs(intercept / slope**2) * error, residual / intercept)
