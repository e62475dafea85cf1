"""The version, and where this code lies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parent.parent
"""Folder that holds the rooms: the checkout, or site-packages."""

ROOMS = ("netlists", "sky130_models", "gf180_models", "training", "layouts", "reports")
"""The packages that are installed beside this one."""


def collision() -> str:
    """A line that names what Python finds in the place of one of our packages, such as a user's training.py; else empty."""
    found = ((room, _foreign(room)) for room in ROOMS)
    lines = (f"{place}: hides cosim's package {room!r}; give it another name" for room, place in found if place)
    return next(lines, "")


def check_collisions() -> None:
    """Raises `ImportError` with that line."""
    if found := collision():
        raise ImportError(found)


def _foreign(room: str) -> str:
    """The file or folder that stands for a room and is not beside this package; empty where the room is ours, or nowhere."""
    loaded = sys.modules.get(room)
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(room)
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else []
    found = next((place for place in places if place), "")
    return "" if not found or Path(found).resolve().is_relative_to(ROOT / room) else found
