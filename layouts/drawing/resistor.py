"""A resistor of high-resistance poly: bars side by side, joined at their ends in turn, so that both ends lie below.

Each bar is a resistor of its own with a head of contacts at either end: a comparison adds bars in a row. The ends of a bar are
0.6 kohm in its model (0.35 um wide), where a micrometre of it is 5.7 kohm, so that n bars have (n - 1) 0.1 um more than the one
that a schematic has: bars are long. Lengths are in nm.
"""

from __future__ import annotations

from dataclasses import dataclass

import klayout.db as kdb

from layouts.devices import GROUND, Resistor
from layouts.drawing.canvas import Canvas
from layouts.errors import LayoutError

BAR_SPACE = 210
"""Of two bars (poly.2)."""
HEAD, SLOT, SLOT_SPACE, SLOT_IN = 2080, (190, 2000), 350, 80
"""A head's length, its slots of contacts and how far these lie from each other and within it (licon.1bc, licon.2b, li.5)."""
AWAY = 300
"""Of the first bar from the edge of what stands beside it, which has 0.24 um of its own (poly.9: 0.48 um)."""
BEYOND = 570
"""Of the edge of a cell from its last bar: the tap of the next cell lies 0.065 um within that one (poly.9, psd.2)."""
MARKER, IMPLANT, CUT = 200, 125, 95
"""How far the marker of the sheet resistance, the implant and the nitride cut reach beyond (urpm.3, urpm.4, urpm.5)."""
MARKER_WIDTH = 1270
"""Least of a marker (urpm.1)."""
STEP = 5
"""Of the grid."""
MARGIN = 320
"""From the marker to the edge of a row: two rows are at least 0.2 um apart, two markers 0.84 um (urpm.2)."""
SHORTEST = 1000
"""Of a resistor: two bars of half a micrometre."""
LEAST_BAR = 10_000
"""More bars than two are no shorter: their ends are at most one per cent."""


@dataclass(frozen=True)
class DrawnResistor:
    """Where the heads of its two ends are, and all that belongs to it."""

    ends: tuple[kdb.Box, kdb.Box]
    box: kdb.Box


def bars(resistor: Resistor) -> list[int]:
    """Lengths of its bars: an even number, so many that they stand about as wide as high, but none too short. Those that are a
    step of the grid longer stand side by side."""
    if resistor.length < SHORTEST:
        um = resistor.length / 1000
        raise LayoutError(f"{resistor.name}: L = {um:g} um is too short to be drawn; at least {SHORTEST / 1000:g}")
    count = _count(resistor.length, resistor.width)
    steps, longer = divmod(resistor.length // STEP, count)
    return [STEP * (steps + 1)] * longer + [STEP * steps] * (count - longer)


def nearest_drawn(length: int, width: int) -> int:
    """The nearest length that magic finds no fault with.

    It makes the marker anew, around each bar. One bar that is longer than the others is then narrower than urpm.1 where it stands
    out.
    """
    on_grid = round(length / STEP) * STEP
    alone = width + 2 * MARKER < MARKER_WIDTH and on_grid // STEP % _count(on_grid, width) == 1
    return on_grid - STEP if alone else on_grid


def _count(length: int, width: int) -> int:
    count, pitch = 2, width + BAR_SPACE
    while count * pitch < length / count + 2 * HEAD and length >= (count + 2) * LEAST_BAR:
        count += 2
    return count


def draw_resistor(canvas: Canvas, resistor: Resistor, left: int, bottom: int) -> DrawnResistor:
    """Draw a resistor to the right of `left` and above `bottom`; its ends are heads of li1."""
    if resistor.bulk != GROUND:
        raise LayoutError(f"{resistor.name}: its bulk is {resistor.bulk}; resistors are drawn above the substrate, {GROUND}")
    below, above = list[kdb.Box](), list[kdb.Box]()
    for k, length in enumerate(bars(resistor)):
        x = left + k * (resistor.width + BAR_SPACE)
        top = bottom + HEAD + length
        canvas.box("poly", x, bottom, x + resistor.width, top + HEAD)
        canvas.box("poly_res", x, bottom + HEAD, x + resistor.width, top)
        below.append(_head(canvas, x, bottom, resistor.width, bottom + SLOT_IN))
        above.append(_head(canvas, x, top, resistor.width, top))
    for ends in (above, below[1:-1]):
        for one, other in zip(ends[::2], ends[1::2], strict=True):
            canvas.box("li1", one.left, max(one.bottom, other.bottom), other.right, min(one.top, other.top))
    box = kdb.Box(left, bottom, above[-1].right, max(head.top for head in above))
    for layer, reach in (("psdm", IMPLANT), ("urpm", MARKER)):
        canvas.box(layer, box.left - reach, box.bottom - reach, box.right + reach, box.top + reach)
    return DrawnResistor((below[0], below[-1]), box)


def _head(canvas: Canvas, x: int, y: int, width: int, slots_from: int) -> kdb.Box:
    """The li1 of a head, and its slots."""
    wide, long = SLOT
    count = (width - 2 * SLOT_IN - wide) // (wide + SLOT_SPACE) + 1
    start = x + (width - count * wide - (count - 1) * SLOT_SPACE) // 10 * 5
    for k in range(count):
        at = start + k * (wide + SLOT_SPACE)
        canvas.box("licon1", at, slots_from, at + wide, slots_from + long)
    canvas.box("li1", x, y, x + width, y + HEAD)
    return kdb.Box(x, y, x + width, y + HEAD)
