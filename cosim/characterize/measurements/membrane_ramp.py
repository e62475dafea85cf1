"""Membrane voltage against charge, as loaded in the array.

Testbench: a column whose synapses are all off; after the reset is released an ideal current ramps the membrane over its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize.catalogue import measurement
from cosim.simulator import Point, Transient, Waveforms
from netlists.stimulus import PhaseWindow
from netlists.testbenches import MEMBRANE, Injection, column

REACH = 3.0
"""Ramps last as long as a membrane of this many times the drawn capacitance would take: synapses of many devices load it."""

BEYOND_RAILS_V = 0.1
"""A ramp is read until the membrane is so far beyond its rail."""

RAMP_POINTS = 61


@measurement("membrane_ramp", "membrane voltage against charge, ramped by an ideal current (transient)")
def membrane_ramp(bench: Bench) -> Iterator[Point]:
    """As loaded in the first layer, and without a synapse."""
    yield from points(bench, ColumnSize.in_use(bench.design.shape)[0].synapses)


def points(bench: Bench, synapses: int) -> Iterator[Point]:
    """A ramp down and a ramp up, two phases each for the drawn capacitance, for a loaded column and for a bare neuron."""
    cells = bench.cells()
    phase = cells.timing.phase_s
    ends = {"down": -BEYOND_RAILS_V, "up": cells.supply_v + BEYOND_RAILS_V}
    start, ramp = 0.15 * phase, 2 * phase
    stop = start + REACH * ramp
    window = PhaseWindow(0.1 * phase, stop + phase, stop + 2 * phase)
    for count in (synapses, 0):
        for direction, end_v in ends.items():
            current = cells.neuron.drawn_capacitance_f * (cells.neuron.rest_v - end_v) / ramp
            injection = Injection(current, start, stop + ramp)
            netlist = column(cells, *ColumnSize(count, 0).standing(cells), window, stop, injection, merged=bench.nominal)
            analysis = Transient(stop, ramp / 400, min(bench.fine.max_step_s, ramp / 100))
            deck = bench.deck(f"membrane charge, {count} synapses, ramp {direction}", netlist, analysis, [MEMBRANE])
            extract = partial(ramp_voltage, current_a=current, start_s=start, edge_s=cells.timing.edge_s, end_v=end_v)
            yield Point({"synapses": count, "direction": direction}, deck, extract)


def ramp_voltage(waveforms: Waveforms, current_a: float, start_s: float, edge_s: float, end_v: float) -> dict[str, Any]:
    """Charge drawn from the membrane (C, positive towards ground) until it is at `end_v`, and the voltage it leaves.

    The first point lies before the ramp's rising edge: in the middle of it an eighth of current times edge has already flowed.
    """
    reached = waveforms.crossings(MEMBRANE, end_v, rising=current_a < 0, after=start_s)
    times = np.linspace(start_s, reached[0] if len(reached) else waveforms.axis[-1], RAMP_POINTS)
    return {
        "charge_c": current_a * (times - start_s),
        "membrane_v": waveforms.at(MEMBRANE, np.append(start_s - edge_s, times[1:])),
    }
