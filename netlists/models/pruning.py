"""One-corner libraries that hold only what a circuit uses.

Loading a whole corner takes ngspice seconds and hundreds of megabytes, and each instance of a transistor drags all its
bins along. What a deck uses is a few kilobytes: the sub-circuits it calls, the models, parameters and sub-circuits these name in
turn, and of each binned model the bins that its sizes fall into. Results are the same to the last bit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import dist, isclose, log
from pathlib import Path

from netlists.errors import GeometryError, LibraryError
from netlists.models import cache
from netlists.models.pdk import ModelNames, Pdk
from netlists.models.uses import DeviceUse, device_uses
from netlists.names import unfit_name
from netlists.spice_text import DRAWING, Definition, Statement, assignments, definitions, model_name, spice_number, without_spread

__all__ = ["DeviceUse", "PrunedLibrary", "device_uses", "prune"]

_VERSION = 7  # of the pruner: part of the cache key, to be raised when the text it makes changes
_RANDOM = frozenset(DRAWING)
_BIN_LIMITS = ("wmin", "wmax", "lmin", "lmax")
_LIBRARY_CARDS = frozenset({".param", ".model", ".subckt", ".ends", ".func", ".if", ".elseif", ".else", ".endif"})
_OPTIONS = frozenset({".option", ".options", ".opt"})
_SIZES = frozenset({"scale", "parser"})
"""Options that say what sizes are counted in, which is the library's to say."""
_RUNS_OR_READS = re.compile(r"\bfile\s*=|`", re.IGNORECASE)


@dataclass(frozen=True)
class PrunedLibrary:
    """Model text to stand in a deck in place of a `.lib` line; `digest` is its SHA-256."""

    text: str
    digest: str
    model_set: str
    corner: str


def prune(pdk: Pdk, corner: str, uses: Iterable[DeviceUse], mismatch: bool = False, process: bool = False) -> PrunedLibrary:
    """The part of `corner` that `uses` need, from the disk cache where it is there.

    With `mismatch` each device draws its own deviation; with `process` the parameters of the die are drawn around the corner.
    Give the deck a seed. The statistics are those of the foundry's deck, not of silicon.
    Raises `LibraryError` for a device the library does not hold and `GeometryError` for a size that no model bin covers.
    """
    wanted = sorted({_as_binned(use, pdk.names) for use in uses}, key=str)
    switches = {pdk.names.mismatch: mismatch, pdk.names.process: process}
    section = pdk.section(corner, process)
    request = f"{_VERSION} {pdk.source} {corner} {switches} {wanted}"
    place = f"{pdk.root} {section}"  # one library may take in the files of several installations
    text = cache.text(pdk.library, place, request, lambda: _pruned_text(pdk, section, wanted, switches))
    return PrunedLibrary(text, sha256(text.encode()).hexdigest(), pdk.model_set, corner)


def pruned_section(pdk: Pdk, section: str, uses: Iterable[DeviceUse], mismatch: bool = False) -> tuple[str, list[Path]]:
    """The part of a section that `uses` need, made anew, and the files that it comes from. Raises as `prune` does."""
    wanted = sorted({_as_binned(use, pdk.names) for use in uses}, key=str)
    return _pruned_text(pdk, section, wanted, {pdk.names.mismatch: mismatch, pdk.names.process: False})


def without_process(library: str, names: ModelNames) -> str:
    """The text of a pruned library with the parameters of the die at their nominal values: only mismatch is drawn.

    The same devices draw the same mismatch for a seed as they do with it, so the difference is what the die does.
    """
    return re.sub(rf"^(\.param {names.process} = )1$", r"\g<1>0", library, flags=re.MULTILINE)


def _as_binned(use: DeviceUse, names: ModelNames) -> DeviceUse:
    """The size of a device that is not binned does not change what it needs."""
    return use if names.are_binned(use.subckt) else DeviceUse(use.subckt)


def _pruned_text(pdk: Pdk, section: str, uses: Sequence[DeviceUse], switches: Mapping[str, bool]) -> tuple[str, list[Path]]:
    source, files = pdk.read(section)
    kept = _in_use(definitions(source), uses, pdk.names, every_draw=not switches[pdk.names.process])
    if pdk.own:
        _check_own(pdk, kept, any(switches.values()))
    if pdk.own and not any(switches.values()):
        # Its switches may have names that the process does not know, and ngspice draws without a seed too.
        kept = [_undrawn(item) for item in kept]
    lines = [line for item in kept for statement in _switched(item, switches).statements for line in statement.lines]
    return _header(pdk, section) + "\n".join(lines) + "\n", files


def _header(pdk: Pdk, section: str) -> str:
    if pdk.own:
        return f"* section {section} of {pdk.source}: the part in use\n"
    licence = f"* {pdk.licence}\n" if pdk.licence else ""
    return f"* {pdk.heading}, corner {section}, from {pdk.source}: the part in use\n{licence}"


def _check_own(pdk: Pdk, kept: Sequence[Definition], draws: bool) -> None:
    """A library that a user names is code: it holds models, and says nothing of the circuit around them, nor how it is solved."""
    for item in kept:
        for statement in item.statements:
            if why := _objection(statement, item):
                raise LibraryError(f"{pdk.source}: {why}: {statement.text[:60]!r}")
    if draws and not any(item.names & _RANDOM for item in kept):
        raise LibraryError(f"{pdk.source}: a seed changes nothing: the devices in use draw no random number; run without seeds")


def _objection(statement: Statement, item: Definition) -> str:
    """Why a statement is not allowed in a model library of a user; empty where it is."""
    keyword = statement.words[0]
    if keyword in _OPTIONS and not item.is_subcircuit:
        names = [word.partition("=")[0] for word in re.sub(r"\s*=\s*", "=", statement.text.lower()).split()[1:]]
        others = [name for name in names if name not in _SIZES]
        return f"option {others[0]} is not a model library's to set; how decks are solved is said in [accuracy]" if others else ""
    if keyword[0] == "a" or (keyword[0] == "." and keyword not in _LIBRARY_CARDS) or _RUNS_OR_READS.search(statement.text):
        return f"{keyword} is not allowed in a model library"
    if keyword[0] != "." and not item.is_subcircuit:
        return f"{keyword} stands outside any sub-circuit; a model library holds no circuit"
    if (name := unfit_name(statement.text)) is not None:
        return f"{name!r} is not a name; letters, digits and . _ : # / $ [ ] may stand in one"
    return ""


def _undrawn(item: Definition) -> Definition:
    """The same with every random number at its nominal value, the first argument of what draws it."""
    if not item.names & _RANDOM:
        return item
    return Definition(item.name, tuple(Statement((without_spread(statement.text),)) for statement in item.statements))


def _switched(item: Definition, switches: Mapping[str, bool]) -> Definition:
    if item.name not in switches:
        return item
    return Definition(item.name, (Statement((f".param {item.name} = {int(switches[item.name])}",)),))


def _in_use(library: Sequence[Definition], uses: Sequence[DeviceUse], names: ModelNames, every_draw: bool) -> list[Definition]:
    """The dependency closure of `uses`, in the library's order, with the bins in use only. Options stay.

    With `every_draw` so does every parameter that draws a random number: to ngspice, leaving one out would shift the draws of all
    others. So does every parameter that names such a one, for ngspice makes it a function that draws again at each use. Process
    parameters are not drawn by ngspice but by name (docs/simulation.md), and those of no device in use stay out: they are
    megabytes in the binned set.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(library):
        by_name[item.name].append(index)
    used = {use.subckt for use in uses}
    for name in sorted(used - by_name.keys()):
        raise LibraryError(f"{name}: not a device of this model library, and the netlist does not define it")
    nested = _nested(library, by_name, used)
    idle = _idle_bins(library, [use for use in uses if use.subckt not in nested], used | nested, names)
    random = _RANDOM | {item.name for item in library if item.is_parameter and item.names & _RANDOM}
    pending = [
        index for index, item in enumerate(library) if not item.name or (every_draw and item.is_parameter and item.names & random)
    ]
    pending += [index for name in sorted(used | {names.mismatch, names.process}) for index in by_name[name]]
    kept: dict[int, Definition] = {}
    while pending:
        index = pending.pop()
        if index in kept or index in idle:
            continue
        item = library[index]
        kept[index] = _with_bins(item, names, [use for use in uses if use.subckt == item.name and use.subckt not in nested])
        pending += [other for name in kept[index].names if name in by_name for other in by_name[name]]
    return [kept[index] for index in sorted(kept)]


def _nested(library: Sequence[Definition], by_name: Mapping[str, list[int]], used: set[str]) -> set[str]:
    """What the sub-circuits in use name in turn, at any depth."""
    found: set[str] = set()
    pending = set(used)
    while pending:
        name = pending.pop()
        bodies = [library[index] for index in by_name.get(name, ()) if library[index].is_subcircuit]
        inner = {other for body in bodies for other in body.names} - {name}
        pending |= inner - found - used
        found |= inner
    return found


def _idle_bins(library: Sequence[Definition], uses: Sequence[DeviceUse], reached: set[str], names: ModelNames) -> set[int]:
    """The models outside sub-circuits that are bins which no size in use falls into.

    Every bin of a model counts as in use where something has it whose sizes are not known.
    """
    bins: dict[str, dict[int, _Bin]] = defaultdict(dict)
    for index, item in enumerate(library):
        if item.statements[0].words[0] == ".model" and (found := _bin(item.statements[0])) is not None:
            bins[item.name][index] = found
    if not bins:
        return set()
    called = {use.subckt for use in uses}
    sized = {name for name in called if names.are_binned(name)}
    bodies = [item for item in library if item.is_subcircuit and item.name in reached]
    idle: set[int] = set()
    for model, group in bins.items():
        owners = {body.name for body in bodies if model in body.names} | (called & {model})
        if owners and owners <= sized:
            covering = [_covering(use, list(group.values())) for use in uses if use.subckt in owners]
            chosen = {id(one.model) for found in covering for one in found}
            idle |= {index for index, one in group.items() if id(one.model) not in chosen}
    return idle


def _with_bins(item: Definition, names: ModelNames, uses: Sequence[DeviceUse]) -> Definition:
    """`item` with only the model bins that `uses` fall into; with all of them where the sizes are not known: a nested call, and a
    device that is not the process's, whose unit of length is not known."""
    bins: dict[str, list[_Bin]] = defaultdict(list)
    for statement in item.statements[1:]:
        if statement.words[0] == ".model" and (found := _bin(statement)) is not None:
            bins[model_name(statement)].append(found)
    if not uses or not bins or not names.are_sized(item.name):
        return item
    chosen = {id(found.model) for use in uses for group in bins.values() for found in _covering(use, group)}
    binned = {id(found.model) for group in bins.values() for found in group}
    return Definition(item.name, tuple(one for one in item.statements if id(one) in chosen or id(one) not in binned))


@dataclass(frozen=True)
class _Bin:
    """A `.model` statement and the sizes it holds for, in um."""

    model: Statement
    width_um: tuple[float, float]
    length_um: tuple[float, float]

    def begins(self, width_um: float, length_um: float) -> bool:
        """Whether a size in or on the edge of this bin is below its upper edges."""
        return width_um < self.width_um[1] * (1 - 1e-9) and length_um < self.length_um[1] * (1 - 1e-9)

    def nearest(self, width_um: float, length_um: float) -> tuple[float, float]:
        """The size in this bin next to the given one."""
        return min(max(width_um, self.width_um[0]), self.width_um[1]), min(max(length_um, self.length_um[0]), self.length_um[1])


def _bin(model: Statement) -> _Bin | None:
    limits = dict(assignments(model.text))
    if not all(key in limits for key in _BIN_LIMITS):
        return None
    wmin, wmax, lmin, lmax = (spice_number(limits[key]) * 1e6 for key in _BIN_LIMITS)
    return _Bin(model, (wmin, wmax), (lmin, lmax))


def _covering(use: DeviceUse, bins: Sequence[_Bin]) -> list[_Bin]:
    """The bin that holds a size. On a common edge it is the one that begins there (min <= size < max, as ngspice chooses);
    at the end of the outermost bins all that touch stay."""
    if use.any_size:
        return list(bins)
    if use.width_um is None or use.length_um is None:
        raise GeometryError(f"{use.subckt}: give its w and l in um")
    size = use.width_um / use.fingers, use.length_um
    found = [one for one in bins if all(isclose(a, b, rel_tol=1e-9) for a, b in zip(one.nearest(*size), size, strict=True))]
    if not found:
        width, length = min((one.nearest(*size) for one in bins), key=lambda near: dist(_log_size(near), _log_size(size)))
        wrong, right = f"W = {size[0]:g} um, L = {size[1]:g} um", f"W = {width:g} um, L = {length:g} um"
        raise GeometryError(f"{use.subckt}: no model for {wrong}; the nearest size that has one is {right}", size)
    return [one for one in found if one.begins(*size)] or found


def _log_size(size: tuple[float, float]) -> tuple[float, float]:
    return log(max(size[0], 1e-6)), log(max(size[1], 1e-6))
