"""SKY130 devices in a PySpice circuit, by drawn size in um (the model libraries set `.option scale=1u`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from netlists.errors import GeometryError
from netlists.process import Transistor, call, call_transistor, check_size, check_within
from netlists.section import FetSize

PREFIX = "sky130_fd_pr__"
"""What the names of its devices begin with."""

MIM_CAPACITOR = f"{PREFIX}cap_mim_m3_2"
POLY_RESISTOR = f"{PREFIX}res_xhigh_po"
POLY_WIDTHS_UM = (0.35, 0.69, 1.41, 2.85, 5.73)
"""The drawn widths that precision poly resistors come in."""

DIFFUSION_UM = 0.29  # source and drain diffusion beyond the gate, one contact row: what the open_pdks schematic symbols assume
_MAX_ASPECT = 20.0  # capm.7, cap2m.7 in the SkyWater periphery rules
_MIM_SIDE_UM = (1.0, 30.0)
_RESISTOR_LENGTH_UM = (0.5, 10_000.0)


class Fet(StrEnum):
    """The 1.8 V transistors."""

    NFET = f"{PREFIX}nfet_01v8"
    NFET_LVT = f"{PREFIX}nfet_01v8_lvt"
    PFET = f"{PREFIX}pfet_01v8"
    PFET_LVT = f"{PREFIX}pfet_01v8_lvt"
    PFET_HVT = f"{PREFIX}pfet_01v8_hvt"


_SHORTEST_UM = {Fet.NFET: 0.15, Fet.NFET_LVT: 0.15, Fet.PFET: 0.15, Fet.PFET_LVT: 0.35, Fet.PFET_HVT: 0.15}
_LONGEST_UM = 20.0
_WIDTH_UM = (0.42, 100.0)  # what both model sets cover
_TRANSISTORS = {fet: Transistor(str(fet), _WIDTH_UM, (_SHORTEST_UM[fet], _LONGEST_UM), DIFFUSION_UM) for fet in Fet}


def mosfet(
    circuit: Any, name: str, flavour: Fet, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
) -> Any:
    """Add a single-finger transistor, or `units` of them side by side, to a PySpice Circuit or SubCircuit; returns the element.

    Units of one device share a mismatch draw, whose spread is that of their whole area. Raises `GeometryError` outside the
    process's sizes.
    """
    return call_transistor(circuit, name, _TRANSISTORS[flavour], (drain, gate, source, bulk), size, units)


def mim_capacitor(circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> Any:
    """Add a MIM capacitor between met5 (`top`) and met4 (`bottom`), about 2 fF/um^2, and return the element.

    `top` is the pin c0, as layout extraction orders them. Raises `GeometryError` for a side outside 1 .. 30 um or an aspect
    ratio above 20.
    """
    check_size(name, MIM_CAPACITOR, (width_um, length_um), _MIM_SIDE_UM, _MIM_SIDE_UM)
    aspect = max(width_um / length_um, length_um / width_um)
    check_within(name, MIM_CAPACITOR, "aspect ratio", aspect, 1.0, _MAX_ASPECT, unit="")
    return call(circuit, name, MIM_CAPACITOR, (top, bottom), {"w": width_um, "l": length_um})


def poly_resistor(circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> Any:
    """Add a high-resistance poly resistor (about 2 kohm/sq) of one of `POLY_WIDTHS_UM`, and return the element.

    Raises `GeometryError` for another width or a length outside 0.5 um .. 10 mm.
    """
    if width_um not in POLY_WIDTHS_UM:
        choices = ", ".join(f"{width:g}" for width in POLY_WIDTHS_UM)
        raise GeometryError(f"{name}: {POLY_RESISTOR} has no width {width_um:g} um; take one of {choices}")
    device = f"{POLY_RESISTOR}_{width_um:.2f}".replace(".", "p")
    check_within(name, device, "L", length_um, *_RESISTOR_LENGTH_UM)
    return call(circuit, name, device, (a, b, bulk), {"l": length_um})
