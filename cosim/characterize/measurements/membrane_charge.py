"""Charge of a membrane that is forced down and up again, with its synapses and without any: its capacitance, in 200 ns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import QUICK, Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import Parameter, measurement
from cosim.characterize.held_membrane import edges_v
from cosim.design import Design
from cosim.simulator import Point, Transient, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE, Levels, held_neuron

TRIANGLE_S = 100e-9
CHARGE_POINTS = 31


@measurement("membrane_charge", "charge of a membrane that is forced down and up, with and without synapses (transient)")
def membrane_charge(bench: Bench) -> Iterator[Point]:
    """A triangle of membrane voltage from rail to rail."""
    cells = bench.cells()
    low, high = edges_v(cells)
    settle = 0.2 * TRIANGLE_S
    ends = [settle, settle + TRIANGLE_S, settle + 2 * TRIANGLE_S]
    points = [(0.0, high), *zip(ends, (high, low, high), strict=True)]
    for synapses in (bench.design.network.inputs, 0):
        deck = bench.deck(
            f"charge of a membrane with {synapses} synapses", held_neuron(cells, points, Levels(), synapses),
            Transient(ends[-1], TRIANGLE_S / 25, TRIANGLE_S / 25), [MEMBRANE_SOURCE], QUICK,
        )  # fmt: skip
        extract = partial(triangle_charge, ends_s=ends, high_v=high, low_v=low)
        yield Point({"synapses": synapses}, deck, extract)


def triangle_charge(waveforms: Waveforms, ends_s: list[float], high_v: float, low_v: float) -> dict[str, Any]:
    """Charge (C) that has left the membrane between its highest voltage and each of the grid (V, falling).

    The mean of the way down and the way up: what leaks at a voltage flows both ways and cancels.
    """
    share = np.linspace(0.0, 1.0, CHARGE_POINTS)
    start, turn, end = ends_s
    current, time = waveforms[MEMBRANE_SOURCE], waveforms.axis
    charge = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]) * np.diff(time))])
    down, up = np.interp(start + share * (turn - start), time, charge), np.interp(end - share * (end - turn), time, charge)
    # Out of the membrane counts positive: the source delivers i(vmembrane) < 0 while it pushes the membrane down.
    gone = 0.5 * ((down - down[0]) + (up - up[0]))
    return {"membrane_v": high_v + share * (low_v - high_v), "charge_c": gone}


@membrane_charge.gives(
    Parameter("capacitance_f", "membrane with its synapses, rest to threshold", "F"),
    Parameter("capacitance_synapse_f", "membrane capacitance per synapse", "F"),
    Parameter("capacitance_bend_share", "capacitance at threshold over that at rest, less 1", ""),
    needs=("threshold_v",),
)  # fmt: skip
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """Charge from rest to threshold over that swing; and how its slope changes between the two."""
    charges = {int(one.point.condition["synapses"]): one.row for one in measured}
    count, rest, threshold_v = max(charges, default=0), design.neuron.rest_v, known["threshold_v"]
    if count == 0 or 0 not in charges or not np.isfinite(threshold_v):
        return {}

    def capacitance(row: Mapping[str, Any], high_v: float, low_v: float) -> float:
        volts, charge = np.asarray(row["membrane_v"])[::-1], np.asarray(row["charge_c"])[::-1]
        return float(np.interp(low_v, volts, charge) - np.interp(high_v, volts, charge)) / (high_v - low_v)

    loaded, bare = (capacitance(charges[synapses], rest, threshold_v) for synapses in (count, 0))
    near = 0.2 * (rest - threshold_v)
    at_rest = capacitance(charges[count], rest, rest - near)
    at_threshold = capacitance(charges[count], threshold_v + near, threshold_v)
    return {
        "capacitance_f": loaded, "capacitance_synapse_f": (loaded - bare) / count,
        "capacitance_bend_share": at_threshold / at_rest - 1,
    }  # fmt: skip
