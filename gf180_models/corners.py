"""Process corners of GF180MCU."""

from __future__ import annotations

from enum import StrEnum


class Corner(StrEnum):
    """FET corners, resistor/capacitor corners at typical FETs, and both at once: the sections of `gf180.lib.spice`."""

    TT = "tt"
    FF = "ff"
    SS = "ss"
    SF = "sf"
    FS = "fs"
    HH = "hh"
    LL = "ll"
    FF_HH = "ff_hh"
    FF_LL = "ff_ll"
    SS_HH = "ss_hh"
    SS_LL = "ss_ll"
    SF_HH = "sf_hh"
    SF_LL = "sf_ll"
    FS_HH = "fs_hh"
    FS_LL = "fs_ll"
