"""Corners by the names that open PDKs give them: of the transistors, then of resistors and capacitors (`ss_hh`)."""

from __future__ import annotations

FETS = {
    "tt": "typical transistors",
    "ff": "fast NMOS, fast PMOS",
    "ss": "slow NMOS, slow PMOS",
    "sf": "slow NMOS, fast PMOS",
    "fs": "fast NMOS, slow PMOS",
}
_PASSIVES = {"": "", "hh": ", high R, high C", "hl": ", high R, low C", "lh": ", low R, high C", "ll": ", low R, low C"}


def devices(corner: str) -> tuple[str, str]:
    """Of the transistors (tt, ff, ss, sf, fs) and of resistors and capacitors (empty is nominal, hh is high R and high C)."""
    fets, _, passives = corner.partition("_")
    return (fets, passives) if fets in FETS else ("tt", fets)


def what(corner: str) -> str:
    """The corner in words."""
    fets, passives = devices(corner)
    return f"{FETS[fets]}{_PASSIVES[passives]}"
