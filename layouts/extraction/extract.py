"""From a drawn cell to the capacitances of its wires."""

from __future__ import annotations

import klayout.db as kdb
import numpy as np

from layouts.extraction.capacitances import Capacitances
from layouts.extraction.conductors import Conductors, conductors
from layouts.extraction.model import HALO_UM, Corner, tables
from layouts.extraction.sweep import pairs

_FARADS_PER_AF = 1e-18


def extract(cell: kdb.Cell, corner: Corner = Corner.NOMINAL) -> Capacitances:
    """The capacitances of a cell with all that it holds, taken flat.

    Raises `LayoutError` where a shape is no rectangle or rectangles cannot make it up.
    """
    return extract_conductors(conductors(cell), corner)


def extract_conductors(drawn: Conductors, corner: Corner = Corner.NOMINAL, halo_um: float = HALO_UM) -> Capacitances:
    """The same of rectangles whose nets are known."""
    first, second, attofarads = pairs(drawn.rectangles, drawn.kind, drawn.net, tables(corner, halo_um))
    kept = attofarads != 0
    return Capacitances(drawn.names, first[kept], second[kept], np.asarray(attofarads[kept]) * _FARADS_PER_AF)
