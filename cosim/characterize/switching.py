"""Charge at switch-on and at switch-off of a synapse, as functions of its weight.

Testbench: a column that is charged, pulled on by one active synapse, and fired. What the membrane shows beyond the integral of
the measured current is the charge of switching on (its lag included); what its output spike shows beyond that is the charge of
switching off: the internal node refills from the membrane, with a logarithmic tail, while the neuron already fires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.simulator import Point, Transient, Waveforms
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import MEMBRANE, SPIKE, Injection, column

LONGEST_ON_PHASES, LARGEST_DISPLACEMENT = 0.5, 0.25
TAIL_REFERENCE_PHASES = 0.5
FIRING_DISPLACEMENTS = (0.78, 0.25)
"""Where the membrane is when it starts to fire (thresholds): one early and one late output spike tell the tail."""

STEPS_ON = 20
"""Time steps of a pulse at least: the charge of switching on is a thousandth of what a strong synapse brings meanwhile."""

ACTIVE_LINE = "v(input_0)"


def on_time_s(weight: float, phase_s: float) -> float:
    """How long a synapse is left on: long, unless its weight would drive the membrane out of range."""
    return min(LONGEST_ON_PHASES, LARGEST_DISPLACEMENT / max(abs(weight), 1e-12)) * phase_s


def points(
    bench: Bench, cells: Cells, column_size: ColumnSize, setting: SynapseSetting | None, weight: float, full_swing_c: float
) -> Iterator[Point]:
    """One pulse on the first synapse of a column that then fires, once early and once late.

    Args:
        weight: of the setting, about; it places the membrane.
        full_swing_c: charge of a membrane from rest to threshold.
    """
    phase, edge = cells.timing.phase_s, cells.timing.edge_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, 2.2 * phase)
    on = window.fire_s - on_time_s(weight, phase)
    start, end = window.accumulate_s + 0.05 * phase, window.accumulate_s + 0.25 * phase
    settings = [setting, *column_size.idle[0][1:]]
    lines = [(on, window.fire_s), *column_size.idle[1][1:]]
    stop = window.end_s - 0.02 * phase
    for displacement in FIRING_DISPLACEMENTS:
        charge = (displacement - weight * (window.fire_s - on) / phase) * full_swing_c
        netlist = column(
            cells,
            settings,
            lines,
            window,
            stop,
            Injection(charge / (end - start), start, end),
            column_size.fan_out,
            column_size.rows,
            merged=bench.nominal,
        )
        condition = {
            "measurement": "switched_column",
            "sign": setting.sign if setting else 0,
            "code": setting.code if setting else None,
            "displacement": displacement,
        }
        deck = bench.deck(
            f"synapse switched on and off, sign {condition['sign']:+d}, code {condition['code']}, fired from {displacement}",
            netlist,
            Transient(stop, phase / 100, min(bench.fine.max_step_s, (window.fire_s - on) / STEPS_ON)),
            [MEMBRANE, SPIKE, ACTIVE_LINE],
        )
        extract = partial(pulse_response, on_s=on, fire_s=window.fire_s, guard_s=4 * edge, level_v=cells.supply_v / 2)
        yield Point(condition, deck, extract)


def pulse_response(waveforms: Waveforms, on_s: float, fire_s: float, guard_s: float, level_v: float) -> dict[str, Any]:
    """Membrane before and at the end of the pulse (V); delay of the line, on-times, output spike from the start of firing (s)."""
    rise = float(waveforms.crossings(ACTIVE_LINE, level_v, rising=True, after=on_s - guard_s)[0])
    spikes = waveforms.crossings(SPIKE, level_v, rising=True, after=fire_s)
    return {
        "before_v": float(waveforms.at(MEMBRANE, on_s - guard_s)),
        "end_v": float(waveforms.at(MEMBRANE, fire_s - guard_s)),
        "rise_s": rise - on_s,
        "measured_on_s": fire_s - guard_s - rise,
        "on_s": fire_s - rise,
        "spike_s": float(spikes[0] - fire_s) if len(spikes) else float("nan"),
    }


@dataclass(frozen=True)
class MembraneCapacitance:
    """Of a column (F): all synapses idle, the first at its code and off, the same on."""

    column_f: float
    off_f: float
    on_f: float


def charged(displacement_v: float, current: Callable[[float], float], capacitance_f: float, time_s: float) -> float:
    """Displacement (V) after a current (A), a function of it, has charged a capacitance for a time from another displacement."""
    from scipy.integrate import solve_ivp

    slope = lambda _, u: [current(float(u[0])) * time_s / capacitance_f]  # noqa: E731
    return float(solve_ivp(slope, (0.0, 1.0), [displacement_v], rtol=1e-10, atol=1e-12).y[0, -1])


def switching_charges(
    responses: Sequence[dict[str, Any]],
    displacement: Callable[[float], float],
    fired_from: Callable[[float], float],
    current: Callable[[float], float],
    capacitance: MembraneCapacitance,
    reference_s: float,
) -> tuple[float, float, float]:
    """Charge of switching on, of switching off (at the reference time), and its tail per e-fold of time (C).

    What counts is the charge beyond that of the current as measured, not of the line through it: the bend of the current belongs
    to the whole time that a synapse is on, and grows with the column.

    Args:
        responses: what `pulse_response` returned for an early and a late output spike.
        displacement: membrane voltage (V) to displacement (V).
        fired_from: output spike time (s) to the displacement that fires then without any synapse (V).
        current: displacement (V) to current (A, positive towards the threshold).
        capacitance: of this membrane. What leaves it as the synapse switches on comes back empty: the charge of switching off is
            that of a membrane at rest.
    """
    on, off = [], []
    for response in responses:
        before = displacement(response["before_v"])
        measured = charged(before, current, capacitance.on_f, response["measured_on_s"])
        on.append(displacement(response["end_v"]) - measured)
        whole = charged(before, current, capacitance.on_f, response["on_s"]) + on[-1]
        fired = fired_from(response["spike_s"] * (capacitance.column_f / capacitance.off_f))
        off.append(fired - whole * (capacitance.on_f / capacitance.off_f))
    times = np.log([response["spike_s"] / reference_s for response in responses])
    slope = (off[1] - off[0]) / (times[1] - times[0])
    return capacitance.off_f * float(np.mean(on)), capacitance.off_f * (off[0] - slope * times[0]), capacitance.off_f * slope


@dataclass(frozen=True)
class IdleSynapse:
    """What a spike does at a synapse that is off (C), and how long its line takes to rise (s)."""

    charge_on_c: float
    charge_off_c: float
    charge_off_tail_c: float
    line_delay_s: float
