"""Membrane voltage against charge, as loaded in the array: total capacitance and its voltage dependence.

Testbench: a column whose synapses are all off; after the reset is released an ideal current ramps the membrane over its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.bench.results import Results
from cosim.simulator import Point, Transient, Waveforms
from netlists.stimulus import PhaseWindow
from netlists.testbenches import MEMBRANE, Injection, column
from training.hardware import Curve

if TYPE_CHECKING:
    import pandas as pd

REACH = 3.0
"""Ramps last as long as a membrane of this many times the drawn capacitance would take: synapses of many devices load it."""

BEYOND_RAILS_V = 0.1
"""A ramp is read until the membrane is so far beyond its rail."""

RAMP_POINTS = 61


def points(bench: Bench, synapses: int) -> Iterator[Point]:
    """A ramp down and a ramp up, two phases each for the drawn capacitance, for a loaded column and for a bare neuron."""
    cells = bench.cells()
    phase = cells.timing.phase_s
    ends = {"down": -BEYOND_RAILS_V, "up": cells.supply_v + BEYOND_RAILS_V}
    start, ramp = 0.15 * phase, 2 * phase
    stop = start + REACH * ramp
    window = PhaseWindow(0.1 * phase, stop + phase, stop + 2 * phase)
    for count in (synapses, 0):
        for direction, end_v in ends.items():
            current = cells.neuron.drawn_capacitance_f * (cells.neuron.rest_v - end_v) / ramp
            netlist = column(cells, *ColumnSize(count, 0).idle, window, stop, Injection(current, start, stop + ramp))
            condition = {"measurement": "membrane_charge", "synapses": count, "direction": direction}
            deck = bench.deck(
                f"membrane charge, {count} synapses, ramp {direction}",
                netlist,
                Transient(stop, ramp / 400, min(bench.fine.max_step_s, ramp / 100)),
                [MEMBRANE],
            )
            extract = partial(ramp_voltage, current_a=current, start_s=start, edge_s=cells.timing.edge_s, end_v=end_v)
            yield Point(condition, deck, extract)


def ramp_voltage(waveforms: Waveforms, current_a: float, start_s: float, edge_s: float, end_v: float) -> dict[str, Any]:
    """Charge drawn from the membrane (C, positive towards ground) until it is at `end_v`, and the voltage it leaves.

    The first point lies before the ramp's rising edge: in the middle of it an eighth of current times edge has already flowed.
    """
    reached = waveforms.crossings(MEMBRANE, end_v, rising=current_a < 0, after=start_s)
    times = np.linspace(start_s, reached[0] if len(reached) else waveforms.axis[-1], RAMP_POINTS)
    return {
        "charge_c": current_a * (times - start_s),
        "membrane_v": waveforms.at(MEMBRANE, np.append(start_s - edge_s, times[1:])),
    }


def charge_table(ramps: Results) -> pd.DataFrame:
    """synapses, charge_c (from the released membrane), membrane_v (falling with charge)."""
    import pandas as pd

    frames = [pd.DataFrame({"synapses": one.point.condition["synapses"], **one.row}) for one in ramps.alive]
    table = pd.concat(frames, ignore_index=True).sort_values(["synapses", "charge_c"])
    # both ramps start at the same point
    return table.drop_duplicates(["synapses", "charge_c"]).reset_index(drop=True)


def capacitance_f(table: pd.DataFrame, synapses: int, from_v: float, to_v: float) -> float:
    """Large-signal capacitance between two membrane voltages."""
    column_points = table[table.synapses == synapses].sort_values("membrane_v")
    charge = np.interp([from_v, to_v], column_points.membrane_v, column_points.charge_c)
    return float((charge[1] - charge[0]) / (from_v - to_v))


@dataclass(frozen=True)
class Membrane:
    """Charge coordinates of a loaded membrane."""

    voltage_v: np.ndarray
    displacement_v: np.ndarray
    capacitance_f: float
    v_th_v: float

    def displacement(self, voltage_v: Any) -> Any:
        """Displacement (V) of membrane voltages, any shape."""
        return self._curve(self.voltage_v[::-1], self.displacement_v[::-1])(voltage_v)

    def curve(self) -> Curve:
        return Curve(
            x=tuple(self.displacement_v), y=tuple(self.voltage_v), x_name="displacement", x_unit="V", y_name="membrane voltage",
            y_unit="V", source="membrane",
        )  # fmt: skip

    @staticmethod
    def _curve(x: np.ndarray, y: np.ndarray) -> Curve:
        return Curve(
            x=tuple(x), y=tuple(y), x_name="membrane voltage", x_unit="V", y_name="displacement", y_unit="V", interpolant="cubic"
        )


def loaded_membrane(charge: pd.DataFrame, fired: pd.DataFrame, synapses: int, rest_v: float, phase_s: float) -> Membrane:
    """The effective threshold is the membrane at the output spike; the capacitance is the whole charge up to it."""
    spikes = fired[(fired.spike_s > 0.2 * phase_s) & (fired.spike_s < 0.95 * phase_s)]
    threshold = float(spikes.at_spike_v.mean())
    ramp = charge[charge.synapses == synapses].sort_values("charge_c")
    voltage = ramp.membrane_v.to_numpy()
    at_rest, at_threshold = np.interp([-rest_v, -threshold], -voltage, ramp.charge_c)
    capacitance = (at_threshold - at_rest) / (rest_v - threshold)
    return Membrane(voltage, (ramp.charge_c.to_numpy() - at_rest) / capacitance, float(capacitance), rest_v - threshold)
