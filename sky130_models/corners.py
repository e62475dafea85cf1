"""Process corners and model sets of SKY130."""

from __future__ import annotations

from enum import StrEnum

from netlists import corners


class Corner(StrEnum):
    """FET corners, resistor/capacitor corners at typical FETs, and both at once, as the PDK names them."""

    TT = "tt"
    FF = "ff"
    SS = "ss"
    SF = "sf"
    FS = "fs"
    HH = "hh"
    HL = "hl"
    LH = "lh"
    LL = "ll"
    FF_HH = "ff_hh"
    FF_LL = "ff_ll"
    SS_HH = "ss_hh"
    SS_LL = "ss_ll"
    SF_HH = "sf_hh"
    SF_LL = "sf_ll"
    FS_HH = "fs_hh"
    FS_LL = "fs_ll"

    @property
    def devices(self) -> tuple[str, str]:
        """Of the transistors (tt, ff, ss, sf, fs) and of resistors and capacitors (empty is nominal, hh is high R and high C)."""
        return corners.devices(self)

    @property
    def what(self) -> str:
        """The corner in words."""
        return corners.what(self)


ALL_CORNERS = tuple(
    Corner(name) for name in (*corners.FETS, "hh", "ll", *(f"{f}_{rc}" for f in ("ff", "ss", "sf", "fs") for rc in ("hh", "ll")))
)
"""Five FET corners, each with nominal, high and low resistors and capacitors."""


class ModelSet(StrEnum):
    """Continuous models (what open_pdks installs) or the micro-binned ones of the foundry deck."""

    CONTINUOUS = "continuous"
    BINNED = "binned"
