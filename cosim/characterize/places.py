"""What differs from place to place in a layout: capacitances from its extraction, and what a spike line's does to its spike."""

from __future__ import annotations

import numpy as np

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.bench.post_layout import post_layout
from cosim.bench.results import Measured
from cosim.characterize import firing
from training.hardware import ColumnHardware, LayerPlaces

LINE_F = 10e-15
"""Put on both lines of a spike to see what it costs; those of hidden neurons differ by as much."""

AT = np.array([0.25, 0.75])
"""Displacements (thresholds) at which that is looked at."""


def layer_places(bench: Bench, size: ColumnSize, column: ColumnHardware) -> tuple[LayerPlaces, ...]:
    """The places of each layer of a design that is laid out; none of one that is not. `column` is what its first one is.

    Raises `LayoutError` for a cell that cannot be drawn.
    """
    if not bench.design.process.layout:
        return ()
    slower = delay_per_farad(bench, size, column)
    return tuple(layer.placed(bench.design.process.supply_v, slower) for layer in post_layout(bench.design).places)


def delay_per_farad(bench: Bench, size: ColumnSize, column: ColumnHardware) -> float:
    """How much later a spike comes where its lines, true and complement, have more capacitance to ground (s/F).

    Raises what stopped one of its simulations.
    """
    neuron = column.neuron
    cells = with_bias(bench.cells(), neuron.discharger_bias.value)
    charges = AT * neuron.capacitance_f * neuron.v_th_v
    points = [
        point for line_f in (0.0, LINE_F) for point in firing.points(bench, cells, size, charges, neuron.threshold.value, line_f)
    ]
    spikes = np.array([Measured.of(outcome).row["spike_s"] for outcome in bench.run(points).of(points)])
    return float((spikes[len(AT) :] - spikes[: len(AT)]).mean() / LINE_F)
