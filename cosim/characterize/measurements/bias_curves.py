"""Currents against the gate bias that sets them, from rail to rail: where a bias is found for a current."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import measurement
from cosim.characterize.named_weights import SIDES, named_settings
from cosim.simulator import DcSweep, Point, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE, Levels, followed_device, held_neuron
from netlists.synapse import SIGNS
from netlists.testbenches import SYNAPSE, synapse_iv

BIAS_STEPS = 72


@measurement("bias_curves", "currents at rest against gate bias, rail to rail (DC)")
def bias_curves(bench: Bench) -> Iterator[Point]:
    """Of a synapse of each sign, of the discharger and of what else a bias circuit holds. A cell without such a bias has none."""
    cells = bench.cells()
    sweep = partial(DcSweep, start=0.0, stop=cells.supply_v, step=cells.supply_v / BIAS_STEPS)
    decks = {"discharger": (held_neuron(cells, None, Levels(phase=True)), "Vdischarger_bias")}
    for device in cells.neuron.dimensions.followed_biases:
        decks[device] = followed_device(cells, device), f"V{device}_bias"
    for sign in SIGNS:
        source = cells.synapse.bias_source(SYNAPSE, sign)
        for _, setting in named_settings(bench, sign)[:1]:
            if source:
                decks[SIDES[sign]] = synapse_iv(cells, setting), source
    for device, (netlist, source) in decks.items():
        deck = bench.deck(f"bias curve, {device}", netlist, sweep(source), [MEMBRANE_SOURCE])
        yield Point({"device": device}, deck, current_over_bias)


def current_over_bias(waveforms: Waveforms) -> dict[str, Any]:
    """Gate bias (V) and magnitude of the current (A)."""
    return {"bias_v": waveforms.axis, "current_a": np.abs(waveforms[MEMBRANE_SOURCE])}
