"""magic's design rules, devices and capacitances of a cell.

magic reports no error for a file that is not there, a cell of another name, or rules chosen before reading; so every script
here tells what it has read, and a script that does not come to its end is an error. Its list of violations is that of a box,
which here is larger than the cell: a wire that is too narrow is marked beside it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import klayout.db as kdb
import numpy as np

from layouts.errors import LayoutError
from layouts.extraction.capacitances import Capacitances
from layouts.gold.flat import Place, flat_gds, plain_name
from layouts.gold.tools import GoldTools, run

_READ = """
crashbackups stop
scalegrid 1 2
drc off
drc euclidean on
gds read flat.gds
if {{[lsearch [cellname list allcells] {cell}] < 0}} {{ puts "no cell {cell}"; quit -noprompt }}
load {cell}
select top cell
"""
_RULES = (
    _READ
    + """
box grow center 10um
drc style drc(full)
drc on
drc check
drc catchup
foreach {{why places}} [drc listall why] {{ foreach place $places {{ puts "VIOLATION $place $why" }} }}
puts "VIOLATIONS [drc list count total]"
puts "{end}"
quit -noprompt
"""
)
_EXTRACT = (
    _READ
    + """
extract style ngspice()
extract path .
extract all
puts "{end}"
quit -noprompt
"""
)
_DEVICES = (
    _READ
    + """
extract style ngspice()
extract path .
extract no capacitance
extract no coupling
extract all
ext2spice scale off
ext2spice format ngspice
ext2spice subcircuit top on
ext2spice merge conservative
ext2spice -p . -o {cell}.spice {cell}
puts "{end}"
quit -noprompt
"""
)
_AF = 1e-18
_END = "read to the end"


@dataclass(frozen=True)
class RuleViolation:
    """What a rule says, and where it does not hold: magic's own words, and a box in um."""

    rule: str
    box_um: tuple[float, float, float, float]

    def line(self) -> str:
        """In one line."""
        x1, y1, x2, y2 = self.box_um
        return f"{self.rule} at {(x1 + x2) / 2:.3f}, {(y1 + y2) / 2:.3f}"


def violations(tools: GoldTools, cell: kdb.Cell) -> list[RuleViolation]:
    """Where magic's full rules do not hold in a cell."""
    with TemporaryDirectory() as folder:
        said = _run(tools, _RULES, cell, Path(folder))
    found = []
    for line in re.findall(r"^VIOLATION (.*)$", said, re.MULTILINE):
        *corners, rule = line.split(maxsplit=4)
        x1, y1, x2, y2 = (round(float(corner) * _UM_PER_UNIT, 6) for corner in corners)
        found.append(RuleViolation(rule.strip("{} "), (x1, y1, x2, y2)))
    if (count := re.search(r"^VIOLATIONS (\d+)$", said, re.MULTILINE)) is None or (int(count[1]) and not found):
        raise LayoutError(f"{cell.name}: magic {tools.magic_version} counts violations and names none; look at it in magic")
    return found


_UM_PER_UNIT = 0.005
"""A unit of magic's internal grid after `scalegrid 1 2`."""


def devices(tools: GoldTools, cell: kdb.Cell) -> str:
    """The netlist that magic finds in a cell, as SPICE text."""
    with TemporaryDirectory() as folder:
        _run(tools, _DEVICES, cell, Path(folder))
        return (Path(folder) / f"{plain_name(cell)}.spice").read_text(encoding="utf-8")


def capacitances(tools: GoldTools, cell: kdb.Cell, labels: Mapping[str, Place] | None = None) -> Capacitances:
    """The capacitances that magic extracts of a cell, flat; nets without a label have magic's names.

    Args:
        labels: more names for nets: layer and place (um) of each.
    """
    with TemporaryDirectory() as folder:
        _run(tools, _EXTRACT, cell, Path(folder), labels or {})
        return read_ext((Path(folder) / f"{plain_name(cell)}.ext").read_text(encoding="utf-8"))


def read_ext(text: str) -> Capacitances:
    """Capacitances of one of magic's .ext files of a flat cell (ext(5)): aF in units of the file's `scale`."""
    factor, substrate = 1.0, "substrate"
    sums: dict[tuple[str, str], float] = defaultdict(float)
    grounded: dict[str, float] = {}
    for line in text.splitlines():
        words = line.replace('"', "").split()
        match words[:1]:
            case ["scale"]:
                factor = float(words[2])
            case ["substrate"]:
                substrate = words[1]
            case ["node"]:
                grounded[words[1]] = float(words[3])
            case ["subcap"]:
                grounded[words[1]] = grounded.get(words[1], 0.0) + float(words[2])
            case ["cap"]:
                sums[words[1], words[2]] += float(words[3])
    names = [substrate, *(name for name in grounded if name != substrate)]
    place = {name: k for k, name in enumerate(names)}
    for name, value in grounded.items():
        if name != substrate and value:
            sums[substrate, name] += value
    pairs = [(*sorted((place[a], place[b])), value) for (a, b), value in sums.items()]
    table = np.array(pairs, dtype=float).reshape(-1, 3)
    return Capacitances(tuple(names), table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2] * factor * _AF)


def _run(tools: GoldTools, script: str, cell: kdb.Cell, folder: Path, labels: Mapping[str, Place] | None = None) -> str:
    """What magic says while it runs a script on a flat copy of the cell, in a folder."""
    flat_gds(cell, folder, labels or {})
    (folder / "script.tcl").write_text(script.format(cell=plain_name(cell), end=_END), encoding="utf-8")
    command = [str(tools.magic), "-dnull", "-noconsole", "-rcfile", "/dev/null", "-T", str(tools.magic_tech), "script.tcl"]
    said = run(command, folder)
    if _END not in said:
        reason = [line for line in said.splitlines() if line.strip()][-1:] or ["it said nothing"]
        raise LayoutError(f"{cell.name}: magic {tools.magic_version} gave up: {reason[0][:200]}; look at the layout")
    return said
