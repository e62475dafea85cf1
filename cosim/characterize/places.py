"""What differs from place to place in a layout: capacitances from its extraction, and what those of spike lines do, simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.bench.post_layout import LineEffects, post_layout
from cosim.bench.results import Measured
from cosim.characterize import firing
from training.hardware import ColumnHardware, LayerPlaces

LINE_F = 3e-15
"""Put on the lines of a neuron to see what it does; those of hidden neurons differ by as much."""

AT = np.array([0.25, 0.75])
"""Displacements (thresholds) at which neurons are fired for that."""


def layer_places(bench: Bench, effects: LineEffects) -> tuple[LayerPlaces, ...]:
    """The places of each layer of a design that is laid out. Raises `LayoutError` for a cell that cannot be drawn."""
    process = bench.design.process
    return tuple(layer.placed(process.supply_v, effects, process.rails) for layer in post_layout(bench.design).places)


def falling_f(bench: Bench) -> float:
    """What falling lines of hidden neurons have beyond those of inputs (F), as the mean; of a design without such lines, 1 fF."""
    layers = post_layout(bench.design).places[1:]
    return float(np.concatenate([layer.falling for layer in layers]).mean()) if layers else 1e-15


@dataclass(frozen=True)
class Delays:
    """How much later a spike comes where its lines have more capacitance, either to ground, and the two between them (s/F); and
    that of an output (`LineEffects.unsent_s`)."""

    per_f: float
    per_pair_f: float
    unsent_s: float


def line_delays(bench: Bench, size: ColumnSize, column: ColumnHardware) -> Delays:
    """Raises what stopped one of the simulations."""
    neuron = column.neuron
    cells = with_bias(bench.cells(), neuron.discharger_bias.value)
    charges = AT * neuron.capacitance_f * neuron.v_th_v
    unsent = post_layout(bench.design).places[-1].lines
    lines = [(0.0, 0.0), (LINE_F, 0.0), (0.0, LINE_F), (0.0, 0.0), unsent]
    asked = [
        list(firing.points(bench, cells, own, charges, neuron.threshold.value, more_f))
        for own, more_f in zip([size] * 3 + [size._replace(fan_out=0)] * 2, lines, strict=True)
    ]
    results = bench.run([point for points in asked for point in points])
    plain, ground, pair, alone, output = (
        float(np.mean([Measured.of(outcome).row["spike_s"] for outcome in results.of(points)])) for points in asked
    )
    return Delays((ground - plain) / LINE_F, (pair - plain) / LINE_F, output - alone)
