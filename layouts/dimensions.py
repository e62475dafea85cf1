"""Whether the dimensions of a design can be drawn: asked before anything is."""

from __future__ import annotations

from collections.abc import Iterator

from layouts.errors import LayoutError
from layouts.technology import GRID_UM
from netlists.section import FetSize, Section

CHANNEL_UM = {"width_um": (0.42, "difftap.2"), "length_um": (0.15, "poly.1a")}
"""Smallest sizes of a transistor, and the rules that say so."""
PLATE_UM = (1.2, "cap2m.4")
"""Smallest side of a capacitor: 0.2 um around a via4 of 0.8 um."""


def check_dimensions(place: str, section: Section) -> None:
    """Raises `LayoutError` for a size in the section `place` of a design that is off the grid or below a rule: rule and field."""
    for field, um, (least, rule) in _sizes(section):
        nearest = round(round(um / GRID_UM) * GRID_UM, 3)
        if abs(um - nearest) > 1e-6:
            raise LayoutError(
                f"{place}.{field}: {um:g} um is off the grid of {GRID_UM:g} um (rule x.1a); {nearest:g} would be on it"
            )
        if um < least - 1e-6:
            raise LayoutError(f"{place}.{field}: {um:g} um is below what rule {rule} allows; at least {least:g}")


def _sizes(section: Section) -> Iterator[tuple[str, float, tuple[float, str]]]:
    """Field, size in um, and the least that it may be."""
    for name, value in section:
        if isinstance(value, FetSize):
            for side, least in CHANNEL_UM.items():
                yield f"{name}.{side}", getattr(value, side), least
        elif name.endswith("capacitor_um"):
            for k, um in enumerate(value):
                yield f"{name}[{k}]", um, PLATE_UM
