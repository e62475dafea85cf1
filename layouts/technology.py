"""Numbers of SKY130 that a layout needs: GDS layers, capacitances and resistances of its wires.

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

SUBSTRATE, DIFFUSION = "substrate", "diff"
"""What lies under every wire: the field (or a well), and diffusions with their taps."""

PLATE_AF_PER_UM2: Mapping[str, Mapping[str, float]] = {
    "poly": {"substrate": 106.13},
    "li1": {"substrate": 36.99, "diff": 55.3, "poly": 94.16},
    "met1": {"substrate": 25.78, "diff": 33.6, "poly": 44.81, "li1": 114.2},
    "met2": {"substrate": 17.5, "diff": 20.8, "poly": 24.5, "li1": 37.56, "met1": 133.86},
    "met3": {"substrate": 12.37, "diff": 14.2, "poly": 16.06, "li1": 20.79, "met1": 34.54, "met2": 86.19},
    "met4": {"substrate": 8.42, "diff": 9.41, "poly": 10.01, "li1": 11.67, "met1": 15.03, "met2": 20.33, "met3": 84.03},
    "met5": {
        "substrate": 6.32, "diff": 6.88, "poly": 7.21, "li1": 8.03, "met1": 9.48, "met2": 11.34, "met3": 19.63, "met4": 68.33,
    },
}  # fmt: skip
"""A wire over what lies under it [X][T]."""

FRINGE_DOWN_AF_PER_UM: Mapping[str, Mapping[str, float]] = {
    "poly": {"substrate": 55.27},
    "li1": {"substrate": 40.7, "diff": 44.27, "poly": 51.85},
    "met1": {"substrate": 40.57, "diff": 43.1, "poly": 46.72, "li1": 59.5},
    "met2": {"substrate": 37.76, "diff": 39.54, "poly": 41.22, "li1": 46.28, "met1": 67.05},
    "met3": {"substrate": 40.99, "diff": 42.25, "poly": 43.53, "li1": 46.71, "met1": 54.81, "met2": 69.85},
    "met4": {"substrate": 36.68, "diff": 37.57, "poly": 38.11, "li1": 39.71, "met1": 42.56, "met2": 46.38, "met3": 70.52},
    "met5": {
        "substrate": 38.85, "diff": 39.52, "poly": 39.91, "li1": 41.15, "met1": 43.19, "met2": 45.59, "met3": 54.15,
        "met4": 82.82,
    },
}  # fmt: skip
"""An edge of a wire onto what lies under it [X][T]."""

FRINGE_UP_AF_PER_UM: Mapping[str, Mapping[str, float]] = {
    "poly": {"li1": 25.14, "met1": 16.69, "met2": 11.17, "met3": 9.18, "met4": 6.35, "met5": 6.49},
    "li1": {"met1": 34.7, "met2": 21.74, "met3": 15.08, "met4": 10.14, "met5": 7.64},
    "met1": {"met2": 48.19, "met3": 26.68, "met4": 16.42, "met5": 12.02},
    "met2": {"met3": 44.43, "met4": 22.33, "met5": 15.69},
    "met3": {"met4": 42.64, "met5": 27.84},
    "met4": {"met5": 46.98},
}
"""An edge of a wire onto the lower face of a wire above it [X][T]."""

SIDEWALL_AF_AND_UM: Mapping[str, tuple[float, float]] = {
    "poly": (16.0, 0.0), "li1": (25.5, 0.14), "met1": (44.0, 0.25), "met2": (50.0, 0.3), "met3": (74.0, 0.4),
    "met4": (94.0, 0.57), "met5": (155.0, 0.5),
}  # fmt: skip
"""c and offset of two edges of a layer that face each other: c L / (s + offset) [T], the whole c for a pair of edges."""

FIELD_CORNERS: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "met1": {"area": (20.2, 25.78, 35.7), "perimeter": (34.41, 40.57, 49.59)},
    "met2": {"area": (14.0, 17.5, 23.5), "perimeter": (32.60, 37.76, 46.03)},
    "met3": {"area": (10.2, 12.37, 16.3), "perimeter": (36.05, 40.99, 47.38)},
    "met4": {"area": (7.28, 8.42, 10.7), "perimeter": (32.39, 36.68, 42.40)},
    "met5": {"area": (5.56, 6.32, 7.76), "perimeter": (34.65, 38.85, 44.91)},
}
"""Capacitance to the field at the interconnect corners low, nominal, high [T]: aF/um^2 and aF/um."""

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
