"""Recovery: a column of ideal parts with known parameters, simulated, fitted, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cosim.fits.membrane_model import ChargePulse, FloatArray, Spike, Trace
from cosim.fits.waveform_fit import SynapseUnderTest, WaveformFit, fit_waveforms
from cosim.simulator import Deck, Point, Pool, SolverOptions, Store, Transient, Waveforms, simulate
from netlists.ideal import IDEAL_MEMBRANE, IdealNeuron, IdealSynapse, ideal_column
from netlists.testbenches import Injection

NEURON = IdealNeuron(capacitance_f=140e-15, rest_v=1.3, start_v=2e-3, leak_s=8e-9, delay_s=4e-9)
CHARGE_ON_C = {1: 1.2e-15, -1: -0.8e-15}
REVERSAL_V = {1: 2.43, -1: -1.33}
CURRENTS_A = (30e-9, 100e-9, 240e-9, -25e-9, -60e-9, -110e-9)
STOP_S, EDGE_S, GUARD_S, SAMPLE_S = 1e-6, 1e-10, 10e-9, 4e-9
_PULSE_A, _PULSE_S = 1.4e-6, (20e-9, 80e-9)

PATTERNS: tuple[tuple[float, tuple[float | None, ...]], ...] = (
    (1.0, (None, None, None, None, None, None)),
    (-0.6, (None, None, 0.3, None, None, None)),
    (0.0, (0.1, 0.4, 0.7, None, None, None)),
    (0.0, (None, None, 0.15, None, 0.6, None)),
    (0.0, (0.1, None, None, 0.5, None, None)),
    (1.0, (None, None, None, 0.2, 0.45, 0.7)),
    (1.2, (None, 0.8, None, None, None, 0.15)),
    (-0.3, (0.6, 0.2, None, 0.4, None, 0.8)),
)
"""A known charge (in units of the pulse) and the spikes (us) of each trace: a membrane that only leaks, every synapse at several
levels of the membrane, both signs, three weights of each."""


@dataclass(frozen=True)
class Recovery:
    """One parameter: true value, estimate, standard error."""

    name: str
    true: float
    estimate: float
    standard_error: float

    @property
    def relative_error(self) -> float:
        return abs(self.estimate / self.true - 1)


def synapses() -> list[SynapseUnderTest]:
    """The synapses under test; their names say sign and place."""
    return [
        SynapseUnderTest(f"{'p' if current > 0 else 'm'}{k}", 1 if current > 0 else -1) for k, current in enumerate(CURRENTS_A)
    ]


def truth() -> dict[str, float]:
    """Every parameter of the ideal column, by the name the fit gives it."""
    currents = {f"current.{synapse.name}": current for synapse, current in zip(synapses(), CURRENTS_A, strict=True)}
    return {
        "capacitance": NEURON.capacitance_f, "start": NEURON.start_v, "leak": NEURON.leak_s, "delay": NEURON.delay_s,
        "reversal.plus": REVERSAL_V[1], "reversal.minus": REVERSAL_V[-1],
        "charge_on.plus": CHARGE_ON_C[1], "charge_on.minus": CHARGE_ON_C[-1], **currents,
    }  # fmt: skip


def points() -> list[Point]:
    """One deck per pattern."""
    parts = [IdealSynapse(i, REVERSAL_V[1 if i > 0 else -1], CHARGE_ON_C[1 if i > 0 else -1]) for i in CURRENTS_A]
    times = np.arange(EDGE_S, STOP_S, SAMPLE_S)  # with initial conditions ngspice has no point at zero
    options = SolverOptions(reltol=1e-7, abstol=1e-16, vntol=1e-9, chgtol=1e-20, gmin=1e-18)
    made = []
    for k, (charge, spikes_us) in enumerate(PATTERNS):
        pulses = [Injection(charge * _PULSE_A, *_PULSE_S)] if charge else []
        spikes = [None if spike is None else spike * 1e-6 for spike in spikes_us]
        netlist = ideal_column(NEURON, parts, spikes, pulses, EDGE_S, STOP_S)
        analysis = Transient(STOP_S, 1e-9, 1e-9, use_initial_conditions=True)
        deck = Deck(f"ideal column, pattern {k}", netlist, "", analysis, (IDEAL_MEMBRANE,), options)
        made.append(Point({"pattern": k}, deck, partial(sampled_membrane, times=times)))
    return made


def sampled_membrane(waveforms: Waveforms, times: FloatArray) -> dict[str, Any]:
    """The membrane (V) at given times (s)."""
    return {"time_s": times, "membrane_v": waveforms.at(IDEAL_MEMBRANE, times)}


def simulated_traces(store: Store | None = None, pool: Pool | None = None) -> list[Trace]:
    """The waveforms of all patterns, as ngspice gives them."""
    traces = []
    for outcome, (charge, spikes_us) in zip(simulate(points(), store, 1, pool=pool), PATTERNS, strict=True):
        if outcome.row is None:
            raise outcome.error or RuntimeError("no result")
        spikes = tuple(Spike(j, spike * 1e-6) for j, spike in enumerate(spikes_us) if spike is not None)
        pulses = (ChargePulse(charge * _PULSE_A, *_PULSE_S),) if charge else ()
        name = f"pattern {outcome.index}"
        traces.append(Trace(name, outcome.row["time_s"], outcome.row["membrane_v"], spikes, pulses))
    return traces


def recover(traces: Sequence[Trace]) -> list[Recovery]:
    """Fit the traces of the ideal column; every parameter beside its true value."""
    fit: WaveformFit = fit_waveforms(traces, synapses(), NEURON.rest_v, GUARD_S)
    found = {estimate.name: estimate for estimate in fit.estimates()}
    return [Recovery(name, true, found[name].value, found[name].standard_error) for name, true in truth().items()]
