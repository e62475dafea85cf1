"""Design rules: a table of them, one engine, violations that name rule, cell and place."""

from layouts.drc.engine import Violation, check
from layouts.drc.rules import RULES

__all__ = ["RULES", "Violation", "check"]
