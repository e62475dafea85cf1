"""Charge at switch-on and at switch-off of a synapse, as functions of its weight.

Testbench: a column with one active synapse, on for a while and then off. What the membrane shows beyond the integral of the measured
current is the charge of switching on (its lag included); what it gains after switching off is the charge of the internal node, which
refills from the membrane with a logarithmic tail.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.characterize.bench import Bench
from cosim.simulator import Point, Transient, Waveforms
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import MEMBRANE, column

ON_PHASES, LONGEST_ON_PHASES, LARGEST_DISPLACEMENT = 0.05, 0.7, 0.45
TAIL_PHASES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
TAIL_REFERENCE_PHASES = 0.5


def on_time_s(weight: float, phase_s: float) -> float:
    """How long a synapse is left on: long, unless its weight would drive the membrane out of range."""
    return min(LONGEST_ON_PHASES, LARGEST_DISPLACEMENT / max(abs(weight), 1e-12)) * phase_s


def point(bench: Bench, cells: Cells, synapses: int, setting: SynapseSetting | None, weight: float) -> Point:
    """One pulse on the first synapse of a column."""
    phase, edge = cells.timing.phase_s, cells.timing.edge_s
    window = PhaseWindow(0.1 * phase, 4 * phase, 5 * phase)
    on = window.accumulate_s + ON_PHASES * phase
    off = on + on_time_s(weight, phase)
    stop = off + (TAIL_PHASES[-1] + 0.02) * phase
    settings = [setting] + [None] * (synapses - 1)
    netlist = column(cells, settings, [(on, off)] + [None] * (synapses - 1), window, stop)
    condition = {
        "measurement": "switching",
        "sign": setting.sign if setting else 0,
        "code": setting.code if setting else None,
    }
    deck = bench.deck(
        f"synapse switched on and off, sign {condition['sign']:+d}, code {condition['code']}",
        netlist,
        Transient(stop, phase / 100, bench.design.accuracy.max_step_s / 4),
        [MEMBRANE],
    )
    return Point(condition, deck, partial(pulse_response, on_s=on, off_s=off, guard_s=4 * edge, phase_s=phase))


def pulse_response(waveforms: Waveforms, on_s: float, off_s: float, guard_s: float, phase_s: float) -> dict[str, Any]:
    """Membrane (V) before the pulse, at its end and at `TAIL_PHASES` after it, with the on-time (s)."""
    tail = off_s + np.array(TAIL_PHASES) * phase_s
    return {
        "on_time_s": off_s - on_s,
        "guard_s": guard_s,
        "before_v": float(waveforms.at(MEMBRANE, on_s - guard_s)),
        "end_v": float(waveforms.at(MEMBRANE, off_s - guard_s)),
        "tail_v": waveforms.at(MEMBRANE, tail),
    }


def charged(displacement_v: float, current_a: float, reversal_v: float, capacitance_f: float, time_s: float) -> float:
    """Displacement after a current source I (1 - u/E) has acted for a time: PHYSICS.md, section 1, in volts."""
    rate = current_a / (capacitance_f * reversal_v)
    return float(reversal_v + (displacement_v - reversal_v) * np.exp(-rate * time_s))


def switching_charges(
    response: dict[str, Any], displacement: Any, current_a: float, reversal_v: float, capacitance_f: float
) -> tuple[float, float, float]:
    """Charge of switching on, of switching off (at the reference time), and its tail per e-fold of time (C).

    Args:
        response: what `pulse_response` returned.
        displacement: function from membrane voltage (V) to displacement (V).
        current_a: signed current at rest (positive towards the threshold); reversal_v has its sign.
    """
    before, end = float(displacement(response["before_v"])), float(displacement(response["end_v"]))
    measured = end - charged(before, current_a, reversal_v, capacitance_f, response["on_time_s"] - response["guard_s"])
    whole = charged(before, current_a, reversal_v, capacitance_f, response["on_time_s"])
    tail: NDArray[np.float64] = np.asarray(displacement(np.asarray(response["tail_v"]))) - whole - measured
    slope, at_reference = np.polyfit(np.log(np.array(TAIL_PHASES) / TAIL_REFERENCE_PHASES), tail, 1)
    return capacitance_f * measured, capacitance_f * float(at_reference), capacitance_f * float(slope)
