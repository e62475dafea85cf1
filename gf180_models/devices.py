"""3.3 V devices of GF180MCU in a PySpice circuit, by drawn size in um (the models take metres)."""

from __future__ import annotations

from typing import Any

from netlists.errors import GeometryError
from netlists.process import Transistor, call, call_transistor, check_size, check_within
from netlists.section import FetSize

UM = 1e-6
"""What a call gives for a length of 1 um."""

MIM_CAPACITOR = "cap_mim_2f0fF"
POLY_RESISTOR = "ppolyf_u_1k"
NARROWEST_RESISTOR_UM = 1.0

_WIDTH_UM = (0.22, 100.0)
_LENGTH_UM = (0.28, 50.0)
# One row of contacts: 0.15 um from the gate, 0.22 um of contact, 0.07 um of enclosure (CO.7, CO.1, CO.4 of the design rules).
DIFFUSION_UM = 0.44
NFET, PFET = (Transistor(name, _WIDTH_UM, _LENGTH_UM, DIFFUSION_UM, units="par") for name in ("nfet_03v3", "pfet_03v3"))

_MIM_SIDE_UM = (5.0, 100.0)  # MIMTM.8 of the design rules; the models' other end
_RESISTOR_LENGTH_UM = (1.0, 10_000.0)


def mosfet(
    circuit: Any, name: str, device: Transistor, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
) -> Any:
    """Add a single-finger transistor, or `units` of them side by side, to a PySpice Circuit or SubCircuit; returns the element.

    Units of one device share a mismatch draw, whose spread is that of their whole area. Raises `GeometryError` outside the
    process's sizes.
    """
    return call_transistor(circuit, name, device, (drain, gate, source, bulk), size, units, UM)


def mim_capacitor(circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> Any:
    """Add a MIM capacitor of about 2 fF/um^2, and return the element. Raises `GeometryError` for a side outside 5 .. 100 um."""
    check_size(name, MIM_CAPACITOR, (width_um, length_um), _MIM_SIDE_UM, _MIM_SIDE_UM)
    return call(circuit, name, MIM_CAPACITOR, (top, bottom), {"c_width": width_um * UM, "c_length": length_um * UM})


def poly_resistor(circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> Any:
    """Add a poly resistor of about 1 kohm/sq, and return the element.

    Raises `GeometryError` for a width below 1 um or a length outside 1 um .. 10 mm.
    """
    if not width_um >= NARROWEST_RESISTOR_UM:
        raise GeometryError(f"{name}: {POLY_RESISTOR} with W = {width_um:g} um; it must be at least {NARROWEST_RESISTOR_UM:g} um")
    check_within(name, POLY_RESISTOR, "L", length_um, *_RESISTOR_LENGTH_UM)
    return call(circuit, name, POLY_RESISTOR, (a, b, bulk), {"r_width": width_um * UM, "r_length": length_um * UM})
