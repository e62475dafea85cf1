"""What magic and netgen say of a cell: its rules, its netlist, and its capacitances beside ours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layouts.gold.magic import RuleViolation, violations
from layouts.gold.netgen import GoldComparison, compare
from layouts.gold.side_by_side import side_by_side
from layouts.gold.tools import GoldTools

if TYPE_CHECKING:
    import pandas as pd

    from layouts.project import Subject


@dataclass(frozen=True)
class GoldVerdict:
    """What the gold tools say of a cell; `nets` and `pairs` are as `side_by_side` has them."""

    name: str
    violations: tuple[RuleViolation, ...]
    comparison: GoldComparison
    nets: pd.DataFrame
    pairs: pd.DataFrame

    @property
    def clean(self) -> bool:
        return not self.violations and self.comparison.matches

    @property
    def worst_net(self) -> float:
        """Largest difference of a net's capacitance, over the larger of the two; NaN where there is no net to compare."""
        return float(self.nets.relative.abs().max()) if len(self.nets) else math.nan

    @property
    def median_pair(self) -> float:
        """Median difference of the capacitance between two nets; NaN where there is none to compare."""
        return float(self.pairs.relative.abs().median()) if len(self.pairs) else math.nan

    def as_dict(self) -> dict[str, Any]:
        """By name; lengths in um."""
        return {
            "cell": self.name,
            "drc_violations": [violation.line() for violation in self.violations],
            "lvs_match": self.comparison.matches,
            "lvs_differences": list(self.comparison.differences),
            "nets": len(self.nets),
            "c_net_error": self.worst_net if len(self.nets) else None,
            "pairs": len(self.pairs),
            "c_pair_error_median": self.median_pair if len(self.pairs) else None,
        }

    def line(self) -> str:
        """For people."""
        match = "match" if self.comparison.matches else "MISMATCH"
        told = f"{self.name:<28} {len(self.violations)} violations by magic, {match} by netgen"
        if not len(self.nets):
            return told
        return f"{told}; {len(self.nets)} nets within {100 * self.worst_net:.2g} % of magic's"


def gold_verdict(tools: GoldTools, subject: Subject) -> GoldVerdict:
    """Give a cell to the gold tools. Raises `LayoutError` where one of them gives up."""
    nets, pairs = side_by_side(tools, subject.cell)
    return GoldVerdict(
        subject.cell.name,
        tuple(violations(tools, subject.cell)),
        compare(tools, subject.cell, subject.spice, subject.circuit),
        nets,
        pairs,
    )
