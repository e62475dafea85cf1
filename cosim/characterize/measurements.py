"""What a sweep can measure. A measurement is a generator of decks and a pure function from waveforms to a row of numbers.

A new one takes a page: a generator `points(bench)` that yields `Point(condition, bench.deck(...), extract)`, a function
`extract(waveforms) -> {name_with_unit: number}` beside it, and a line in `MEASUREMENTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize import discharger, neuron_parameters, synapse_parameters
from cosim.characterize.firing import first_spike
from cosim.characterize.synapse_current import EDGE_OF_RAILS_V, PUBLISHED_FIT_V, line_fit
from cosim.simulator import DcSweep, OperatingPoint, Point, Transient, Waveforms
from netlists.stimulus import PhaseWindow
from netlists.synapse import SIGNS, SynapseSetting
from netlists.testbenches import MEMBRANE, SPIKE, column, discharger_iv, synapse_iv

EXTRACTOR_VERSION = 1

FIT_STEPS = 12


@dataclass(frozen=True)
class Measurement:
    """`points` makes the decks of one condition; the rows of their extraction are the columns of the result."""

    what: str
    points: Callable[[Bench], Iterator[Point]]


def synapse_current(bench: Bench) -> Iterator[Point]:
    """One DC sweep of the membrane per sign and code, one synapse on."""
    cells = bench.cells()
    for sign in SIGNS:
        for code in cells.synapse.codes(sign, bench.design.characterization.codes):
            deck = bench.deck(
                f"synapse current, sign {sign:+d}, code {code:.4f}",
                synapse_iv(cells, SynapseSetting(sign, float(code))),
                _held_membrane(bench),
                ["i(vmembrane)"],
            )
            yield Point({"sign": sign, "code": float(code)}, deck, partial(line_of_current, rest_v=cells.neuron.rest_v))


def leakage(bench: Bench) -> Iterator[Point]:
    """Current out of a resting membrane through a synapse whose weight is zero."""
    deck = bench.deck("leakage of a synapse", synapse_iv(bench.cells(), None), OperatingPoint(), ["i(vmembrane)"])
    yield Point({}, deck, current_of_membrane)


def current_of_membrane(waveforms: Waveforms) -> dict[str, Any]:
    """Current out of a held membrane (A, positive towards ground)."""
    return {"leakage_a": -float(waveforms["i(vmembrane)"][0])}


def discharger_current(bench: Bench) -> Iterator[Point]:
    """The neuron in its firing phase, its membrane held and swept."""
    cells = bench.cells()
    deck = bench.deck("discharger current", discharger_iv(cells), _held_membrane(bench), ["i(vmembrane)"])
    yield Point({"bias_v": cells.discharger_bias_v}, deck, partial(line_of_current, rest_v=cells.neuron.rest_v))


def switching_threshold(bench: Bench) -> Iterator[Point]:
    """The membrane voltage at which the neuron's output spikes."""
    point = discharger.threshold_point(bench, bench.cells())
    yield Point({}, point.deck, point.extract)


def firing_time(bench: Bench) -> Iterator[Point]:
    """Output spike of a resting column, discharger in the middle of its range, followed for `discharger.LONGEST_PHASES`."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, (1.1 + discharger.LONGEST_PHASES) * phase)
    stop = window.end_s - 0.02 * phase
    netlist = column(cells, *ColumnSize(bench.design.network.inputs, 0).idle, window, stop)
    analysis = Transient(stop, phase / 100, bench.fine.max_step_s)
    deck = bench.deck("firing of a resting column", netlist, analysis, [MEMBRANE, SPIKE], bench.working)
    yield Point({}, deck, partial(first_spike, fire_s=window.fire_s, level_v=cells.supply_v / 2))


def _held_membrane(bench: Bench) -> DcSweep:
    """The range of the published line fits, as far as the supply reaches."""
    low, high = PUBLISHED_FIT_V
    high = min(high, bench.design.process.supply_v - EDGE_OF_RAILS_V)
    return DcSweep("Vmembrane", low, high, (high - low) / FIT_STEPS)


def line_of_current(waveforms: Waveforms, rest_v: float) -> dict[str, Any]:
    """Current at rest (A, positive towards ground), its slope over that current (1/V), worst deviation from the line (share)."""
    current = -waveforms["i(vmembrane)"]
    intercept, slope, error, residual = line_fit(waveforms.axis - rest_v, current)
    scale = abs(intercept) if intercept else math.nan
    return {
        "current_a": intercept,
        "lambda_per_v": float(np.sign(intercept)) * slope / scale,
        "lambda_error_per_v": error / scale,
        "residual_fraction": residual / scale,
    }


MEASUREMENTS: dict[str, Measurement] = {
    "synapse_current": Measurement("current at rest and lambda of the synapse, for each sign and code (DC)", synapse_current),
    "leakage": Measurement("current through a synapse whose weight is zero (DC)", leakage),
    "discharger_current": Measurement("current at rest and lambda of the discharger (DC)", discharger_current),
    "switching_threshold": Measurement("membrane voltage at which the output spikes (DC)", switching_threshold),
    "firing_time": Measurement("output spike of a resting column (transient)", firing_time),
    "synapse_line": Measurement("current, lambda, curvature, linear range of the synapse (DC)", synapse_parameters.synapse_line),
    "synapse_switching": Measurement("charges of a synapse that switches, load of its lines", synapse_parameters.switching),
    "discharger_line": Measurement(
        "current, lambda, slope against bias of the discharger (DC)", neuron_parameters.discharger_line
    ),
    "sensing": Measurement("switching threshold and delay of the neuron against slope", neuron_parameters.sensing),
    "membrane_charge": Measurement(
        "membrane charge against voltage, with and without synapses", neuron_parameters.membrane_charge
    ),
    "resting_neuron": Measurement("reset level, droop, spike and energy of a resting neuron", neuron_parameters.resting),
    "bias_curves": Measurement("currents at rest against gate bias, rail to rail (DC)", synapse_parameters.bias_curves),
}
