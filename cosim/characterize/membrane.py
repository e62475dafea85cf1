"""A loaded membrane in charge coordinates: total capacitance and its voltage dependence, from ramps of charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.bench.results import Measured
from training.hardware import Curve

if TYPE_CHECKING:
    import pandas as pd


def charge_table(ramps: list[Measured]) -> pd.DataFrame:
    """synapses, charge_c (from the released membrane), membrane_v (falling with charge)."""
    import pandas as pd

    frames = [pd.DataFrame({"synapses": one.point.condition["synapses"], **one.row}) for one in ramps]
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
