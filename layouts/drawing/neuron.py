"""A neuron: its transistors as a row, its capacitor above them, the lines that all neurons of a layer share across it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import klayout.db as kdb

from layouts.devices import GROUND, Devices
from layouts.drawing.canvas import Canvas
from layouts.drawing.row import GROUND_STRAP, MEMBRANE_TRACK, Row, draw_row, track_y
from layouts.errors import LayoutError
from layouts.technology import HEIGHT_UM

LINE, LINE_PITCH = 360, 660
"""Width of a met4 line, and distance of two."""
FIRST_LINE = 1300
"""Left of it runs the guard line of the crossbar."""
PLATE_SPACE = 1480
"""Of two plates: each stays as far from the met4 of the other (cap2m.11) as magic has it; cap2m.2a alone asks for 0.84 um."""
MET5_SPACE = 1600
ISLAND = 1180
SAFE_RATIO = 360
"""Below the 400 of the antenna rule: lines go on beyond the rows."""
_FAR = 1345
"""Of met4 from a plate that it does not lie under (cap2m.11)."""


@dataclass(frozen=True)
class Neuron:
    """A drawn neuron; `lines` says where the met4 lines of its shared nets run, and on which track each is joined to them."""

    row: Row
    lines: dict[str, int]
    outputs: tuple[str, str]
    top: int
    width: int
    least_pitch: int
    """Of two rows, for the sake of their capacitors."""


def antennas(devices: Devices, pitch: int) -> list[str]:
    """Gates alone that a line of met4 along rows of this pitch would charge: nets that need a diode."""
    side = 2 * round(HEIGHT_UM["met4"][1] * 1000)
    ends = {net for one in devices.transistors for net in one.ends}
    gates = Counter[str]()
    for one in devices.transistors:
        gates[one.gate] += one.width * one.length
    return [pin for pin in devices.pins if pin in gates and pin not in ends and pitch * side > SAFE_RATIO * gates[pin]]


def draw_neuron(layout: kdb.Layout, name: str, devices: Devices, pitch: int = 0) -> Neuron:
    """Draw a neuron for rows of at most this pitch; its pins but membrane, spikes and supply are lines shared by its layer."""
    if len(devices.capacitors) != 1 or devices.capacitors[0].top != "membrane" or devices.capacitors[0].bottom != GROUND:
        raise LayoutError(f"{name}: a neuron is drawn with one capacitor, from its membrane to {GROUND}")
    shared = [pin for pin in devices.pins if pin not in ("membrane", "spike", "spike_bar", "supply")]
    lines = {net: FIRST_LINE + k * LINE_PITCH for k, net in enumerate(shared)}
    island = FIRST_LINE + len(shared) * LINE_PITCH - LINE_PITCH + LINE // 2 + 300 + ISLAND // 2
    island += -island % 10
    plate = devices.capacitors[0]
    left = island + ISLAND // 2 + _FAR
    order = [*shared, "out", "spike", "spike_bar"]
    far = left + plate.width + _FAR - 400
    reach = {net: (x,) for net, x in lines.items()} | dict.fromkeys(("spike", "spike_bar"), (far,))
    reach["membrane"] = (island,)
    row = draw_row(
        layout, name, devices, order=order, reach=reach, gaps=((island - 465, island + 465),), diodes=antennas(devices, pitch)
    )
    canvas = row.canvas
    for net, x in lines.items():
        stack(canvas, x, row.wires[net].y)
    # Its met5 has to meet that of the membrane's island, however small it is.
    bottom = max(row.bottom + 60, 600 - plate.length)
    plate_pitch = _plate(canvas, left, bottom, plate.width, plate.length, island)
    top = max(row.top, bottom + plate.length + 140)
    for net, x in lines.items():
        canvas.box("met4", x - LINE // 2, row.bottom, x + LINE // 2, top)
        canvas.pin("met4", x - LINE // 2, row.bottom, x + LINE // 2, top, net)
    width = max(row.width, far)
    if width > row.width:
        canvas.box("met3", row.width, GROUND_STRAP[0], width, GROUND_STRAP[1])
    return Neuron(row, lines, ("spike", "spike_bar"), top, width, plate_pitch)


def stack(canvas: Canvas, x: int, y: int, up: bool = True) -> None:
    """From a wire of met2 up to a line of met4; met3 between them as large as m3.6 wants it."""
    canvas.via("via2", x, y, lower="x")
    canvas.box("met3", x - 165, y - 190 if up else y - 565, x + 165, y + 565 if up else y + 190)
    canvas.cuts("via3", x, y)
    canvas.around("met4", x, y, LINE, 380)


def _plate(canvas: Canvas, left: int, bottom: int, width: int, length: int, island: int) -> int:
    """The capacitor: cap2m on met4 of ground, met5 on it and over to the membrane's island of met4; returns the least pitch."""
    right, top, y = left + width, bottom + length, track_y(MEMBRANE_TRACK)
    canvas.box("cap2m", left, bottom, right, top)
    canvas.box("met4", left - 140, bottom - 140, right + 480, top + 140)
    strap = (GROUND_STRAP[0] + GROUND_STRAP[1]) // 2 // 5 * 5
    canvas.via("via3", right + 240, strap, lower="y", upper="y", rows=2)
    columns, rows = ((side - 400 - 800) // 1600 + 1 for side in (width, length))
    if columns < 1 or rows < 1:
        raise LayoutError(f"a capacitor of {width / 1000:g} x {length / 1000:g} um has no room for a via4 (1.2 um)")
    cuts = canvas.cuts("via4", (left + right) // 2 // 5 * 5, (bottom + top) // 2 // 5 * 5, columns, rows)
    upper = cuts.enlarged(*(max(310, (1600 - side) // 2) for side in (cuts.width(), cuts.height())))
    canvas.box("met5", upper.left, upper.bottom, upper.right, upper.top)
    canvas.via("via2", island, y, lower="x")
    canvas.box("met3", island - 165, y - 565, island + 165, y + 190)
    canvas.cuts("via3", island, y)
    canvas.around("met4", island, y, ISLAND, ISLAND)
    canvas.cuts("via4", island, y)
    canvas.box("met5", island - 800, y - 800, cuts.left + 1200, y + 800)
    return max(length + PLATE_SPACE, int(upper.height()) + MET5_SPACE)
