"""Hold a cell to the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import klayout.db as kdb

from layouts.drc.kinds import Rule
from layouts.drc.layers import CellShapes
from layouts.drc.rules import RULES
from layouts.errors import LayoutError


@dataclass(frozen=True)
class Violation:
    """A place where a rule is broken: the box around it in the coordinates of the cell that was checked, in database units, and
    the smallest cell below that one that it lies in."""

    rule: str
    what: str
    cell: str
    place: kdb.Box

    def line(self) -> str:
        """Rule, cell and place in um."""
        at = self.place.center()
        return f"{self.rule} ({self.what}): {self.cell} at {at.x / 1000:.3f}, {at.y / 1000:.3f}"


def check(cell: kdb.Cell, rules: Sequence[Rule] = RULES) -> list[Violation]:
    """Every violation in a cell and those below it, as they lie there. Raises `LayoutError` for an empty cell."""
    if cell.bbox().empty():
        raise LayoutError(f"cell {cell.name} is empty: there is nothing to check")
    shapes = CellShapes(cell)
    return [
        Violation(rule.name, rule.what, _owner(cell, place), place) for rule in rules for place in _distinct(rule.broken(shapes))
    ]


def _distinct(places: object) -> Iterator[kdb.Box]:
    seen = set()
    for place in places:  # type: ignore[attr-defined]
        if (key := str(place)) not in seen:
            seen.add(key)
            yield place


def _owner(cell: kdb.Cell, place: kdb.Box) -> str:
    """The smallest cell whose box the place lies in; the cell itself where it lies between others."""
    for instance in cell.each_inst():
        if not place.inside(instance.bbox()):
            continue
        below = instance.cell
        for k in range(max(1, instance.na)):
            for j in range(max(1, instance.nb)):
                offset = kdb.Trans(instance.a * k + instance.b * j) * instance.trans
                moved = place.transformed(offset.inverted())
                if moved.inside(below.bbox()):
                    return _owner(below, moved)
    return str(cell.name)
