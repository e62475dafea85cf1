"""The drawn cells and networks by magic and netgen, beside what is embedded."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import pandas as pd

from benchmarks.figure import Figure, stored
from benchmarks.layout.checks import REFERENCE, cells
from layouts.errors import ToolNotFound
from layouts.gold import GoldTools, found_tools
from layouts.gold.verdict import GoldVerdict, gold_verdict
from layouts.project import draw


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where magic, netgen or their PDK are missing; with `quick` the synapse alone."""
    try:
        tools = found_tools()
    except ToolNotFound:
        yield from stored("layout.gold")
        return
    project = draw(cells(), REFERENCE, "network_5_5_5")
    found = list[GoldVerdict]()
    for subject in project.subjects[:1] if quick else project.subjects:
        before = perf_counter()
        verdict = gold_verdict(tools, subject)
        found.append(verdict)
        yield from capacitances(verdict, f"{tools}; in {perf_counter() - before:.1f} s")
        yield from verdicts(verdict, tools)
    every_net, every_pair = (pd.concat([getattr(verdict, kind) for verdict in found]) for kind in ("nets", "pairs"))
    worst, median = every_net.relative.abs().max(), every_pair.relative.abs().median()
    yield Figure("layout.c_net_error", worst, "", "at most 0.03", f"worst of {len(every_net)} nets above 1 fF; {tools}")
    yield Figure("layout.c_pair_error_median", median, "", "at most 0.05", f"{len(every_pair)} pairs above 0.1 fF; {tools}")


def capacitances(found: GoldVerdict, by: str) -> Iterator[Figure]:
    """Ours beside magic's."""
    told = f"worst of {len(found.nets)} nets above 1 fF; {by}"
    yield Figure(f"layout.gold.{found.name}.c_net_error", found.worst_net, "", "at most 0.03", told)
    away = found.pairs.relative.abs()
    told = f"{len(away)} pairs above 0.1 fF, 95 % of them within {away.quantile(0.95):.2g}, the worst {away.max():.2g}; {by}"
    yield Figure(f"layout.gold.{found.name}.c_pair_error_median", found.median_pair, "", "at most 0.05", told)


def verdicts(found: GoldVerdict, tools: GoldTools) -> Iterator[Figure]:
    """By the rules of magic, and by netgen against its netlist."""
    rules = ", ".join(sorted({violation.rule for violation in found.violations})) or "none"
    yield Figure(f"layout.gold.{found.name}.drc_violations", len(found.violations), "", "0", f"{rules}; {tools}")
    differences = found.comparison.differences
    said = "; ".join(differences[:3]) or "match, pins by name"
    yield Figure(f"layout.gold.{found.name}.lvs_differences", len(differences), "", "0", f"{said}; {tools}")
