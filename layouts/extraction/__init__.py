"""Capacitances and resistances of what is drawn: per net and per pair of nets, flat, from rectangles.

`extract` gives them for a cell; `capacitances.csv` has the numbers of the process, `model` says how they are used.
"""

from layouts.extraction.capacitances import Capacitances
from layouts.extraction.conductors import Conductors, conductors
from layouts.extraction.extract import extract, extract_conductors
from layouts.extraction.model import Corner

__all__ = ["Capacitances", "Conductors", "Corner", "conductors", "extract", "extract_conductors"]
