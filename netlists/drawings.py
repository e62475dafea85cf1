"""Drawings of the cells and of the network, as SVG: what `netlists.synapse`, `netlists.neuron` and `netlists.network` build.

Every transistor stands with its drain and source vertical. Bulks are not drawn: those of NMOS are at ground, those of PMOS at the
supply.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from sky130_models.devices import Fet

Point = tuple[float, float]
Side = Literal["left", "right"]
Align = Literal["left", "center", "right"]
_OPPOSITE: dict[Side, Side] = {"left": "right", "right": "left"}

_FET_HEIGHT = 1.5  # terminal to terminal of schemdraw's NFet and PFet, in drawing units
_FET_REACH = 1.367  # channel lead to gate terminal
_FONT_SIZE = 13.0
_LINE_WIDTH = 1.6
_FONT = "Arial, Helvetica, sans-serif"
_MARGIN = 0.3  # in drawing units: schemdraw estimates the width of text, and readers' fonts differ
_LAYER_SIZE = 5
_PITCH = 0.9  # between the lines of a crossbar


def drawings(kind: str) -> dict[str, str]:
    """The drawings of a design as SVG text by name: synapse_<kind>, neuron, spike_driver, network.

    Args:
        kind: the design's synapse, "current_source" or "resistive"; any other raises ValueError.
    """
    synapses = {"current_source": _current_source_synapse, "resistive": _resistive_synapse}
    if kind not in synapses:
        raise ValueError(f"no drawing of a synapse of kind {kind!r}; it must be one of {', '.join(synapses)}")
    return {
        f"synapse_{kind}": synapses[kind](),
        "neuron": _neuron(),
        "spike_driver": _spike_driver(),
        "network": _network(kind),
    }


class _Sheet:
    """A drawing in absolute coordinates (drawing units, y upwards)."""

    def __init__(self) -> None:
        import schemdraw
        import schemdraw.elements

        schemdraw.svgconfig.text = "text"  # outlines instead of text could be neither searched nor copied
        self._elements = schemdraw.elements
        self._drawing = schemdraw.Drawing(canvas="svg", show=False)
        # the scale stays at its default: schemdraw counts the extent of free text at that scale only
        self._drawing.config(fontsize=_FONT_SIZE, font=_FONT, lw=_LINE_WIDTH, margin=_MARGIN)

    def svg(self) -> str:
        image: bytes = self._drawing.get_imagedata("svg")
        return image.decode()

    def fet(self, name: str, kind: Fet, top: Point, gate: Side, signal: str = "") -> Point:
        """Draw a transistor hanging from `top`, its name behind the channel; returns its gate terminal."""
        symbol = self._elements.PFet if "pfet" in kind else self._elements.NFet
        element = symbol().theta(0).anchor("source" if "pfet" in kind else "drain").at(top)
        self._drawing.add(element.reverse() if gate == "left" else element)
        x, middle = top[0], top[1] - _FET_HEIGHT / 2
        outward = -1 if gate == "left" else 1
        self.device((x - 0.2 * outward, middle), name, kind.removeprefix("sky130_fd_pr__"), gate)
        terminal = (x + outward * _FET_REACH, middle)
        self.text((terminal[0] + 0.12 * outward, middle), signal, _OPPOSITE[gate])
        return terminal

    def two_terminal(self, symbol: str, name: str, model: str, top: Point, bottom: Point) -> None:
        """Draw a Capacitor or Resistor between two points above each other, its name to the right."""
        self._drawing.add(getattr(self._elements, symbol)().endpoints(top, bottom))
        self.device((top[0] + 0.5, (top[1] + bottom[1]) / 2), name, model, "left")

    def device(self, point: Point, name: str, model: str, align: Align) -> None:
        """The name of a device above its type."""
        self.text((point[0], point[1] + 0.22), name, align)
        self.text((point[0], point[1] - 0.22), model, align)

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
        from schemdraw.segments import SegmentText

        element = self._elements.Element().theta(0).at(point)
        element.segments.append(SegmentText((0, 0), text, align=(align, "center"), fontsize=_FONT_SIZE))
        self._drawing.add(element)


def _current_source_synapse() -> str:
    sheet, h = _Sheet(), _FET_HEIGHT
    sheet.supply((0, 2 * h))
    sheet.fet("p_selector", Fet.PFET, (0, 2 * h), "left", "spike_bar")
    sheet.fet("p_memory", Fet.PFET, (0, h), "left", "p_bias")
    sheet.fet("n_memory", Fet.NFET, (0, 0), "left", "n_bias")
    sheet.fet("n_selector", Fet.NFET, (0, -h), "left", "spike")
    sheet.ground((0, -2 * h))
    sheet.dot((0, 0))
    sheet.wire((0, 0), (4, 0))
    sheet.port((4, 0), "membrane", "right")
    for y, line in ((h + 0.25, "w < 0: current from the supply,"), (h - 0.25, "away from the threshold")):
        sheet.text((4, y), line, "left")
    for y, line in ((0.25 - h, "w ≥ 0: current to ground,"), (-0.25 - h, "towards the threshold")):
        sheet.text((4, y), line, "left")
    return sheet.svg()


def _resistive_synapse() -> str:
    sheet, h, apart = _Sheet(), _FET_HEIGHT, 7.5
    sheet.two_terminal("Resistor", "weight", "res_xhigh_po", (0, 2 * h), (0, 0))
    sheet.fet("n_switch", Fet.NFET, (0, 0), "left", "spike")
    sheet.ground((0, -h))
    sheet.port((0, 2 * h), "membrane", "right")
    sheet.text((0, -h - 1.2), "w > 0: towards the threshold", "center")
    sheet.supply((apart, 2 * h))
    sheet.fet("p_switch", Fet.PFET, (apart, 2 * h), "left", "spike_bar")
    sheet.two_terminal("Resistor", "weight", "res_xhigh_po", (apart, h), (apart, -h))
    sheet.port((apart, -h), "membrane", "right")
    sheet.text((apart, -h - 1.2), "w < 0: away from the threshold", "center")
    return sheet.svg()


def _neuron() -> str:
    sheet = _Sheet()
    _membrane_side(sheet)
    _sensing_side(sheet)
    return sheet.svg()


def _membrane_side(sheet: _Sheet) -> None:
    """Reset gate, capacitors and discharger."""
    h, base, tail = _FET_HEIGHT, 0.9, -1.75
    sheet.port((-0.7, 0), "", "left")
    sheet.text((-0.7, 0.35), "membrane", "left")
    sheet.wire((-0.7, 0), (8.4, 0))
    sheet.fet("reset_n", Fet.NFET, (1.7, base + h), "left", "reset")
    sheet.fet("reset_p", Fet.PFET, (5.8, base + h), "right", "reset_bar")
    for x in (1.7, 5.8):
        sheet.wire((x, base), (x, 0))
    sheet.wire((1.7, base + h), (5.8, base + h))
    sheet.wire((3.75, base + h), (3.75, base + h + 0.7))
    sheet.port((3.75, base + h + 0.7), "rest", "right")
    for x, name, model in ((0.1, "membrane", "cap_mim_m3_2"), (3.9, "wire", "layout")):
        sheet.two_terminal("Capacitor", name, model, (x, 0), (x, -1.5))
        sheet.ground((x, -1.5))
    sheet.wire((6.7, 0), (6.7, tail))
    sheet.fet("discharger", Fet.NFET, (6.7, tail), "left", "discharger_bias")
    sheet.fet("discharger_switch", Fet.NFET, (6.7, tail - h), "left", "phase")
    sheet.ground((6.7, tail - 2 * h))
    sheet.dot((0.1, 0), (1.7, 0), (3.9, 0), (5.8, 0), (6.7, 0), (3.75, base + h))


def _sensing_side(sheet: _Sheet) -> None:
    """Starved sensing inverter, output clear and driver."""
    h, x, clear, low, driver = _FET_HEIGHT, 9.8, 12.9, -1.6, 14.0
    sheet.supply((x, 0.4 + 3 * h))
    sheet.fet("pullup", Fet.PFET, (x, 0.4 + 3 * h), "left", "pullup_bias")
    sheet.fet("header", Fet.PFET, (x, 0.4 + 2 * h), "left", "phase_bar")
    upper = sheet.fet("sensing_p", Fet.PFET_HVT, (x, 0.4 + h), "left")
    sheet.wire((x, 0.4), (x, -0.4))
    lower = sheet.fet("sensing_n", Fet.NFET_LVT, (x, -0.4), "left")
    sheet.ground((x, -0.4 - h))
    sheet.wire(upper, lower)
    sheet.wire((x, 0), (driver, 0))
    sheet.text((x + 1.3, 0.3), "out", "center")
    sheet.wire((clear, 0), (clear, low))
    sheet.fet("output_clear", Fet.NFET, (clear, low), "left", "reset")
    sheet.ground((clear, low - h))
    sheet.dot((upper[0], 0), (x, 0), (clear, 0))
    _driver_box(sheet, (driver, -0.5))


def _driver_box(sheet: _Sheet, low: Point) -> None:
    """The neuron's call of the spike driver."""
    (x, y), width = low, 2.7
    sheet.box(low, (x + width, y + 2.4))
    sheet.device((x + width / 2, y + 1.2), "driver", "spike_driver", "center")
    sheet.wire((x - 0.5, y + 1.9), (x, y + 1.9))
    sheet.port((x - 0.5, y + 1.9), "phase", "left")
    for name, height in (("spike", 1.9), ("spike_bar", 0.5)):
        sheet.wire((x + width, y + height), (x + width + 0.5, y + height))
        sheet.port((x + width + 0.5, y + height), name, "right")
    sheet.supply((x + width / 2, y + 2.4))


def _spike_driver() -> str:
    sheet, h, second, inverter, tap = _Sheet(), _FET_HEIGHT, 5.6, 10.9, 8.6
    for name, x, signal in (("nand_p_trigger", 0.0, "trigger"), ("nand_p_enable", second, "enable")):
        sheet.supply((x, 0.4 + h))
        sheet.fet(name, Fet.PFET, (x, 0.4 + h), "left", signal)
        sheet.wire((x, 0.4), (x, 0))
    sheet.fet("nand_n_trigger", Fet.NFET, (0, 0), "left", "trigger")
    sheet.fet("nand_n_enable", Fet.NFET, (0, -h), "left", "enable")
    sheet.ground((0, -2 * h))
    sheet.wire((0, 0), (inverter - _FET_REACH, 0))
    sheet.supply((inverter, 0.4 + h))
    upper = sheet.fet("spike_p", Fet.PFET, (inverter, 0.4 + h), "left")
    sheet.wire((inverter, 0.4), (inverter, -0.4))
    lower = sheet.fet("spike_n", Fet.NFET, (inverter, -0.4), "left")
    sheet.ground((inverter, -0.4 - h))
    sheet.wire(upper, lower)
    sheet.wire((inverter, 0), (14.0, 0))
    sheet.port((14.0, 0), "spike", "right")
    sheet.wire((tap, 0), (tap, -2 * h), (14.0, -2 * h))
    sheet.port((14.0, -2 * h), "spike_bar", "right")
    sheet.dot((0, 0), (second, 0), (tap, 0), (upper[0], 0), (inverter, 0))
    return sheet.svg()


def _network(kind: str) -> str:
    sheet, last = _Sheet(), _LAYER_SIZE - 1
    inputs = [(1.3 + _PITCH * j, 0.8) for j in range(_LAYER_SIZE)]
    sheet.text((1.3 + _PITCH * last / 2, 3.0), "inputs 0 … 4", "center")
    sheet.box((0.9, 0.8), (1.7 + _PITCH * last, 1.6), "5 × spike_driver")
    for x, _ in inputs:
        sheet.arrow((x, 2.6), (x, 1.6))
    hidden = _layer(sheet, "hidden", inputs, 0.0)
    # the first neuron's line turns down last: so no two of them cross
    corners = [(10.6 + _PITCH * (last - k), y) for k, (_, y) in enumerate(hidden)]
    for start, corner in zip(hidden, corners, strict=True):
        sheet.wire(start, corner)
    for k, (x, y) in enumerate(_layer(sheet, "output", corners, -5.0)):
        sheet.arrow((x, y), (x + 0.7, y))
        sheet.text((x + 0.9, y), f"spike {k}", "left")
    sheet.box((8.8, 1.75), (9.1, 2.05))
    sheet.text((9.4, 1.9), f"synapse_{kind}", "left")
    sheet.text((8.8, 1.2), "vertical: spike lines (spike, spike_bar)", "left")
    sheet.text((8.8, 0.6), "horizontal: membranes", "left")
    _phases(sheet, -6.0)
    return sheet.svg()


def _layer(sheet: _Sheet, name: str, spike_lines: list[Point], top: float) -> list[Point]:
    """Vertical spike lines, horizontal membranes, a synapse at each crossing, a neuron at the end of each membrane.

    `spike_lines` holds their upper ends, `top` is the height of the first membrane; returns the neurons' output terminals.
    """
    columns = sorted(x for x, _ in spike_lines)
    rows = [top - _PITCH * k for k in range(_LAYER_SIZE)]
    for x, start in spike_lines:
        sheet.wire((x, start), (x, rows[-1] - 0.4))
    neuron, half = columns[-1] + 0.9, 0.15
    for k, y in enumerate(rows):
        sheet.wire((columns[0] - 0.5, y), (neuron, y))
        for x in columns:
            sheet.box((x - half, y - half), (x + half, y + half))
        sheet.box((neuron, y - 0.3), (neuron + 1.9, y + 0.3), f"neuron {k}")
    sheet.text((columns[0] + _PITCH * 2, rows[-1] - 0.8), f"{name} layer", "center")
    return [(neuron + 1.9, y) for y in rows]


def _phases(sheet: _Sheet, top: float) -> None:
    """When each layer is reset, accumulates and fires: the output layer one phase after the hidden layer."""
    edges = (1.2, 2.4, 4.8, 7.2, 9.6)
    for time, x in zip(("0", "T", "2T", "3T"), edges[1:], strict=True):
        sheet.text((x, top + 0.35), time, "center")
    rows = {
        "inputs": ("", "spikes", "", ""),
        "hidden": ("reset", "accumulation", "firing", "reset"),
        "output": ("reset", "reset", "accumulation", "firing"),
    }
    for k, (layer, phases) in enumerate(rows.items()):
        y = top - 0.9 * (k + 1)
        sheet.text((edges[0] - 0.2, y + 0.35), layer, "right")
        for start, end, phase in zip(edges, edges[1:], phases, strict=False):
            if phase:
                sheet.box((start, y), (end, y + 0.7), phase)
