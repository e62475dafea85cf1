"""Membrane voltage against charge, as loaded in the array: total capacitance and its voltage dependence.

Testbench: a column whose synapses are all off; after the reset is released an ideal current ramps the membrane over its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.characterize.bench import Bench, ColumnSize
from cosim.simulator import Point, Transient, Waveforms
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.testbenches import MEMBRANE, Injection, column
from training.hardware import Curve

if TYPE_CHECKING:
    import pandas as pd

MIM_DENSITY_F_PER_UM2 = 2e-15
MARGIN = 1.25
"""Ramps carry this much more charge than the drawn capacitance asks for: parasitics must not leave them short."""

RAMP_POINTS = 61


def drawn_capacitance_f(cells: Cells) -> float:
    """The capacitance that is drawn: it only sets how fast the ramps are."""
    width, length = cells.neuron.membrane_capacitor_um
    return MIM_DENSITY_F_PER_UM2 * width * length + cells.neuron.wire_capacitance_f


def points(bench: Bench, synapses: int) -> Iterator[Point]:
    """A ramp down and a ramp up, each over two phases, for a loaded column and for a bare neuron."""
    cells = bench.cells()
    phase = cells.timing.phase_s
    spans = {"down": MARGIN * cells.neuron.rest_v, "up": MARGIN * (cells.neuron.rest_v - cells.supply_v)}
    start, ramp = 0.15 * phase, 2 * phase
    window = PhaseWindow(0.1 * phase, 4 * phase, 5 * phase)
    for count in (synapses, 0):
        for direction, span in spans.items():
            current = drawn_capacitance_f(cells) * span / ramp
            netlist = column(cells, *ColumnSize(count, 0).idle, window, start + ramp, Injection(current, start, start + 3 * ramp))
            condition = {"measurement": "membrane_charge", "synapses": count, "direction": direction}
            deck = bench.deck(
                f"membrane charge, {count} synapses, ramp {direction}",
                netlist,
                Transient(start + ramp, ramp / 400, min(bench.fine.max_step_s, ramp / 100)),
                [MEMBRANE],
            )
            yield Point(condition, deck, partial(ramp_voltage, current_a=current, start_s=start))


def ramp_voltage(waveforms: Waveforms, current_a: float, start_s: float) -> dict[str, Any]:
    """Charge drawn from the membrane (C, positive towards ground) and the voltage it leaves."""
    times = np.linspace(start_s, waveforms.axis[-1], RAMP_POINTS)
    return {"charge_c": current_a * (times - start_s), "membrane_v": waveforms.at(MEMBRANE, times)}


def charge_table(points: list[Point], rows: list[dict[str, Any] | None]) -> pd.DataFrame:
    """synapses, charge_c (from the released membrane), membrane_v (falling with charge)."""
    import pandas as pd

    frames = [
        pd.DataFrame({"synapses": point.condition["synapses"], **row})
        for point, row in zip(points, rows, strict=True)
        if row is not None
    ]
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
