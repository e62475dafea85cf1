"""Current of the discharger over the membrane, at its bias and a little below and above."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import NAN, Parameter, measurement, of_one_point
from cosim.characterize.held_membrane import curve_and_line, rail_to_rail
from cosim.design import Design
from cosim.simulator import DcSweep, Point, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE
from netlists.crossbar import Cells
from netlists.testbenches import discharger_iv
from training.hardware.variation import DISCHARGER_CURRENT, SWING

BIAS_STEP_V = 0.02


@measurement("discharger_current", "current of the discharger over the membrane, its slope against bias (DC)")
def discharger_current(bench: Bench) -> Iterator[Point]:
    """The membrane of a firing neuron held and swept, at three biases."""
    cells = bench.cells()
    bias = cells.discharger_bias_v
    outer = DcSweep("Vdischarger_bias", bias - BIAS_STEP_V, bias + BIAS_STEP_V, BIAS_STEP_V)
    yield _point(bench, cells, rail_to_rail(cells, outer=outer))


def own_bias_point(bench: Bench, cells: Cells, steps: int) -> Point:
    """The same at the bias of the cells alone, in so many steps."""
    return _point(bench, cells, rail_to_rail(cells, steps))


def _point(bench: Bench, cells: Cells, sweep: DcSweep) -> Point:
    deck = bench.deck("discharger current", discharger_iv(cells), sweep, [MEMBRANE_SOURCE])
    return Point({"bias_v": cells.discharger_bias_v}, deck, partial(over_membrane_and_bias, rest_v=cells.neuron.rest_v))


def over_membrane_and_bias(waveforms: Waveforms, rest_v: float) -> dict[str, Any]:
    """The discharger's curve and line at its own bias (`curve_and_line`), and d ln I / d bias at rest (1/V; NaN of one bias)."""
    outer = np.zeros_like(waveforms.axis) if waveforms.outer_axis is None else waveforms.outer_axis
    curves = [(waveforms.axis[outer == bias], -waveforms[MEMBRANE_SOURCE][outer == bias]) for bias in np.unique(outer)]
    lines = [curve_and_line(membrane, current, rest_v) for membrane, current in curves]
    below, above = lines[0]["current_a"], lines[-1]["current_a"]
    known = len(lines) > 1 and above > 0 and below > 0
    slope = float(np.log(above / below) / np.ptp(outer)) if known else NAN
    return {**lines[len(lines) // 2], "log_slope_per_v": slope}


@discharger_current.gives(
    Parameter(DISCHARGER_CURRENT, "discharger current at rest", "A", scale="log"),
    Parameter("e_dis", "reversal potential of the discharger", ""),
    Parameter("discharger_log_slope_per_v", "d ln I / d bias of the discharger", "1/V"),
    needs=(SWING,), place=2,
)  # fmt: skip
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """docs/physics.md, equation 2: E = 1/(V_th lambda)."""
    columns = {DISCHARGER_CURRENT: "current_a", "e_dis": "lambda_per_v", "discharger_log_slope_per_v": "log_slope_per_v"}
    found = of_one_point(measured, columns)
    slope = found["e_dis"] * known[SWING]
    return {**found, "e_dis": 1.0 / slope if slope else NAN}
