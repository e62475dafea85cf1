"""SKY130 devices in a PySpice circuit, by drawn size in um (the model libraries set `.option scale=1u`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sky130_models.errors import GeometryError

_DIFFUSION_UM = 0.29  # source and drain diffusion beyond the gate, one contact row: what the open_pdks schematic symbols assume
_MAX_ASPECT = 20.0  # capm.7, cap2m.7 in the SkyWater periphery rules
_MIM_SIDE_UM = (1.0, 30.0)
_RESISTOR_LENGTH_UM = (0.5, 10_000.0)


class Fet(StrEnum):
    """The 1.8 V transistors."""

    NFET = "sky130_fd_pr__nfet_01v8"
    NFET_LVT = "sky130_fd_pr__nfet_01v8_lvt"
    PFET = "sky130_fd_pr__pfet_01v8"
    PFET_LVT = "sky130_fd_pr__pfet_01v8_lvt"
    PFET_HVT = "sky130_fd_pr__pfet_01v8_hvt"


_SHORTEST_UM = {Fet.NFET: 0.15, Fet.NFET_LVT: 0.15, Fet.PFET: 0.15, Fet.PFET_LVT: 0.35, Fet.PFET_HVT: 0.15}
_LONGEST_UM = 20.0
_WIDTH_UM = (0.42, 100.0)  # what both model sets cover
POLY_WIDTHS_UM = (0.35, 0.69, 1.41, 2.85, 5.73)
"""The drawn widths that precision poly resistors come in."""


def mosfet(
    circuit: Any,
    name: str,
    flavour: Fet,
    drain: str,
    gate: str,
    source: str,
    bulk: str,
    width_um: float,
    length_um: float,
    units: int = 1,
) -> Any:
    """Add a single-finger transistor, or `units` of them side by side, to a PySpice Circuit or SubCircuit; returns the element.

    Units of one device share a mismatch draw, whose spread is that of their whole area.

    Diffusion areas (um^2) and perimeters (um) are those of a finger with one contact row: 0.29 W and 2 (W + 0.29). Without them a
    membrane lacks some percent of its capacitance. Raises `GeometryError` outside the process's sizes.
    """
    _within(name, flavour, "W", width_um, *_WIDTH_UM)
    _within(name, flavour, "L", length_um, _SHORTEST_UM[flavour], _LONGEST_UM)
    area, perimeter = width_um * _DIFFUSION_UM, 2 * (width_um + _DIFFUSION_UM)
    sizes = {"w": width_um, "l": length_um, "ad": area, "as": area, "pd": perimeter, "ps": perimeter}
    if units > 1:
        sizes |= {"m": units, "mult": units}
    return _add(circuit, name, flavour, (drain, gate, source, bulk), sizes)


def mim_capacitor(circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> Any:
    """Add a MIM capacitor between met5 (`top`) and met4 (`bottom`), about 2 fF/um^2, and return the element.

    `top` is the pin c0, as layout extraction orders them. Raises `GeometryError` for a side outside 1 .. 30 um or an aspect
    ratio above 20.
    """
    device = "sky130_fd_pr__cap_mim_m3_2"
    _within(name, device, "W", width_um, *_MIM_SIDE_UM)
    _within(name, device, "L", length_um, *_MIM_SIDE_UM)
    _within(name, device, "aspect ratio", max(width_um / length_um, length_um / width_um), 1.0, _MAX_ASPECT, unit="")
    return _add(circuit, name, device, (top, bottom), {"w": width_um, "l": length_um})


def poly_resistor(circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> Any:
    """Add a high-resistance poly resistor (about 2 kohm/sq) of one of `POLY_WIDTHS_UM`, and return the element.

    Raises `GeometryError` for another width or a length outside 0.5 um .. 10 mm.
    """
    if width_um not in POLY_WIDTHS_UM:
        choices = ", ".join(f"{width:g}" for width in POLY_WIDTHS_UM)
        raise GeometryError(f"{name}: sky130_fd_pr__res_xhigh_po has no width {width_um:g} um; take one of {choices}")
    device = f"sky130_fd_pr__res_xhigh_po_{width_um:.2f}".replace(".", "p")
    _within(name, device, "L", length_um, *_RESISTOR_LENGTH_UM)
    return _add(circuit, name, device, (a, b, bulk), {"l": length_um})


def _within(name: str, device: str, quantity: str, value: float, low: float, high: float, unit: str = " um") -> None:
    # A limit may be met to rounding only; `not` catches NaN as well.
    if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
        raise GeometryError(f"{name}: {device} with {quantity} = {value:g}{unit}; it must lie between {low:g} and {high:g}{unit}")


def _add(circuit: Any, name: str, device: str, nodes: tuple[str, ...], sizes: dict[str, float]) -> Any:
    return circuit.X(name, str(device), *nodes, **{key: f"{value:.9g}" for key, value in sizes.items()})
