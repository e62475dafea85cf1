"""What a synapse adds to the capacitance of its membrane, off and on, where its code decides that.

A resistor hangs on the membrane with its own capacitance, whose far half comes off as the switch closes.

Testbench: one synapse whose membrane an ideal source takes from rest to the threshold and back. A current that flows at a voltage
flows on both ways and cancels. A synapse that is off conducts nothing but charges its far end through its resistor, which takes
time: its membrane rests at both ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cosim.bench.bench import Accuracy, Bench
from cosim.bench.results import Measured
from cosim.characterize.held_membrane import integral
from cosim.simulator import Point, Transient, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE, moved_synapse
from netlists.synapse import SynapseSetting

if TYPE_CHECKING:
    import pandas as pd

RAMP_PHASES, REST_PHASES = 0.1, 0.4
"""Of a ramp, and of a rest at its end: many times what the far end of the resistor takes."""

TRANSIENT = Accuracy(1e-6, 1e-18, 2e-9)


def points(bench: Bench, settings: Iterable[SynapseSetting], threshold_v: float) -> Iterator[Point]:
    """Every setting, off and on."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    ramp, rest_v = RAMP_PHASES * phase, cells.neuron.rest_v
    for setting in settings:
        for on in (False, True):
            rest = 0.0 if on else REST_PHASES * phase
            down, up = (ramp, 2 * ramp + rest), (2 * ramp + rest, 3 * ramp + 2 * rest)
            corners = [
                (0.0, rest_v),
                (down[0], rest_v),
                (down[0] + ramp, threshold_v),
                (up[0], threshold_v),
                (up[0] + ramp, rest_v),
            ]
            corners = [corner for k, corner in enumerate(corners) if not k or corner[0] > corners[k - 1][0]]
            deck = bench.deck(
                f"membrane of a synapse moved, sign {setting.sign:+d}, code {setting.code:.9g}, {'on' if on else 'off'}",
                moved_synapse(cells, setting, on, corners),
                Transient(up[1] + ramp, ramp / 50, TRANSIENT.max_step_s), [MEMBRANE_SOURCE], TRANSIENT,
            )  # fmt: skip
            extract = partial(capacitance, down=down, up=up, swing_v=rest_v - threshold_v)
            yield Point({"measurement": "synapse_load", "sign": setting.sign, "code": setting.code, "on": on}, deck, extract)


def capacitance(waveforms: Waveforms, down: tuple[float, float], up: tuple[float, float], swing_v: float) -> dict[str, Any]:
    """Charge that the source takes out on the way down and brings on the way up, over the swing (F)."""
    time, current = waveforms.axis, waveforms[MEMBRANE_SOURCE]
    return {"capacitance_f": (integral(time, current, *down) - integral(time, current, *up)) / (2 * swing_v)}


def load_table(alive: list[Measured]) -> pd.DataFrame:
    """sign, code, capacitance_off_f, capacitance_on_f of every code that was measured both off and on."""
    import pandas as pd

    rows = pd.DataFrame([{**one.point.condition, **one.row} for one in alive])
    table = rows.pivot_table(index=["sign", "code"], columns="on", values="capacitance_f").dropna().reset_index()
    return table.rename(columns={False: "capacitance_off_f", True: "capacitance_on_f"}).rename_axis(columns=None)
