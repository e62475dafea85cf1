"""Numbers of a netlist by name: `element` for its value, `element[parameter]` for a parameter of it, top level only."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from cosim.errors import InputError
from netlists.spice_text import NUMBER

_NUMBER = rf"[+-]?{NUMBER}[a-z]*"
# Two nodes, then one number that is the last thing on the line: a source with a waveform has no single value.
_VALUE = re.compile(rf"(?P<name>[virlc]\S*)\s+\S+\s+\S+\s+(?:dc\s+)?(?P<number>{_NUMBER})\s*", re.IGNORECASE)
_PARAMETER = re.compile(rf"\b(?P<parameter>[a-z_]\w*)\s*=\s*(?P<number>{_NUMBER})(?!\S)", re.IGNORECASE)


def replaced(netlist: str, values: Iterable[tuple[str, float]]) -> str:
    """The netlist with other numbers. Raises `InputError` for a name that has none."""
    places = _places(netlist)
    spans = []
    for name, value in values:
        if name.lower() not in places:
            raise InputError(f"{name}: the netlist's top level has no such number; it has {_some(places)}")
        spans.append((*places[name.lower()], value))
    for start, end, value in sorted(spans, reverse=True):
        netlist = f"{netlist[:start]}{value!r}{netlist[end:]}"
    return netlist


def check(netlist: str, names: Iterable[str]) -> None:
    """Raises `InputError` for a name that is not a number of the netlist's top level."""
    replaced(netlist, [(name, 0.0) for name in names])


@functools.lru_cache(maxsize=64)
def _places(netlist: str) -> dict[str, tuple[int, int]]:
    """Start and end of every number that has a name."""
    places: dict[str, tuple[int, int]] = {}
    offset = depth = 0
    for line in netlist.splitlines(keepends=True):
        keyword = line.split(maxsplit=1)[0].lower() if line.strip() else ""
        depth += (keyword == ".subckt") - (keyword == ".ends")
        if keyword[:1].isalpha() and not depth:
            if value := _VALUE.fullmatch(line):
                places[keyword] = offset + value.start("number"), offset + value.end("number")
            for match in _PARAMETER.finditer(line):
                places[f"{keyword}[{match['parameter'].lower()}]"] = offset + match.start("number"), offset + match.end("number")
        offset += len(line)
    return places


def _some(places: Iterable[str], most: int = 8) -> str:
    names = sorted(places)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") if names else "none"
