"""SKY130 as a process that cells are built in."""

from __future__ import annotations

from typing import Any

from netlists.errors import GeometryError
from netlists.process import PROCESSES, Process, Role
from netlists.section import FetSize
from sky130_models.devices import (
    MIM_CAPACITOR,
    POLY_RESISTOR,
    POLY_WIDTHS_UM,
    PREFIX,
    Fet,
    mim_capacitor,
    mosfet,
    poly_resistor,
)

_FETS = {
    Role.NMOS: Fet.NFET,
    Role.NMOS_LOW_THRESHOLD: Fet.NFET_LVT,
    Role.PMOS: Fet.PFET,
    Role.PMOS_HIGH_THRESHOLD: Fet.PFET_HVT,
}
_MODELS = {**_FETS, Role.RESISTOR: POLY_RESISTOR, Role.CAPACITOR: MIM_CAPACITOR}


class Sky130(Process):
    """SkyWater's 130 nm process, its 1.8 V devices."""

    title = "SKY130"
    capacitance_f_per_um2 = 2e-15

    def fet(
        self, circuit: Any, name: str, role: Role, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
    ) -> None:
        mosfet(circuit, name, _FETS[role], drain, gate, source, bulk, size, units)

    def capacitor(self, circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> None:
        mim_capacitor(circuit, name, top, bottom, width_um, length_um)

    def resistor(self, circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> None:
        poly_resistor(circuit, name, a, b, bulk, width_um, length_um)

    def check_resistor_width(self, width_um: float) -> None:
        if width_um not in POLY_WIDTHS_UM:
            raise GeometryError(f"must be one of {POLY_WIDTHS_UM}")

    def model(self, role: Role) -> str:
        return _MODELS[role].removeprefix(PREFIX)


SKY130 = Sky130()
PROCESSES.add("sky130", SKY130)
