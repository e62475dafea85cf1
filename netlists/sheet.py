"""A sheet that cells are drawn on, as SVG.

Every transistor stands with its drain and source vertical. Bulks are not drawn: those of NMOS are at ground, those of PMOS at the
supply.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

from netlists.process import Process, Role
from netlists.section import FetSize

Point = tuple[float, float]
Side = Literal["left", "right"]
Align = Literal["left", "center", "right"]
_OPPOSITE: dict[Side, Side] = {"left": "right", "right": "left"}

FET_HEIGHT = 1.5
"""Terminal to terminal of schemdraw's NFet and PFet, in drawing units."""

FET_REACH = 1.367
"""Channel lead to gate terminal."""

_FONT_SIZE = 13.0
_LINE_PITCH = 0.44
_LINE_WIDTH = 1.6
_FONT = "Arial, Helvetica, sans-serif"
_MARGIN = 0.3  # in drawing units
_WIDEST_CHARACTER = 0.225
"""Mean width of a character, in drawing units, in the widest of the fonts that stand in for `_FONT` (DejaVu Sans). schemdraw
reckons with the narrowest: a drawing would cut off what is wider."""


class Sheet:
    """A drawing in absolute coordinates (drawing units, y upwards), of a cell in a process."""

    def __init__(self, process: Process) -> None:
        import schemdraw
        import schemdraw.elements

        schemdraw.svgconfig.text = "text"  # outlines instead of text could be neither searched nor copied
        self._process = process
        self._elements = schemdraw.elements
        self._drawing = schemdraw.Drawing(canvas="svg", show=False)
        # the scale stays at its default: schemdraw counts the extent of free text at that scale only
        self._drawing.config(fontsize=_FONT_SIZE, font=_FONT, lw=_LINE_WIDTH, margin=_MARGIN)

    def svg(self) -> str:
        image: bytes = self._drawing.get_imagedata("svg")
        return image.decode()

    def fet(self, name: str, role: Role, size: FetSize, top: Point, gate: Side, signal: str = "", level: str = "") -> Point:
        """Draw a transistor hanging from `top`, its name behind the channel; returns its gate terminal.

        `signal` is what drives the gate, `level` the voltage that it stands at.
        """
        symbol = self._elements.PFet if role.is_pmos else self._elements.NFet
        element = symbol().theta(0).anchor("source" if role.is_pmos else "drain").at(top)
        self._drawing.add(element.reverse() if gate == "left" else element)
        x, middle = top[0], top[1] - FET_HEIGHT / 2
        outward = -1 if gate == "left" else 1
        self.lines((x - 0.2 * outward, middle), gate, name, self._process.model(role), str(size))
        terminal = (x + outward * FET_REACH, middle)
        self.lines((terminal[0] + 0.12 * outward, middle), _OPPOSITE[gate], *filter(None, (signal, level)))
        return terminal

    def resistor(self, name: str, size: str, top: Point, bottom: Point) -> None:
        """Draw a resistor of high resistance between two points above each other, its name to the right."""
        self._two_terminal("Resistor", top, bottom, name, self._process.model(Role.RESISTOR), size)

    def capacitor(self, name: str, size: str, top: Point, bottom: Point, model: str = "") -> None:
        """Draw a capacitor between two points above each other, its name to the right: a plate capacitor unless `model` says."""
        self._two_terminal("Capacitor", top, bottom, name, model or self._process.model(Role.CAPACITOR), size)

    def _two_terminal(self, symbol: str, top: Point, bottom: Point, *lines: str) -> None:
        self._drawing.add(getattr(self._elements, symbol)().endpoints(top, bottom))
        self.lines((top[0] + 0.5, (top[1] + bottom[1]) / 2), "left", *lines)

    def lines(self, point: Point, align: Align, *lines: str) -> None:
        """Lines of text around a point."""
        for k, line in enumerate(lines):
            self.text((point[0], point[1] + _LINE_PITCH * ((len(lines) - 1) / 2 - k)), line, align)

    def wire(self, *points: Point) -> None:
        for start, end in pairwise(points):
            self._drawing.add(self._elements.Line().endpoints(start, end))

    def arrow(self, start: Point, end: Point) -> None:
        self._drawing.add(self._elements.Line(arrow="->").endpoints(start, end))

    def dot(self, *points: Point) -> None:
        for point in points:
            self._drawing.add(self._elements.Dot(radius=0.08).at(point))

    def port(self, point: Point, name: str, side: Side) -> None:
        """A node that leaves the cell, its name on the given side."""
        self._drawing.add(self._elements.Dot(radius=0.08, open=True).at(point))
        offset = -0.2 if side == "left" else 0.2
        self.text((point[0] + offset, point[1]), name, _OPPOSITE[side])

    def ground(self, point: Point) -> None:
        self._drawing.add(self._elements.Ground().theta(0).at(point))

    def supply(self, point: Point) -> None:
        self._drawing.add(self._elements.Vdd().theta(0).at(point))
        self.text((point[0], point[1] + 0.75), "supply", "center")

    def box(self, low: Point, high: Point, text: str = "") -> None:
        self._drawing.add(self._elements.Rect(low, high).theta(0).at((0, 0)))
        self.text(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2), text, "center")

    def text(self, point: Point, text: str, align: Align) -> None:
        self._drawing.add(_text_element()(text, align).theta(0).at(point))


@functools.cache
def _text_element() -> Callable[[str, Align], Any]:
    """A class, made here because schemdraw is not imported before something is drawn."""
    from schemdraw.elements import Element
    from schemdraw.segments import BBox, SegmentText

    class Text(Element):  # type: ignore[misc]
        """Text that takes the room that it needs in the widest font."""

        def __init__(self, text: str, align: Align) -> None:
            super().__init__()
            self.segments.append(SegmentText((0, 0), text, align=(align, "center"), fontsize=_FONT_SIZE))
            width = _WIDEST_CHARACTER * len(text)
            self._start = {"left": 0.0, "center": -width / 2, "right": -width}[align]
            self._end = self._start + width

        def get_bbox(self, transform: bool = False, includetext: bool = True) -> Any:
            found = super().get_bbox(transform, includetext)
            x = self.transform.transform((0, 0))[0] if transform else 0.0
            return BBox(min(found.xmin, x + self._start), found.ymin, max(found.xmax, x + self._end), found.ymax)

    return Text


def volts(level: float | tuple[float, float]) -> str:
    """A level, or a range of levels, as drawings show it."""
    return f"{level[0]:g} … {level[1]:g} V" if isinstance(level, tuple) else f"{level:g} V"
