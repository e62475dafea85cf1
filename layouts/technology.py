"""Numbers of SKY130 that a layout needs: GDS layers and resistances of its wires (their capacitances: `extraction`).

Sources: [R] SkyWater's periphery rules and [X] its RCX tables (google/skywater-pdk at 7198cf6, docs/rules, Apache-2.0); [L]
gds_layers.csv of the same; [T] open_pdks 1.0.603 (4ee451f), sky130/magic/sky130.tech (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

GRID_UM = 0.005
"""The manufacturing grid [R]: every coordinate is a multiple of it."""


class Layer(NamedTuple):
    """A layer of a GDS file."""

    number: int
    datatype: int


LAYERS: Mapping[str, Layer] = {
    "nwell": Layer(64, 20), "diff": Layer(65, 20), "tap": Layer(65, 44), "poly": Layer(66, 20), "licon1": Layer(66, 44),
    "li1": Layer(67, 20), "mcon": Layer(67, 44), "met1": Layer(68, 20), "via": Layer(68, 44), "met2": Layer(69, 20),
    "via2": Layer(69, 44), "met3": Layer(70, 20), "via3": Layer(70, 44), "met4": Layer(71, 20), "via4": Layer(71, 44),
    "met5": Layer(72, 20), "nsdm": Layer(93, 44), "psdm": Layer(94, 20), "npc": Layer(95, 20), "hvtp": Layer(78, 44),
    "lvtn": Layer(125, 44), "capm": Layer(89, 44), "cap2m": Layer(97, 44), "rpm": Layer(86, 20), "urpm": Layer(79, 20),
    "poly_res": Layer(66, 13), "areaid_sc": Layer(81, 4), "boundary": Layer(235, 4), "text": Layer(83, 44),
}  # fmt: skip
"""Drawing layers [L]. `urpm` marks a poly resistor of 2 kohm/sq, `poly_res` its body."""

LABELS: Mapping[str, Layer] = {
    "nwell": Layer(64, 5), "pwell": Layer(64, 59), "diff": Layer(65, 6), "tap": Layer(65, 5), "poly": Layer(66, 5),
    "li1": Layer(67, 5), "met1": Layer(68, 5), "met2": Layer(69, 5), "met3": Layer(70, 5), "met4": Layer(71, 5),
    "met5": Layer(72, 5),
}  # fmt: skip
"""Where a text names the net of the shape under it [L]."""

PINS: Mapping[str, Layer] = {
    "nwell": Layer(64, 16), "pwell": Layer(122, 16), "diff": Layer(65, 16), "poly": Layer(66, 16), "li1": Layer(67, 16),
    "met1": Layer(68, 16), "met2": Layer(69, 16), "met3": Layer(70, 16), "met4": Layer(71, 16), "met5": Layer(72, 16),
}  # fmt: skip
"""Shapes where a cell is to be connected from outside [L]."""

WIRES = ("poly", "li1", "met1", "met2", "met3", "met4", "met5")
"""Conducting layers above the diffusions, from below."""

CUTS: Mapping[str, tuple[str, str]] = {
    "mcon": ("li1", "met1"),
    "via": ("met1", "met2"),
    "via2": ("met2", "met3"),
    "via3": ("met3", "met4"),
    "via4": ("met4", "met5"),
}
"""What joins two wires, from below; licon1 joins li1 to poly, diff and tap; via4 over cap2m joins met5 to a capacitor's plate."""

HEIGHT_UM: Mapping[str, tuple[float, float]] = {
    "poly": (0.326, 0.18), "li1": (0.936, 0.10), "met1": (1.376, 0.36), "met2": (2.006, 0.36), "met3": (2.786, 0.845),
    "met4": (4.021, 0.845), "met5": (5.371, 1.26),
}  # fmt: skip
"""Height of the lower face above the field, and thickness [T]."""

SHEET_OHM: Mapping[str, float] = {
    "poly": 48.2, "li1": 12.8, "met1": 0.125, "met2": 0.125, "met3": 0.047, "met4": 0.047, "met5": 0.029, "ndiff": 120.0,
    "pdiff": 197.0, "nwell": 950.0,
}  # fmt: skip
"""Ohm per square, nominal [T]; [X] prints 1700 for the nwell."""

SHEET_CORNERS_OHM: Mapping[str, tuple[float, float]] = {
    "li1": (10.5, 17.0), "met1": (0.105, 0.145), "met2": (0.105, 0.145), "met3": (0.038, 0.056), "met4": (0.038, 0.056),
    "met5": (0.021, 0.036),
}  # fmt: skip
"""Lowest and highest ohm per square [T]."""

CUT_OHM: Mapping[str, float] = {
    "licon_ndiff": 185.0, "licon_pdiff": 585.0, "licon_poly": 152.0, "mcon": 9.3, "via": 4.5, "via2": 3.41, "via3": 3.41,
    "via4": 0.38,
}  # fmt: skip
"""Ohm per cut, nominal [T]; [X] prints 15 for licon and 152 for mcon, which are licon's on poly and mcon's exchanged."""
