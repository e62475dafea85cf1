"""A model library, and what has to be known of a process to read it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netlists.errors import LibraryError, PdkNotFound
from netlists.models.library import read_section
from netlists.spice_text import Statement


@dataclass(frozen=True)
class ModelNames:
    """How the models of a process are named.

    Args:
        devices: matches the names of its devices, which are called with their sizes (`w`, `l`, `nf`).
        mismatch: the parameter that lets each device draw its own deviation.
        process: the parameter that lets the die draw its parameters.
        binned: matches those of its devices whose models are chosen by size; None where none are.
        um: the number that a call gives for a length of 1 um.
        transistors: matches those of its devices whose second node is an insulated gate; None where none are known.
        capacitors: matches those of its devices that carry no direct current; None where none are known.
        prefix: what the names of all its devices begin with, and people leave out.
    """

    devices: re.Pattern[str]
    mismatch: str
    process: str
    binned: re.Pattern[str] | None = None
    um: float = 1.0
    transistors: re.Pattern[str] | None = None
    capacitors: re.Pattern[str] | None = None
    prefix: str = ""

    def are_sized(self, subcircuit: str) -> bool:
        """Whether calls of a sub-circuit come with sizes that are known."""
        return self.devices.match(subcircuit) is not None

    def are_binned(self, subcircuit: str) -> bool:
        """Whether the models of a sub-circuit are chosen by size."""
        return self.binned is not None and self.binned.match(subcircuit) is not None


@dataclass(frozen=True)
class Pdk:
    """A model library with one `.lib` section per corner.

    `library` is its file, `root` the folder of the installation, `source` its name for provenance, such as "toy 1.2.0". Where the
    library is not the installation's own, `taken_in` are those of the installation's files that it takes in.
    `sections` are the sections by corner; without it each has the name of its corner. `drawn_sections` are those that draw a die,
    where it is another. `heading` and `licence` stand at the head of what is taken out of it. `own`: a user named it, and then
    its files lie below the folders `within`.
    """

    library: Path
    model_set: str
    source: str
    root: Path
    names: ModelNames
    sections: Mapping[str, str] = field(default_factory=dict)
    drawn_sections: Mapping[str, str] = field(default_factory=dict)
    heading: str = ""
    licence: str = ""
    own: bool = False
    taken_in: tuple[Path, ...] = ()
    within: tuple[Path, ...] = ()

    def section(self, corner: str, process: bool = False) -> str:
        """The section of a corner; with `process` that which draws its die. Raises `LibraryError` where there is none."""
        if process and corner in self.drawn_sections:
            return self.drawn_sections[corner]
        if not self.sections:
            return str(corner)
        if corner not in self.sections:
            raise LibraryError(f"process.sections: no section for corner {corner}; there is one for {', '.join(self.sections)}")
        return self.sections[corner]

    def files(self, corner: str) -> list[Path]:
        """The files that decide what a corner's devices are; of an installation its libraries stand for all.

        Raises `LibraryError` where a library of the user cannot be read.
        """
        return self.read(self.section(corner))[1] if self.own else [self.library, *self.taken_in]

    def read(self, section: str) -> tuple[list[Statement], list[Path]]:
        """The statements of a section, includes in place, and the files they come from. Raises `LibraryError`."""
        return read_section(self.library, section, self.root, self.within)


def own_pdk(library: Path, sections: Mapping[str, str], names: ModelNames, installed: Sequence[Path] = ()) -> Pdk:
    """The library that a user named, with its sections by corner; it may take in files of the folders `installed`.

    Raises `PdkNotFound` if it is not there.
    """
    if not library.is_file():
        raise PdkNotFound(f"process.library: {library} is not a file; give the path of a .lib file")
    # A library that lies within an installation of open_pdks takes in files of other folders there.
    around = [above.parent for above in library.resolve().parents if above.name == "libs.tech"]
    within = (library.parent, *around, *installed)
    return Pdk(library, "own", library.name, library.parent, names, dict(sections), own=True, within=within)
