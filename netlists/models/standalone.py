"""A library of a few devices as a file of its own, which any ngspice or xschem takes in the place of the whole one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from netlists.errors import GeometryError, LibraryError
from netlists.models.library import read_netlist
from netlists.models.pdk import ModelNames, Pdk
from netlists.models.pruning import pruned_section
from netlists.models.uses import DeviceUse, uses_of
from netlists.process import Process
from netlists.spice_text import spice_number


def named_device(text: str, names: ModelNames) -> DeviceUse:
    """A device as people name it: `NAME:1/0.15` is 1 um wide and 0.15 um long (of a finger), `NAME` has any size.

    What the names of the process begin with may be left out. Raises `GeometryError` where it is not written so.
    """
    name, colon, size = text.strip().lower().partition(":")
    full = name if name.startswith(names.prefix) else f"{names.prefix}{name}"
    if name and not colon:
        return DeviceUse(full, any_size=True)
    try:
        width_um, length_um = (spice_number(one) for one in size.split("/"))
    except ValueError:
        raise GeometryError(f"{text!r} is no device; NAME:W/L in um is one, such as NAME:1/0.15, or NAME alone") from None
    return DeviceUse(full, width_um, length_um)


def netlist_devices(netlist: Path, libraries: Iterable[Path], process: Process) -> set[DeviceUse]:
    """The devices that a netlist and what it includes call from models; sizes that are expressions may be any.

    The process's own files are known to be models, and the `libraries`: one may be the file that is to be made.
    Raises `LibraryError` where a file cannot be read or calls no device.
    """

    models = process.libraries | {library.name for library in libraries}

    def is_model(file: str) -> bool:
        name = file.replace("\\", "/").rpartition("/")[2]
        files = process.model_files
        return name in models or bool(files and files.search(file))

    uses = uses_of(read_netlist(netlist, is_model), process.names, of_any_size=True)
    if not uses:
        raise LibraryError(f"{netlist}: calls no device of a model library; give the netlist of a circuit with transistors")
    return uses


def library_text(
    pdk: Pdk, sections: Sequence[str], uses: Iterable[DeviceUse], setup: Sequence[str], maker: str, mismatch: bool
) -> str:
    """Sections of a library with what `uses` need and nothing else, under the names that they have there.

    Args:
        setup: what ngspice is told before it loads these models.
        maker: who makes it; stands at its head beside the source, the devices and digests.
        mismatch: whether each device draws its own deviation.

    Raises `LibraryError` and `GeometryError`.
    """
    wanted = sorted(set(uses), key=str)
    bodies, files = [], set[Path]()
    for section in sections:
        text, read = pruned_section(pdk, section, wanted, mismatch)
        bodies.append(f".lib {section}\n{text}.endl {section}\n")
        files.update(read)
    content = "\n".join(bodies)
    source = _digest(*(file.read_bytes() for file in sorted(files)))
    facts = {
        "": f"Made by {maker}: only what the devices below need; currents are those of the whole library",
        "library": f"{pdk.source}, {pdk.library.name}, {len(files)} files, SHA-256 {source}",
        "licence": pdk.licence,
        "sections": ", ".join(sections),
        "devices": ", ".join(_described(use) for use in wanted),
        "mismatch": "each device draws its own, by the seed of the deck (.option seed=1)" if mismatch else "none",
        "ngspice": f"told before it reads the deck (.spiceinit): {'; '.join(setup)}" if setup else "",
        "call": f".lib THIS_FILE {sections[0]}",
        "content": f"SHA-256 {_digest(content.encode())}",
    }
    head = [f"* {name}: {fact}" if name else f"* {fact}" for name, fact in facts.items() if fact]
    return "\n".join([*head, "", content])


def _described(use: DeviceUse) -> str:
    if use.any_size:
        return f"{use.subckt} of any size"
    fingers = f" in {use.fingers:g} fingers" if use.fingers != 1 else ""
    return (
        use.subckt
        if use.width_um is None or use.length_um is None
        else f"{use.subckt} {use.width_um:g}/{use.length_um:g}{fingers}"
    )


def _digest(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()
