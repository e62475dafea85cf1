"""What flows through a synapse whose weight is zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import SYNAPSE, Parameter, measurement, of_one_point
from cosim.design import Design
from cosim.simulator import OperatingPoint, Point, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE
from netlists.testbenches import synapse_iv


@measurement("leakage", "current through a synapse whose weight is zero (DC)")
def leakage(bench: Bench) -> Iterator[Point]:
    """Out of a resting membrane, the spike line high."""
    deck = bench.deck("leakage of a synapse", synapse_iv(bench.cells(), None), OperatingPoint(), [MEMBRANE_SOURCE])
    yield Point({}, deck, current_of_membrane)


def current_of_membrane(waveforms: Waveforms) -> dict[str, Any]:
    """Current out of a held membrane (A, positive towards ground)."""
    return {"leakage_a": -float(waveforms[MEMBRANE_SOURCE][0])}


@leakage.gives(Parameter("leakage_a", "current of a synapse of weight 0", "A", group=SYNAPSE))
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """As it is."""
    return of_one_point(measured, {"leakage_a": "leakage_a"})
