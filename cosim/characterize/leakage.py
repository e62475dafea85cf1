"""What flows into a resting membrane while nothing has arrived: from the neuron itself, and from each synapse that is off.

Testbench: a membrane that an ideal source holds at rest, for so long that all else settles. An operating point would do in
principle, but the node between a biased memory transistor and a selector that is off floats, and where the solver finds the point
only by ramping it is left where nanoamperes flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cosim.bench.bench import Accuracy, Bench
from cosim.bench.results import Measured
from cosim.characterize.held_membrane import integral
from cosim.simulator import Point, Transient, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE, Levels, held_neuron, moved_synapse
from netlists.crossbar import Cells
from netlists.synapse import SynapseSetting

if TYPE_CHECKING:
    import pandas as pd

NEURON, IDLE, SYNAPSE = "neuron", "idle synapse", "synapse"
"""Whose leakage a point is."""

SETTLING_S = 0.1
"""What creeps onto a floating node dies away as one over the time: here to a femtoampere per femtofarad."""

STEPS = 100
SETTLED_FROM = 0.8
"""The current is the mean over what remains of the time then."""


def points(bench: Bench, cells: Cells, settings: Iterable[SynapseSetting]) -> Iterator[Point]:
    """The neuron alone, a synapse of weight 0, and every setting."""
    step = SETTLING_S / STEPS
    rest = [(0.0, cells.neuron.rest_v), (SETTLING_S, cells.neuron.rest_v)]
    accuracy = Accuracy(bench.design.accuracy.reltol, 1e-18, step)

    def point(title: str, netlist: str, **condition: Any) -> Point:
        deck = bench.deck(title, netlist, Transient(SETTLING_S, step, step), [MEMBRANE_SOURCE], accuracy)
        return Point({"measurement": "leakage", **condition}, deck, settled_current)

    yield point("leakage of a neuron", held_neuron(cells, rest, Levels()), device=NEURON)
    yield point("leakage of an idle synapse", moved_synapse(cells, None, False, rest), device=IDLE)
    for setting in settings:
        yield point(
            f"leakage of a synapse, sign {setting.sign:+d}, code {setting.code:.9g}", moved_synapse(cells, setting, False, rest),
            device=SYNAPSE, sign=setting.sign, code=setting.code,
        )  # fmt: skip


def settled_current(waveforms: Waveforms) -> dict[str, Any]:
    """Current out of a held membrane at the end (A, positive towards ground)."""
    start, end = SETTLED_FROM * waveforms.axis[-1], waveforms.axis[-1]
    return {"leakage_a": -integral(waveforms.axis, waveforms[MEMBRANE_SOURCE], start, end) / (end - start)}


@dataclass(frozen=True)
class Leakages:
    """Currents into a resting membrane (A, positive towards the threshold): of the neuron, of a synapse of weight 0, and by code.

    `table` holds device, sign, code, current_a (size of the current at rest; sign 0 and NaN where there is none), leakage_a.
    """

    neuron_a: float
    idle_a: float
    table: pd.DataFrame

    def standing_a(self, settings: Sequence[SynapseSetting | None]) -> float:
        """The mean of synapses that are set so and off; of codes that were not measured that of their nearest."""
        found = []
        for setting in settings:
            own = self.table[self.table.sign == (setting.sign if setting else 0)]
            found.append(self.idle_a if setting is None else float(own.leakage_a.iloc[(own.code - setting.code).abs().argmin()]))
        return sum(found) / len(found)


def leakages(alive: Iterable[Measured], fits: pd.DataFrame) -> Leakages:
    """What all `points` gave, beside the currents of `fit_synapses`."""
    import pandas as pd

    rows = pd.DataFrame([{**one.point.condition, **one.row} for one in alive])
    (neuron,), (idle,) = (rows[rows.device == device].leakage_a for device in (NEURON, IDLE))
    table = rows.merge(fits[["sign", "code", "current_a"]], on=["sign", "code"], how="left").fillna({"sign": 0})
    table = table.astype({"sign": int, "code": float}).sort_values(["sign", "current_a"], ascending=[False, True])
    return Leakages(
        float(neuron), float(idle), table[["device", "sign", "code", "current_a", "leakage_a"]].reset_index(drop=True)
    )
