"""What differs from place to place in a layout: capacitances from its extraction, and what those of spike lines do, simulated."""

from __future__ import annotations

import numpy as np

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.bench.post_layout import LineEffects, post_layout
from cosim.bench.results import Measured
from cosim.characterize import firing
from training.hardware import ColumnHardware, LayerPlaces

LINE_F = 10e-15
"""Put on lines to see what it does; those of hidden neurons differ by as much."""

AT = np.array([0.25, 0.75])
"""Displacements (thresholds) at which neurons are fired for that."""


def layer_places(bench: Bench, effects: LineEffects) -> tuple[LayerPlaces, ...]:
    """The places of each layer of a design that is laid out. Raises `LayoutError` for a cell that cannot be drawn."""
    return tuple(layer.placed(bench.design.process.supply_v, effects) for layer in post_layout(bench.design).places)


def delays_per_farad(bench: Bench, size: ColumnSize, column: ColumnHardware) -> tuple[float, float]:
    """How much later a spike comes where its lines have more capacitance, either to ground, and the two between them (s/F).

    Raises what stopped one of the simulations.
    """
    neuron = column.neuron
    cells = with_bias(bench.cells(), neuron.discharger_bias.value)
    charges = AT * neuron.capacitance_f * neuron.v_th_v
    asked = {
        more_f: list(firing.points(bench, cells, size, charges, neuron.threshold.value, more_f))
        for more_f in ((0.0, 0.0), (LINE_F, 0.0), (0.0, LINE_F))
    }
    results = bench.run([point for points in asked.values() for point in points])
    plain, ground, pair = (
        np.mean([Measured.of(outcome).row["spike_s"] for outcome in results.of(points)]) for points in asked.values()
    )
    return float((ground - plain) / LINE_F), float((pair - plain) / LINE_F)
