"""The drawn cells and networks by magic and netgen, beside what is embedded."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import pandas as pd

from benchmarks.figure import Figure, stored
from benchmarks.layout.checks import REFERENCE, cells
from layouts.errors import ToolNotFound
from layouts.gold import GoldTools, found_tools
from layouts.gold.magic import violations
from layouts.gold.netgen import compare
from layouts.gold.side_by_side import side_by_side
from layouts.project import Subject, draw


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where magic, netgen or their PDK are missing; with `quick` the synapse alone."""
    try:
        tools = found_tools()
    except ToolNotFound:
        yield from stored("layout.gold")
        return
    project = draw(cells(), REFERENCE, "network_5_5_5")
    by = f"magic {tools.magic_version}, netgen {tools.netgen_version}, open_pdks {tools.tech_version}"
    nets, pairs = list[pd.DataFrame](), list[pd.DataFrame]()
    for subject in project.subjects[:1] if quick else project.subjects:
        before = perf_counter()
        own_nets, own_pairs = side_by_side(tools, subject.cell)
        took = perf_counter() - before
        nets.append(own_nets)
        pairs.append(own_pairs)
        name = subject.cell.name
        yield from _capacitances(name, own_nets, own_pairs, f"{by}; both in {took:.1f} s")
        yield from verdicts(tools, name, subject, by)
    every_net, every_pair = pd.concat(nets), pd.concat(pairs)
    yield Figure(
        "layout.c_net_error",
        every_net.relative.abs().max(),
        "",
        "at most 0.03",
        f"worst of {len(every_net)} nets above 1 fF; {by}",
    )
    median = every_pair.relative.abs().median()
    yield Figure("layout.c_pair_error_median", median, "", "at most 0.05", f"{len(every_pair)} pairs above 0.1 fF; {by}")


def _capacitances(name: str, nets: pd.DataFrame, pairs: pd.DataFrame, by: str) -> Iterator[Figure]:
    yield Figure(
        f"layout.gold.{name}.c_net_error",
        nets.relative.abs().max(),
        "",
        "at most 0.03",
        f"worst of {len(nets)} nets above 1 fF; {by}",
    )
    away = pairs.relative.abs()
    detail = f"{len(pairs)} pairs above 0.1 fF, 95 % of them within {away.quantile(0.95):.2g}, the worst {away.max():.2g}; {by}"
    yield Figure(f"layout.gold.{name}.c_pair_error_median", away.median(), "", "at most 0.05", detail)


def verdicts(tools: GoldTools, name: str, subject: Subject, by: str) -> Iterator[Figure]:
    """By the rules of magic, and by netgen against its netlist."""
    found = violations(tools, subject.cell)
    rules = ", ".join(sorted({violation.rule for violation in found})) or "none"
    yield Figure(f"layout.gold.{name}.drc_violations", len(found), "", "0", f"{rules}; {by}")
    verdict = compare(tools, subject.cell, subject.spice, subject.circuit)
    said = "; ".join(verdict.differences[:3]) or "match, pins by name"
    yield Figure(f"layout.gold.{name}.lvs_differences", len(verdict.differences), "", "0", f"{said}; {by}")
