"""A row: transistors of both kinds side by side, their terminals as columns of met1, their nets as tracks of met2 across them.

The upper edges of all diffusions lie on y = 0, the gates are contacted above it. Every terminal has a column of its own, so that
any track can reach it. A met3 strap of ground lies over the ground and the membrane track and keeps the lines above the row off
the membrane; one of the supply lies over its track.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import klayout.db as kdb

from layouts.devices import GROUND, Devices, Resistor
from layouts.drawing.canvas import Canvas
from layouts.drawing.chains import Chain, chains, uses
from layouts.drawing.resistor import AWAY, BEYOND, CUT, MARGIN, MARKER, draw_resistor
from layouts.errors import LayoutError
from layouts.technology import LAYERS

TRACK_PITCH, TRACK_WIDTH, FIRST_TRACK = 420, 140, -700
COLUMN_PITCH = 420
GATE_PITCH = 480
"""Of two gate contacts next to each other: their poly is wider than the columns."""
CONTACTED, UNCONTACTED = 290, 210
"""Diffusion beyond and between gates: with a row of contacts 0.06 + 0.17 + 0.06, without the space of two gates (poly.2)."""
ENDCAP, JOG, PAD = 130, (160, 310), (160, 490)
"""Poly below the diffusion (poly.8), and above it: of the wire to the contact, and of the contact (licon.9)."""
CONTACT_Y = 325
WELL_REACH, WELL_AWAY, IMPLANT = 180, 340, 125
TAP_SPACE, TAP_EVERY = 270, 11_000
"""Of two diffusions (difftap.3); after how much of a row a tap comes, so that none is farther than 15 um (LU.2, LU.3)."""
GROUND_TRACK, MEMBRANE_TRACK, SUPPLY_TRACK, FIRST_PIN_TRACK = 0, 1, 3, 5
LOCAL_TRACKS = (2, 4)
GROUND_STRAP, SUPPLY_STRAP = (-870, -60), (330, 790)
"""Met3 from where to where: that of ground covers the membrane track as well."""
BOUNDARY = 65, 245
"""Left of the first tap and right of the last: two rows side by side keep tap and well 0.13 um apart."""


def track_y(track: int) -> int:
    """The middle of a track."""
    return FIRST_TRACK + track * TRACK_PITCH


def snapped(length: int) -> int:
    """Down to the grid."""
    return length // 5 * 5


def _length(chain: Chain) -> int:
    """About what a chain takes of a row."""
    return sum(one.length + CONTACTED for one in chain.transistors) + CONTACTED + 2 * COLUMN_PITCH


@dataclass
class Wire:
    """The met2 of a net: its height, and from where to where."""

    y: int
    left: int
    right: int


@dataclass
class Row:
    """A drawn row: its cell, where its columns stand and its wires lie."""

    canvas: Canvas
    pins: tuple[str, ...]
    width: int = 0
    bottom: int = 0
    top: int = 0
    columns: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    wires: dict[str, Wire] = field(default_factory=dict)

    @property
    def cell(self) -> kdb.Cell:
        return self.canvas.cell


def draw_row(
    layout: kdb.Layout,
    name: str,
    devices: Devices,
    supply: str = "supply",
    order: Sequence[str] = (),
    gate_pitch: int = GATE_PITCH,
    through: Mapping[str, int] | None = None,
    reach: Mapping[str, Sequence[int]] | None = None,
    gaps: Sequence[tuple[int, int]] = (),
    diodes: Sequence[str] = (),
) -> Row:
    """Draw the transistors of a cell as a row, its resistors to the right of them.

    Args:
        supply: the net of the nwell.
        order: nets in the order of their tracks; others come behind them.
        gate_pitch: distance of gate contacts next to each other.
        through: nets that run through the row from side to side, and on which track.
        reach: how far to the left or right wires are to reach beyond their columns.
        gaps: from where to where the ground strap leaves the membrane track open.
        diodes: nets that get a diffusion of their own, through which the charge of a long line leaves while it is etched.

    Raises `LayoutError` for devices that a row cannot hold.
    """
    through = {GROUND: GROUND_TRACK, "membrane": MEMBRANE_TRACK, supply: SUPPLY_TRACK} if through is None else through
    drawer = _Drawer(Row(Canvas(layout, name), devices.pins), devices, supply, gate_pitch)
    drawer.strips(diodes)
    drawer.tracks(through, order, reach or {})
    for net, (low, high) in ((GROUND, GROUND_STRAP), (supply, SUPPLY_STRAP)):
        if net in through:
            drawer.strap(net, low, high, gaps if net == GROUND else ())
    return drawer.row


class _Drawer:
    """Draws one row from left to right."""

    def __init__(self, row: Row, devices: Devices, supply: str, gate_pitch: int) -> None:
        self.row, self.canvas, self.gate_pitch = row, row.canvas, gate_pitch
        self.used = uses(devices)
        for one in devices.transistors:
            if one.bulk != (GROUND if one.channel == "n" else supply):
                raise LayoutError(f"{one.name}: its bulk is {one.bulk}; rows are drawn with {GROUND} and {supply} there")
        rails = (GROUND, supply)
        self.groups = {
            channel: chains([one for one in devices.transistors if one.channel == channel], self.used, rails) for channel in "np"
        }
        self.supply = supply
        self.next_column, self.next_diffusion, self.last_gate, self.last_tap = -10_000, 0, -10_000, 0
        self.resistors = devices.resistors
        self.after_tap = False
        self.npc = kdb.Region()
        self.straps: dict[int, tuple[str, int, int]] = {}

    def strips(self, diodes: Sequence[str]) -> None:
        """Diffusions, gates, contacts and wells, and resistors."""
        tallest = max((chain.first.width for group in self.groups.values() for chain in group), default=420)
        height = min(max(tallest, 420), 1000)
        row = self.row
        row.bottom = -tallest - 130 - IMPLANT
        self.next_diffusion = BOUNDARY[0]
        self._tap("psdm", GROUND, height)
        self._group("n", "nsdm", height, diodes)
        right = self.next_diffusion
        if self.groups["p"]:
            self.after_tap = right == self.last_tap + TAP_SPACE
            self.next_diffusion = max(right, right - TAP_SPACE + WELL_AWAY + WELL_REACH)
            box = self._group("p", "psdm", height)
            tap = self._tap("nsdm", self.supply, height)
            well = (box + tap).enlarged(WELL_REACH, WELL_REACH)
            self.canvas.box("nwell", well.left, well.bottom, well.right, well.top)
            right = tap.right + BOUNDARY[1]
        else:
            right = max(right - TAP_SPACE, self.next_column - COLUMN_PITCH + 130) + BOUNDARY[1]
        for resistor in self.resistors:
            right = self._resistor(resistor, right)
        closed = self.npc.sized(135).sized(-135).merged()
        self.canvas.cell.shapes(self.canvas.layout.layer(*LAYERS["npc"])).insert(closed)
        row.width = right

    def _group(self, channel: str, implant: str, height: int, diodes: Sequence[str] = ()) -> kdb.Box:
        """The strips of one kind, with a tap wherever the last one is too far away; returns the box around them."""
        whole, strips = kdb.Box(), kdb.Box()
        wanted = [(_length(chain), partial(self._chain, chain)) for chain in self.groups[channel]]
        wanted += [(2 * COLUMN_PITCH, partial(self._diode, net)) for net in diodes]
        begins_with_tap = channel == "p" and sum(map(_length, self.groups["p"])) > TAP_EVERY
        if begins_with_tap or (channel == "p" and self.after_tap):
            self.next_diffusion += 110  # implants of a kind: a tap's from that of diffusions beside it (nsd.2, psd.2)
        if begins_with_tap:
            whole += self._tap("nsdm", self.supply, height)
        for length, draw in wanted:
            since = self.next_diffusion - self.last_tap
            if (since > TAP_EVERY or since + length > 2 * TAP_EVERY) and not strips.empty():
                whole += self._implanted(strips, implant)
                strips = kdb.Box()
                whole += self._tap("psdm" if channel == "n" else "nsdm", GROUND if channel == "n" else self.supply, height)
            strips += draw()
        if channel == "n" and self.next_diffusion - self.last_tap > TAP_EVERY:
            whole += self._implanted(strips, implant)
            return whole + self._tap("psdm", GROUND, height)
        return whole + self._implanted(strips, implant)

    def _implanted(self, box: kdb.Box, implant: str) -> kdb.Box:
        """Strips with their implant around them."""
        if not box.empty():
            self.canvas.box(implant, box.left - IMPLANT, box.bottom - IMPLANT, box.right + IMPLANT, box.top + IMPLANT)
        return box

    def _diode(self, net: str) -> kdb.Box:
        """A diffusion of its own for a net; it is a junction to the substrate, and no device of the netlist."""
        x = max(self.next_column, self.next_diffusion + CONTACTED // 2)
        box = kdb.Box(x - CONTACTED // 2, -420, x - CONTACTED // 2 + CONTACTED, 0)
        self.canvas.box("diff", box.left, box.bottom, box.right, box.top)
        self._contacts(x, 420, net)
        self.next_diffusion = box.right + TAP_SPACE
        return box

    def _resistor(self, resistor: Resistor, right: int) -> int:
        """A resistor beyond `right`, a column at either end; returns where what comes next may begin."""
        drawn = draw_resistor(self.canvas, resistor, right + AWAY, self.row.bottom + MARKER + MARGIN)
        for net, head in zip((resistor.a, resistor.b), drawn.ends, strict=True):
            self._straps_of(head.center().x, head.bottom, head.top, net)
        self.npc.insert(drawn.box.enlarged(CUT, CUT))
        self.row.top = max(self.row.top, drawn.box.top + MARKER + MARGIN)
        return int(drawn.box.right) + BEYOND

    def _tap(self, implant: str, net: str, height: int) -> kdb.Box:
        x = max(self.next_column, self.next_diffusion + CONTACTED // 2)
        box = kdb.Box(x - CONTACTED // 2, -height, x - CONTACTED // 2 + CONTACTED, 0)
        self.canvas.box("tap", box.left, box.bottom, box.right, box.top)
        self.canvas.box(implant, box.left - IMPLANT, box.bottom - IMPLANT, box.right + IMPLANT, box.top + IMPLANT)
        self._contacts(x, height, net, 120)
        self.next_diffusion, self.last_tap = box.right + TAP_SPACE, box.right
        return box

    def _column(self, x: int, net: str, bottom: int, top: int) -> None:
        self.row.columns[net].append(x)
        self.straps[x] = (net, bottom, top)
        self.next_column = max(self.next_column, x + COLUMN_PITCH)

    def _contacts(self, x: int, height: int, net: str, end: int = 40) -> None:
        """A column of contacts on a diffusion, its li1 and the foot of its strap."""
        rows = max(1, (height - 2 * end - 170) // 340 + 1)
        bottom = -snapped(height - (height - (rows - 1) * 340 - 170) // 2)
        for k in range(rows):
            self.canvas.box("licon1", x - 85, bottom + 340 * k, x + 85, bottom + 340 * k + 170)
        low, high = bottom - 80, bottom + 340 * (rows - 1) + 250
        self.canvas.box("li1", x - 85, low, x + 85, high)
        self._straps_of(x, low, high, net)

    def _straps_of(self, x: int, low: int, high: int, net: str) -> None:
        """From a strip of li1 up to the foot of a strap."""
        cuts = (high - low - 170) // 360 + 1
        start = low + snapped((high - low - 360 * (cuts - 1) - 170) // 2)
        for k in range(cuts):
            self.canvas.box("mcon", x - 85, start + 360 * k, x + 85, start + 360 * k + 170)
        self._column(x, net, start - 60, start + 360 * (cuts - 1) + 230)

    def _chain(self, chain: Chain) -> kdb.Box:
        gates = chain.gates
        width = chain.first.width
        first_contact = max(self.next_column, self.next_diffusion + CONTACTED // 2)
        pads: list[int | None] = [None] * len(gates)
        if len(gates) > 1:
            first_pad = max(first_contact - COLUMN_PITCH, self.next_column, self.last_gate + self.gate_pitch)
            first_contact = max(first_contact, first_pad + COLUMN_PITCH)
            self._gate_contact(first_pad, gates[0][0])
            pads[0] = first_pad
        left = first_contact - CONTACTED // 2
        ends = self._diffusions(chain, left)
        pads[-1] = max(ends[-1][1] - CONTACTED // 2 + COLUMN_PITCH, self.last_gate + self.gate_pitch)
        self._gates(chain, ends, pads)
        right = ends[-1][1]
        self.canvas.box("diff", left, -width, right, 0)
        if chain.first.marker:
            self._marker(chain, ends, width)
        self.next_diffusion = right + TAP_SPACE
        return kdb.Box(left, -width, right, 0)

    def _diffusions(self, chain: Chain, left: int) -> list[tuple[int, int]]:
        """From where to where each diffusion of a chain reaches; contacts are drawn on the way."""
        spans, x, last = [], left, len(chain.nets) - 1
        for k, net in enumerate(chain.nets):
            contacted = k in (0, last) or self.used[net] > 2
            wide = CONTACTED if contacted else UNCONTACTED + self._more_for_a_pad(chain)
            if contacted:
                self._contacts(x + CONTACTED // 2, chain.first.width, net)
            spans.append((x, x + wide))
            x += wide + (chain.transistors[k].length if k < last else 0)
        return spans

    @staticmethod
    def _more_for_a_pad(chain: Chain) -> int:
        """How far the contact above the middle one of three gates reaches beyond it."""
        return max(0, snapped(274 - chain.transistors[1].length) // 2) if len(chain.gates) == 3 else 0

    def _gates(self, chain: Chain, ends: list[tuple[int, int]], pads: list[int | None]) -> None:
        """The poly of every gate, and of the wires to their contacts."""
        bottom, k = -chain.first.width - ENDCAP, 0
        for run, (net, count) in enumerate(chain.gates):
            spans = [(ends[k + n][1], ends[k + n + 1][0]) for n in range(count)]
            k += count
            left, right = spans[0][0], spans[-1][1]
            for low, high in spans:
                self.canvas.box("poly", low, bottom, high, JOG[1])
            pad = pads[run]
            if pad is None:
                pad = snapped((left + right) // 2)
                self._gate_contact(pad, net)
            elif run == len(chain.gates) - 1:
                self._gate_contact(pad, net)
            self.canvas.box("poly", min(left, pad - 135), JOG[0], max(right, pad + 135), JOG[1])

    def _gate_contact(self, x: int, net: str) -> None:
        self.canvas.box("poly", x - 135, PAD[0], x + 135, PAD[1])
        for layer in ("licon1", "mcon"):
            self.canvas.box(layer, x - 85, CONTACT_Y - 85, x + 85, CONTACT_Y + 85)
        self.canvas.box("li1", x - 85, CONTACT_Y - 165, x + 85, CONTACT_Y + 165)
        self.npc.insert(kdb.Box(x - 185, CONTACT_Y - 185, x + 185, CONTACT_Y + 185))
        self.last_gate = x
        self._column(x, net, CONTACT_Y - 145, CONTACT_Y + 145)

    def _marker(self, chain: Chain, ends: list[tuple[int, int]], width: int) -> None:
        """What marks the threshold of the transistors, 0.18 um around their gates, at least 0.38 um wide."""
        self.canvas.box(chain.first.marker, ends[0][1] - 180, -width - 180, ends[-1][0] + 180, 180)

    def tracks(self, through: Mapping[str, int], order: Sequence[str], reach: Mapping[str, Sequence[int]]) -> None:
        """A wire for every net, on the lowest track that has room for it, and the vias to its columns."""
        columns, row = self.row.columns, self.row
        taken: dict[int, list[Wire]] = defaultdict(list)
        nets = sorted(columns, key=lambda net: order.index(net) if net in order else len(order))
        for net in (*(net for net in through if net in columns or net in row.pins), *(net for net in nets if net not in through)):
            if net in through:
                wire, track = Wire(track_y(through[net]), 0, row.width), through[net]
            else:
                ends = [*columns[net], *reach.get(net, ())]
                left, right = min(ends) - 185, max(ends) + 185
                track = self._free(taken, left, right, net in row.pins)
                wire = Wire(track_y(track), left, right)
            taken[track].append(wire)
            row.wires[net] = wire
            self.canvas.box("met2", wire.left, wire.y - TRACK_WIDTH // 2, wire.right, wire.y + TRACK_WIDTH // 2)
            self._close_notches(wire, columns[net], reach.get(net, ()), 185 if net in through else 160)
            if net in (*row.pins, GROUND):
                self.canvas.pin("met2", wire.left, wire.y - TRACK_WIDTH // 2, wire.right, wire.y + TRACK_WIDTH // 2, net)
        for x, (net, bottom, top) in self.straps.items():
            y = row.wires[net].y
            self.canvas.box("met1", x - 115, min(bottom, y - 160), x + 115, max(top, y + 160))
            self.canvas.via("via", x, y)
        row.top = max(row.top, track_y(max(taken)) + TRACK_PITCH // 2)

    def _close_notches(self, wire: Wire, columns: Sequence[int], reach: Sequence[int], half: int) -> None:
        """Where pads of vias on the same wire come too near to each other they become one."""
        pads = sorted([*((x, half) for x in columns), *((x, 185) for x in reach)])
        for (x, reaches), (following, begins) in pairwise(pads):
            if 0 < following - begins - x - reaches < 140:
                self.canvas.box("met2", x, wire.y - 140, following, wire.y + 140)

    def strap(self, net: str, bottom: int, top: int, gaps: Sequence[tuple[int, int]]) -> None:
        """Met3 along a rail, joined to its track at every column of it."""
        y, left = self.row.wires[net].y, 0
        for start, end in (*gaps, (self.row.width, self.row.width)):
            self.canvas.box("met3", left, bottom, start, top)
            left = end
        for x in self.row.columns[net]:
            if all(not start - 165 < x < end + 165 for start, end in gaps):
                self.canvas.via("via2", x, y, lower="x")

    @staticmethod
    def _free(taken: Mapping[int, list[Wire]], left: int, right: int, is_pin: bool) -> int:
        """The lowest track with room from left to right; those of pins lie above the straps, where met3 can reach them."""
        track = FIRST_PIN_TRACK if is_pin else LOCAL_TRACKS[0]
        while any(wire.left < right + 140 and left - 140 < wire.right for wire in taken.get(track, ())) or track == SUPPLY_TRACK:
            track += 1
        return track
