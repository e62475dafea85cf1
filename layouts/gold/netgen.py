"""netgen's comparison of what magic finds in a layout with the netlist that is simulated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import klayout.db as kdb

from layouts.errors import LayoutError
from layouts.gold.flat import plain_name
from layouts.gold.magic import devices
from layouts.gold.reference import ground_named, pins_of, reference_netlist, unjoined_pins
from layouts.gold.tools import GoldTools, run


@dataclass(frozen=True)
class GoldComparison:
    """Whether netgen calls layout and netlist equal, pin names included, and what it says where it does not."""

    matches: bool
    differences: tuple[str, ...]


def compare(tools: GoldTools, cell: kdb.Cell, netlist: str, subcircuit: str = "") -> GoldComparison:
    """Compare a cell with a sub-circuit of a SPICE text, or with what stands outside of all of them.

    netgen matches pins by what is joined to them, so that two that are exchanged still match; their names are compared here.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        drawn, top = ground_named(devices(tools, cell)), plain_name(cell)
        wanted = reference_netlist(netlist, subcircuit or top, pins_of(drawn, top))
        (folder / "layout.spice").write_text(drawn, encoding="utf-8")
        (folder / "reference.spice").write_text(wanted, encoding="utf-8")
        sides = f'"layout.spice {top}" "reference.spice {subcircuit or top}"'
        script = f"lvs {sides} {{{tools.netgen_setup}}} comp.out -json\nquit\n"
        (folder / "script.tcl").write_text(script, encoding="utf-8")
        said = run([str(tools.netgen), "-batch", "source", "script.tcl"], folder)
        if not (folder / "comp.json").is_file():
            last = [line for line in said.splitlines() if line.strip()][-1:] or ["it said nothing"]
            raise LayoutError(f"{cell.name}: netgen {tools.netgen_version} gave up: {last[0][:200]}; look at the netlist")
        found = json.loads((folder / "comp.json").read_text(encoding="utf-8"))
        verdict = (folder / "comp.out").read_text(encoding="utf-8", errors="replace")
    return _judged(found, verdict, unjoined_pins(wanted, subcircuit or top))


def _judged(found: list[dict[str, Any]], verdict: str, unjoined: set[str]) -> GoldComparison:
    top = found[-1]
    differences = [
        f"{what} without a counterpart: {_names(layout) or 'none'} of the layout, {_names(netlist) or 'none'} of the netlist"
        for what, key in (("nets", "badnets"), ("devices", "badelements"))
        for layout, netlist in top.get(key, [])
    ]
    layout, netlist = top.get("pins", [[], []])
    differences += [
        f"pin {one} of the layout is pin {other} of the netlist"
        for one, other in zip(layout, netlist, strict=False)
        if one.lower() != other.lower() and (one, other.lower()) not in {(_NO_PIN, pin) for pin in unjoined}
    ]
    differences += [line.strip() for line in verdict.splitlines() if " circuit1:" in line and "circuit2:" in line]
    return GoldComparison("Circuits match uniquely." in verdict and not differences, tuple(differences))


_NO_PIN = "(no pin)"


def _names(side: list[list[Any]]) -> str:
    return ", ".join(str(name) for name, _ in side if not str(name).startswith("(no matching"))
