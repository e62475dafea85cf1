"""The membrane voltage at which the output spikes, if it gets there slowly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import NAN, measurement
from cosim.characterize.held_membrane import edges_v
from cosim.simulator import DcSweep, Point, Waveforms
from netlists.testbenches import discharger_iv

THRESHOLD_STEP_V = 2e-3
OUTPUT = "v(spike)"


@measurement("switching_threshold", "membrane voltage at which the output spikes (DC)")
def switching_threshold(bench: Bench) -> Iterator[Point]:
    """A held membrane swept downwards until the neuron's output spikes."""
    cells = bench.cells()
    sweep = DcSweep("Vmembrane", cells.neuron.rest_v, edges_v(cells)[0], -THRESHOLD_STEP_V)
    deck = bench.deck("static switching threshold", discharger_iv(cells), sweep, [OUTPUT])
    yield Point({}, deck, partial(static_threshold, level_v=cells.supply_v / 2))


def static_threshold(waveforms: Waveforms, level_v: float) -> dict[str, Any]:
    """Membrane voltage at which the spike line rises (NaN if it never does)."""
    crossed = waveforms.crossings(OUTPUT, level_v, rising=True, after=-math.inf)
    return {"threshold_v": float(crossed[0]) if len(crossed) else NAN}
