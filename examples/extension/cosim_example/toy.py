"""A process: textbook transistors at 2.5 V, sizes in metres, two corners, one set of models that comes along."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from netlists.errors import GeometryError
from netlists.models.pdk import ModelNames, Pdk
from netlists.process import PROCESSES, ModelSet, Process, ProcessSection, Role, Transistor, call, call_transistor, check_within
from netlists.section import FetSize, Volt, fet

LIBRARY = Path(__file__).with_name("toy.lib")
UM = 1e-6
"""What a call gives for a length of 1 um."""

_FETS = {
    Role.NMOS: Transistor("toy_n", width_um=(0.4, 100.0), length_um=(0.25, 20.0), diffusion_um=0.4),
    Role.PMOS: Transistor("toy_p", width_um=(0.4, 100.0), length_um=(0.25, 20.0), diffusion_um=0.4),
}
_ROLES = {
    **_FETS,
    # It has no such transistors: the nearest are those that it has.
    Role.NMOS_LOW_THRESHOLD: _FETS[Role.NMOS],
    Role.PMOS_HIGH_THRESHOLD: _FETS[Role.PMOS],
}


class ToySection(ProcessSection):
    """Which devices, at which corner."""

    name: Literal["toy"] = "toy"
    model_set: Literal["textbook"] = "textbook"
    corner: Literal["typical", "slow"] = "typical"
    supply_v: Volt = 2.5


class Toy(Process):
    """Textbook transistors at 2.5 V (an example)."""

    title = "Toy"
    section = ToySection
    corners: ClassVar = {"typical": "as drawn", "slow": "thresholds 50 mV higher"}
    model_sets: ClassVar = {"textbook": ModelSet("level-1 transistors", "none: nothing in it is random")}
    names = ModelNames(re.compile("toy_"), mismatch="toy_mismatch", process="toy_process", um=UM)
    libraries = frozenset({LIBRARY.name})
    setup = ()
    defaults: ClassVar = {
        "synapse.current_source": {
            "nmos": fet(1.0, 10.0), "pmos": fet(1.0, 10.0), "nmos_bias_v": (0.56, 0.80), "pmos_bias_v": (1.94, 1.70),
        },
    }  # fmt: skip
    capacitance_f_per_um2 = 1e-15
    remedy = "it comes with the package cosim-example"

    def find_pdk(self, model_set: str) -> Pdk:
        sections = {"typical": "TYPICAL", "slow": "SLOW"}
        return Pdk(LIBRARY, model_set, "cosim-example 0.1.0", LIBRARY.parent, self.names, sections, heading="toy models")

    def fet(
        self, circuit: Any, name: str, role: Role, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
    ) -> None:
        call_transistor(circuit, name, _ROLES[role], (drain, gate, source, bulk), size, units, UM)

    def capacitor(self, circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> None:
        for side, value in (("W", width_um), ("L", length_um)):
            check_within(name, "toy_plate", side, value, 1.0, 100.0)
        call(circuit, name, "toy_plate", (top, bottom), {"w": width_um * UM, "l": length_um * UM})

    def resistor(self, circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> None:
        self.check_resistor_width(width_um)
        call(circuit, name, "toy_film", (a, b, bulk), {"w": width_um * UM, "l": length_um * UM})

    def check_resistor_width(self, width_um: float) -> None:
        if width_um < 0.5:
            raise GeometryError("must be at least 0.5 um")

    def model(self, role: Role) -> str:
        return {Role.CAPACITOR: "toy_plate", Role.RESISTOR: "toy_film"}.get(role) or _ROLES[role].subcircuit


PROCESSES.add("toy", Toy())
