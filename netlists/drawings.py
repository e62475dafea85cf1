"""Drawings of the cells and of the network, as SVG: what `netlists.synapse`, `netlists.neuron` and `netlists.network` build.

Every transistor stands with its drain and source vertical. Bulks are not drawn: those of NMOS are at ground, those of PMOS at the
supply.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from sky130_models.devices import Fet

Point = tuple[float, float]
Side = Literal["left", "right"]

_FET_HEIGHT = 1.5  # terminal to terminal of schemdraw's NFet and PFet, in drawing units
_FET_REACH = 1.367  # channel lead to gate terminal
_SCALE_INCHES = 0.42  # of a drawing unit
_FONT_SIZE = 11.0
_LINE_WIDTH = 1.4
_FONT = "Arial, Helvetica, sans-serif"
_TEXT_MARGIN_PT = 90.0  # schemdraw does not count free text into the size of its picture
_LAYER_SIZE = 5


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
        "network": _network(),
    }


class _Sheet:
    """A drawing in absolute coordinates (drawing units, y upwards)."""

    def __init__(self) -> None:
        import schemdraw
        import schemdraw.elements

        schemdraw.svgconfig.text = "text"  # outlines instead of text could be neither searched nor copied
        self._elements = schemdraw.elements
        self._drawing = schemdraw.Drawing(canvas="svg", show=False)
        self._drawing.config(inches_per_unit=_SCALE_INCHES, fontsize=_FONT_SIZE, font=_FONT, lw=_LINE_WIDTH)

    def svg(self) -> str:
        image: bytes = self._drawing.get_imagedata("svg")
        return _with_margin(image.decode(), _TEXT_MARGIN_PT)

    def fet(self, name: str, kind: Fet, top: Point, gate: Side, signal: str = "") -> Point:
        """Draw a transistor hanging from `top`, its name behind the channel; returns its gate terminal."""
        symbol = self._elements.PFet if "pfet" in kind else self._elements.NFet
        element = symbol().theta(0).anchor("source" if "pfet" in kind else "drain").at(top)
        self._drawing.add(element.reverse() if gate == "left" else element)
        x, middle = top[0], top[1] - _FET_HEIGHT / 2
        outward = -1 if gate == "left" else 1
        self.text((x - 0.2 * outward, middle), f"{name}\n{_model(kind)}", "left" if gate == "left" else "right")
        terminal = (x + outward * _FET_REACH, middle)
        self.text((terminal[0] + 0.12 * outward, middle), signal, "right" if gate == "left" else "left")
        return terminal

    def two_terminal(self, symbol: str, name: str, model: str, top: Point, bottom: Point) -> None:
        """Draw a Capacitor or Resistor between two points above each other, its name to the right."""
        self._drawing.add(getattr(self._elements, symbol)().endpoints(top, bottom))
        self.text((top[0] + 0.45, (top[1] + bottom[1]) / 2), f"{name}\n{model}", "left")

    def wire(self, *points: Point, style: str = "-", arrow: str | None = None) -> None:
        for start, end in pairwise(points):
            last = end == points[-1]
            self._drawing.add(self._elements.Line(arrow=arrow if last else None).endpoints(start, end).linestyle(style))

    def dot(self, *points: Point) -> None:
        for point in points:
            self._drawing.add(self._elements.Dot(radius=0.08).at(point))

    def port(self, point: Point, name: str, side: Side) -> None:
        """A node that leaves the cell, its name on the given side."""
        self._drawing.add(self._elements.Dot(radius=0.08, open=True).at(point))
        offset = -0.2 if side == "left" else 0.2
        self.text((point[0] + offset, point[1]), name, "right" if side == "left" else "left")

    def ground(self, point: Point) -> None:
        self._drawing.add(self._elements.Ground().theta(0).at(point))

    def supply(self, point: Point) -> None:
        self._drawing.add(self._elements.Vdd().theta(0).at(point))
        self.text((point[0], point[1] + 0.75), "supply", "center")

    def box(self, low: Point, high: Point, text: str = "") -> None:
        self._drawing.add(self._elements.Rect(low, high).theta(0).at((0, 0)))
        self.text(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2), text, "center")

    def text(self, point: Point, text: str, align: Literal["left", "center", "right"], size: float = _FONT_SIZE) -> None:
        from schemdraw.segments import SegmentText

        element = self._elements.Element().theta(0).at(point)
        element.segments.append(SegmentText((0, 0), text, align=(align, "center"), fontsize=size))
        self._drawing.add(element)


def _model(kind: Fet) -> str:
    return kind.removeprefix("sky130_fd_pr__")


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
    sheet.text((4, h), "w < 0: current from the supply,\naway from the threshold", "left")
    sheet.text((4, -h), "w ≥ 0: current to ground,\ntowards the threshold", "left")
    return sheet.svg()


def _resistive_synapse() -> str:
    sheet, h, apart = _Sheet(), _FET_HEIGHT, 9.0
    sheet.two_terminal("Resistor", "weight", "res_xhigh_po", (0, 2 * h), (0, 0))
    sheet.fet("n_switch", Fet.NFET, (0, 0), "left", "spike")
    sheet.ground((0, -h))
    sheet.port((0, 2 * h), "membrane", "right")
    sheet.text((-1, -h - 1.4), "w > 0: towards the threshold", "left")
    sheet.supply((apart, 2 * h))
    sheet.fet("p_switch", Fet.PFET, (apart, 2 * h), "left", "spike_bar")
    sheet.two_terminal("Resistor", "weight", "res_xhigh_po", (apart, h), (apart, -h))
    sheet.port((apart, -h), "membrane", "right")
    sheet.text((apart - 1, -h - 1.4), "w < 0: away from the threshold", "left")
    return sheet.svg()


def _neuron() -> str:
    sheet = _Sheet()
    sheet.port((-0.5, 0), "membrane", "left")
    sheet.wire((-0.5, 0), (13, 0))
    _membrane_side(sheet)
    _sensing_side(sheet)
    return sheet.svg()


def _membrane_side(sheet: _Sheet) -> None:
    """Reset gate, capacitors and discharger."""
    h = _FET_HEIGHT
    for x, name, kind, gate, signal in (
        (2.0, "reset_n", Fet.NFET, "left", "reset"),
        (6.5, "reset_p", Fet.PFET, "right", "reset_bar"),
    ):
        sheet.fet(name, kind, (x, 0.4 + h), "left" if gate == "left" else "right", signal)
        sheet.wire((x, 0.4), (x, 0))
        sheet.wire((x, 0.4 + h), (x, 0.8 + h))
    sheet.wire((2.0, 0.8 + h), (6.5, 0.8 + h))
    sheet.wire((4.25, 0.8 + h), (4.25, 1.3 + h))
    sheet.port((4.25, 1.3 + h), "rest", "right")
    for x, name, model in ((0.5, "membrane", "cap_mim_m3_2"), (4.0, "wire", "layout")):
        sheet.two_terminal("Capacitor", name, model, (x, 0), (x, -2))
        sheet.ground((x, -2))
    sheet.fet("discharger", Fet.NFET, (10.8, 0), "left", "discharger_bias")
    sheet.fet("discharger_switch", Fet.NFET, (10.8, -h), "left", "phase")
    sheet.ground((10.8, -2 * h))
    sheet.dot((0.5, 0), (2.0, 0), (4.0, 0), (6.5, 0), (10.8, 0), (4.25, 0.8 + h))


def _sensing_side(sheet: _Sheet) -> None:
    """Starved sensing inverter, output clear and driver."""
    h, x, clear = _FET_HEIGHT, 17.2, 23.0
    sheet.supply((x, 0.4 + 3 * h))
    sheet.fet("pullup", Fet.PFET, (x, 0.4 + 3 * h), "left", "pullup_bias")
    sheet.fet("header", Fet.PFET, (x, 0.4 + 2 * h), "left", "phase_bar")
    upper = sheet.fet("sensing_p", Fet.PFET_HVT, (x, 0.4 + h), "left")
    sheet.wire((x, 0.4), (x, -0.4))
    lower = sheet.fet("sensing_n", Fet.NFET_LVT, (x, -0.4), "left")
    sheet.ground((x, -0.4 - h))
    sheet.wire((13, 0), (upper[0], 0))
    sheet.wire(upper, lower)
    sheet.wire((x, 0), (25.5, 0))
    sheet.text((x + 1.3, 0.25), "out", "center")
    sheet.wire((clear, 0), (clear, -0.4))
    sheet.fet("output_clear", Fet.NFET, (clear, -0.4), "left", "reset")
    sheet.ground((clear, -0.4 - h))
    sheet.dot((upper[0], 0), (x, 0), (clear, 0))
    _driver_box(sheet, (25.5, -0.5))


def _driver_box(sheet: _Sheet, low: Point) -> None:
    """The driver, called as a sub-circuit: trigger at the first input, enable at the second."""
    x, y = low
    sheet.box(low, (x + 2.8, y + 2.4), "driver\nspike_driver")
    sheet.wire((x - 0.6, y + 1.9), (x, y + 1.9))
    sheet.port((x - 0.6, y + 1.9), "phase", "left")
    for name, height in (("spike", 1.9), ("spike_bar", 0.5)):
        sheet.wire((x + 2.8, y + height), (x + 3.3, y + height))
        sheet.port((x + 3.3, y + height), name, "right")
    sheet.supply((x + 1.4, y + 2.4))


def _spike_driver() -> str:
    sheet, h, x, second, inverter = _Sheet(), _FET_HEIGHT, 0.0, 7.0, 13.0
    for name, at, signal in (("nand_p_trigger", x, "trigger"), ("nand_p_enable", second, "enable")):
        sheet.supply((at, 0.6 + h))
        sheet.fet(name, Fet.PFET, (at, 0.6 + h), "left", signal)
        sheet.wire((at, 0.6), (at, 0))
    sheet.fet("nand_n_trigger", Fet.NFET, (x, 0), "left", "trigger")
    sheet.fet("nand_n_enable", Fet.NFET, (x, -h), "left", "enable")
    sheet.ground((x, -2 * h))
    sheet.wire((x, 0), (inverter - _FET_REACH, 0))
    sheet.supply((inverter, 0.6 + h))
    upper = sheet.fet("spike_p", Fet.PFET, (inverter, 0.6 + h), "left")
    sheet.wire((inverter, 0.6), (inverter, -0.6))
    lower = sheet.fet("spike_n", Fet.NFET, (inverter, -0.6), "left")
    sheet.ground((inverter, -0.6 - h))
    sheet.wire(upper, lower)
    sheet.wire((9.6, 0), (9.6, -2.9), (16.5, -2.9))
    sheet.port((16.5, -2.9), "spike_bar", "right")
    sheet.wire((inverter, 0), (16.5, 0))
    sheet.port((16.5, 0), "spike", "right")
    sheet.dot((x, 0), (second, 0), (9.6, 0), (upper[0], 0), (inverter, 0))
    return sheet.svg()


def _network() -> str:
    """What feeds what, and above all when: the phases of each layer."""
    sheet, n = _Sheet(), _LAYER_SIZE
    blocks = [
        f"{n} inputs\nspike drivers", f"hidden crossbar\n{n} x {n} synapses", f"{n} hidden\nneurons",
        f"output crossbar\n{n} x {n} synapses", f"{n} output\nneurons",
    ]  # fmt: skip
    lines = ["spikes", "membranes", "spikes", "membranes", "spikes"]
    width, gap = 3.6, 2.3
    for k, (block, line) in enumerate(zip(blocks, lines, strict=True)):
        left = k * (width + gap)
        sheet.box((left, -0.9), (left + width, 0.9), block)
        sheet.wire((left + width, 0), (left + width + gap, 0), arrow="->")
        sheet.text((left + width + gap / 2 - 0.05, 0.35), line, "center")
    _phases(sheet, (4.2, -2.6))
    return sheet.svg()


def _phases(sheet: _Sheet, corner: Point) -> None:
    """When each layer is reset, accumulates and fires: the layers run one phase apart."""
    width, height, (left, top) = 4.4, 1.1, corner
    for row, (layer, first) in enumerate((("hidden", 0), ("output", 1))):
        y = top - row * (height + 0.3)
        sheet.text((left - 0.4, y - height / 2), f"{layer} layer", "right")
        for k, phase in enumerate(("reset", "accumulation", "firing", "reset")):
            x = left + (first + k) * width
            if first + k < 5:
                sheet.box((x, y - height), (x + width, y), phase)
    bottom = top - 2 * (height + 0.3)
    sheet.wire((left, bottom), (left + 5 * width, bottom), arrow="->")
    sheet.text((left + 2.5 * width, bottom - 0.45), "time, one phase T per box", "center")


def _with_margin(svg: str, margin_pt: float) -> str:
    """The picture with room on both sides for the text that stands out of it."""
    x, y, width, height = (float(value) for value in re.search(r'viewBox="([^"]*)"', svg)[1].split())  # type: ignore[index]
    box = f"{x - margin_pt:g} {y - 10:g} {width + 2 * margin_pt:g} {height + 20:g}"
    sized = re.sub(r'viewBox="[^"]*"', f'viewBox="{box}"', svg, count=1)
    sized = re.sub(r' height="[^"]*"', f' height="{height + 20:g}pt"', sized, count=1)
    return re.sub(r' width="[^"]*"', f' width="{width + 2 * margin_pt:g}pt"', sized, count=1)
