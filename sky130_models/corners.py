"""Process corners and model sets of SKY130."""

from __future__ import annotations

from enum import StrEnum


class Corner(StrEnum):
    """FET corners, and the resistor/capacitor corners at typical FETs, as the PDK names them."""

    TT = "tt"
    FF = "ff"
    SS = "ss"
    SF = "sf"
    FS = "fs"
    HH = "hh"
    HL = "hl"
    LH = "lh"
    LL = "ll"


class ModelSet(StrEnum):
    """Continuous models (what open_pdks installs) or the micro-binned ones of the foundry deck."""

    CONTINUOUS = "continuous"
    BINNED = "binned"
