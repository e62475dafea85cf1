"""Kinds of design rules. Each says where a layout breaks it, as boxes in database units.

Layers are named as in `layouts.technology`, or as in `layouts.drc.layers`, which derives others from those.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import klayout.db as kdb

from layouts.gds import dbu


class Shapes(Mapping[str, kdb.Region]):
    """The shapes of a cell, layer by layer."""

    cell: kdb.Cell


_EUCLIDIAN, _PROJECTION = kdb.Region.Euclidian, kdb.Region.Projection


@dataclass(frozen=True)
class Rule(ABC):
    """A rule: its name in the rule book."""

    name: str

    @property
    @abstractmethod
    def what(self) -> str:
        """What it asks for."""

    @abstractmethod
    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        """Where it is broken."""


def _boxes(found: kdb.EdgePairs | kdb.Region | kdb.Edges) -> list[kdb.Box]:
    return [one.bbox() for one in found.each()]


@dataclass(frozen=True)
class Width(Rule):
    """Narrowest width of a layer."""

    layer: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um:g} um wide"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer].width_check(dbu(self.um), False, _EUCLIDIAN))


@dataclass(frozen=True)
class Space(Rule):
    """Smallest space of a layer, notches included."""

    layer: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um:g} um apart"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer].space_check(dbu(self.um), False, _EUCLIDIAN))


@dataclass(frozen=True)
class Apart(Rule):
    """Smallest distance of two layers that may not touch."""

    layer: str
    other: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um:g} um from {self.other}"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        a, b = shapes[self.layer], shapes[self.other]
        return [*_boxes(a.separation_check(b, dbu(self.um), False, _EUCLIDIAN)), *_boxes(a & b)]


@dataclass(frozen=True)
class NotBeside(Rule):
    """Smallest distance of two layers that may cross each other; `shielded` if an edge between them hides one from the other."""

    layer: str
    other: str
    um: float
    shielded: bool = True

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um:g} um from {self.other} beside it"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        a, b = shapes[self.layer], shapes[self.other]
        return _boxes(a.separation_check(b, dbu(self.um), False, _PROJECTION, None, None, None, self.shielded))


@dataclass(frozen=True)
class Around(Rule):
    """How far a layer reaches beyond another, which lies in it."""

    outer: str
    inner: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.outer} at least {self.um:g} um around {self.inner}"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        inner, outer = shapes[self.inner], shapes[self.outer]
        found = _boxes(inner.enclosed_check(outer, dbu(self.um), False, _PROJECTION)) if self.um > 0 else []
        return [*found, *_boxes(inner.not_inside(outer))]


@dataclass(frozen=True)
class AroundOneWay(Rule):
    """The same on two opposite sides of a rectangle; on the others it may be less."""

    outer: str
    inner: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.outer} at least {self.um:g} um around {self.inner} on two opposite sides"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        inner, outer, reach = shapes[self.inner].dup(), shapes[self.outer], dbu(self.um)
        inner.merged_semantics = False
        return _boxes(_outside(inner, outer, reach, 0) & _outside(inner, outer, 0, reach))


def _outside(inner: kdb.Region, outer: kdb.Region, dx: int, dy: int) -> kdb.Region:
    """Rectangles that are not inside once they are made so much larger."""
    larger = inner.sized(dx, dy, 2)
    larger.merged_semantics = False
    return larger.not_inside(outer).sized(-dx, -dy, 2)


@dataclass(frozen=True)
class Beyond(Rule):
    """How far a layer reaches beyond another where it crosses it: its edges inside that one, to its own edge beyond."""

    layer: str
    crossed: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um:g} um beyond {self.crossed}"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        layer, crossed = shapes[self.layer], shapes[self.crossed]
        sides = crossed.edges().inside_part(layer)
        return _boxes(sides.enclosed_check(layer.edges(), dbu(self.um), False, _PROJECTION))


@dataclass(frozen=True)
class Square(Rule):
    """Cuts are squares of one size."""

    layer: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} a square of {self.um:g} um"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        side = dbu(self.um)
        return [
            one.bbox()
            for one in shapes[self.layer].each()
            if not one.is_box() or (one.bbox().width(), one.bbox().height()) != (side, side)
        ]


@dataclass(frozen=True)
class Slots(Rule):
    """Cuts are rectangles of one size, either way round."""

    layer: str
    um: float
    long_um: float

    @property
    def what(self) -> str:
        return f"{self.layer} a slot of {self.um:g} x {self.long_um:g} um"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        sides = [dbu(self.um), dbu(self.long_um)]
        for one in shapes[self.layer].each():
            if not one.is_box() or sorted((one.bbox().width(), one.bbox().height())) != sides:
                yield one.bbox()


@dataclass(frozen=True)
class Area(Rule):
    """Smallest area of a shape."""

    layer: str
    um2: float

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um2:g} um^2"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer].with_area(0, dbu(1.0) * dbu(self.um2), False))


@dataclass(frozen=True)
class Hole(Rule):
    """Smallest area that a shape encloses."""

    layer: str
    um2: float

    @property
    def what(self) -> str:
        return f"holes of {self.layer} at least {self.um2:g} um^2"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer].holes().with_area(0, dbu(1.0) * dbu(self.um2), False))


@dataclass(frozen=True)
class WideSpace(Rule):
    """Space to a shape that is wider than so much."""

    layer: str
    wide_um: float
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} at least {self.um:g} um from what is wider than {self.wide_um:g} um"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        layer, half = shapes[self.layer], dbu(self.wide_um) // 2
        wide = layer.sized(-half).sized(half) & layer
        if wide.is_empty():
            return []
        near = layer.space_check(dbu(self.um), False, _EUCLIDIAN)
        return _boxes(near.polygons(1).interacting(wide))


@dataclass(frozen=True)
class Empty(Rule):
    """Something that may not be."""

    layer: str
    why: str

    @property
    def what(self) -> str:
        return self.why

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer])


@dataclass(frozen=True)
class Holds(Rule):
    """Every shape of a layer has something of another in it."""

    layer: str
    held: str

    @property
    def what(self) -> str:
        return f"every {self.layer} holds {self.held}"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer].not_interacting(shapes[self.held]))


@dataclass(frozen=True)
class Near(Rule):
    """Everything of a layer is so near to another, within what both lie in."""

    layer: str
    other: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} within {self.um:g} um of {self.other}"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer] - shapes[self.other].sized(dbu(self.um)))


@dataclass(frozen=True)
class Rectangles(Rule):
    """Shapes are rectangles, so much longer than wide at most."""

    layer: str
    aspect: float

    @property
    def what(self) -> str:
        return f"{self.layer} rectangles, at most {self.aspect:g} times as long as wide"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        for one in shapes[self.layer].each():
            sides = sorted((one.bbox().width(), one.bbox().height()))
            if not one.is_box() or sides[1] > self.aspect * sides[0]:
                yield one.bbox()


@dataclass(frozen=True)
class OnGrid(Rule):
    """Corners on the manufacturing grid."""

    layer: str
    um: float

    @property
    def what(self) -> str:
        return f"{self.layer} on the grid of {self.um:g} um"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes[self.layer].grid_check(dbu(self.um), dbu(self.um)))


@dataclass(frozen=True)
class ChannelWidth(Rule):
    """Narrowest channel: how long the edges of gates are where current enters."""

    um: float

    @property
    def what(self) -> str:
        return f"channels at least {self.um:g} um wide"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        return _boxes(shapes["poly"].edges().inside_part(shapes["diff"]).with_length(0, dbu(self.um), False))
