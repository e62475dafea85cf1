"""How alike the two signs of a synapse are: the current of each sign at its strongest code, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import SYNAPSE, Parameter, measurement
from cosim.design import Design
from cosim.simulator import OperatingPoint, Point, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE
from netlists.synapse import SIGNS, SynapseSetting
from netlists.testbenches import synapse_iv


@measurement("spread_of_signs", "current of the strongest code of each sign, membrane at rest (DC)")
def spread_of_signs(bench: Bench) -> Iterator[Point]:
    """One operating point a sign."""
    cells = bench.cells()
    for sign in SIGNS:
        *_, strongest = cells.synapse.codes(sign, 2)
        netlist = synapse_iv(cells, SynapseSetting(sign, float(strongest)))
        deck = bench.deck(f"strongest code, sign {sign:+d}", netlist, OperatingPoint(), [MEMBRANE_SOURCE])
        yield Point({"sign": sign, "code": float(strongest)}, deck, magnitude)


def magnitude(waveforms: Waveforms) -> dict[str, Any]:
    """Size of the current out of the held membrane (A)."""
    return {"current_a": abs(float(waveforms[MEMBRANE_SOURCE][0]))}


@spread_of_signs.gives(Parameter("sign_ratio", "largest current, w > 0 over w < 0", "", scale="log", group=SYNAPSE))
def ratio(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """What a datasheet shows of it; nothing where a point failed."""
    currents = {one.point.condition["sign"]: float(one.row["current_a"]) for one in measured}
    return {"sign_ratio": currents[1] / currents[-1]} if len(currents) == len(SIGNS) else {}
