"""How a mapped network is simulated: as one circuit, or column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cosim.bench.bench import Bench
from cosim.design import Design
from cosim.mapping.circuit import sample_point
from cosim.mapping.columns import simulate_columns
from cosim.mapping.network import NetworkRun
from cosim.simulator import Row
from netlists.crossbar import Cells

Engine = Literal["flat", "columns"]

FLAT_SYNAPSES = 400
"""A network of more synapses takes minutes a sample as one circuit."""


def is_small(design: Design) -> bool:
    """Whether the network can be simulated as one circuit in reasonable time."""
    return sum(layer.synapses * layer.neurons for layer in design.shape.crossbars) <= FLAT_SYNAPSES


def engine_of(design: Design) -> Engine:
    """The engine that a design asks for; columns where it leaves the choice and no board joins them."""
    chosen = design.validation.engine
    if design.process.layout:
        return "flat"
    if chosen == "auto":
        return "flat" if design.environment.is_shared and is_small(design) else "columns"
    return chosen


def simulate_networks(
    bench: Bench,
    cells: Sequence[Cells],
    runs: Sequence[NetworkRun],
    engine: Engine,
) -> list[Row | None]:
    """Rows of the runs in their order, as `cosim.mapping.circuit.network_response` makes them; None where a run failed.

    Args:
        cells: of each layer.
    """
    if engine == "columns":
        return simulate_columns(bench, cells, runs)
    points = [sample_point(bench, cells, run, energy=run.die is None) for run in runs]
    results = bench.run(points)
    return [results.row(point) for point in points]
