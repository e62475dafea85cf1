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
            Transient(stop, phase / 100, bench.fine.max_step_s),
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


def charged(displacement_v: float, current_a: float, reversal_v: float, capacitance_f: float, time_s: float) -> float:
    """Displacement after a current source I (1 - u/E) has acted for a time (docs/physics.md, equation 1), in volts."""
    rate = current_a / (capacitance_f * reversal_v)
    return float(reversal_v + (displacement_v - reversal_v) * np.exp(-rate * time_s))


def switching_charges(
    responses: Sequence[dict[str, Any]],
    displacement: Callable[[float], float],
    fired_from: Callable[[float], float],
    current_a: float,
    reversal_v: float,
    capacitance_f: float,
    reference_s: float,
) -> tuple[float, float, float]:
    """Charge of switching on, of switching off (at the reference time), and its tail per e-fold of time (C).

    Args:
        responses: what `pulse_response` returned for an early and a late output spike.
        displacement: membrane voltage (V) to displacement (V).
        fired_from: output spike time (s) to the displacement that fires then without any synapse (V).
        current_a: signed current at rest (positive towards the threshold); reversal_v has its sign.
    """
    on, off = [], []
    for response in responses:
        before = displacement(response["before_v"])
        measured = charged(before, current_a, reversal_v, capacitance_f, response["measured_on_s"])
        on.append(displacement(response["end_v"]) - measured)
        whole = charged(before, current_a, reversal_v, capacitance_f, response["on_s"]) + on[-1]
        off.append(fired_from(response["spike_s"]) - whole)
    times = np.log([response["spike_s"] / reference_s for response in responses])
    slope = (off[1] - off[0]) / (times[1] - times[0])
    return capacitance_f * float(np.mean(on)), capacitance_f * (off[0] - slope * times[0]), capacitance_f * slope


@dataclass(frozen=True)
class IdleSynapse:
    """What a spike does at a synapse that is off (C), and how long its line takes to rise (s)."""

    charge_on_c: float
    charge_off_c: float
    charge_off_tail_c: float
    line_delay_s: float
