"""Drawings of the cells and of the network, as SVG: what `netlists.synapse`, `netlists.neuron` and `netlists.network` build."""

from __future__ import annotations

from netlists.errors import NetlistError
from netlists.sheet import FET_HEIGHT, FET_REACH, Point, Sheet
from netlists.synapse_drawings import SYNAPSES
from sky130_models.devices import Fet

_LAYER_SIZE = 5
_PITCH = 0.9  # between the lines of a crossbar


def drawings(kind: str) -> dict[str, str]:
    """The drawings of a design as SVG text by name: synapse_<kind>, neuron, spike_driver, network.

    Args:
        kind: the design's `synapse.kind`; any other text raises `NetlistError`.
    """
    if kind not in SYNAPSES:
        raise NetlistError(f"no drawing of a synapse of kind {kind!r}; it must be one of {', '.join(SYNAPSES)}")
    return {
        f"synapse_{kind}": SYNAPSES[kind](),
        "neuron": _neuron(),
        "spike_driver": _spike_driver(),
        "network": _network(kind),
    }


def _neuron() -> str:
    sheet = Sheet()
    _membrane_side(sheet)
    _sensing_side(sheet)
    return sheet.svg()


def _membrane_side(sheet: Sheet) -> None:
    """Reset gate, capacitors and discharger."""
    h, base, tail = FET_HEIGHT, 0.9, -1.75
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


def _sensing_side(sheet: Sheet) -> None:
    """Starved sensing inverter, output clear and driver."""
    h, x, clear, low, driver = FET_HEIGHT, 9.8, 12.9, -1.6, 14.0
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


def _driver_box(sheet: Sheet, low: Point) -> None:
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
    sheet, h, second, inverter, tap = Sheet(), FET_HEIGHT, 5.6, 10.9, 8.6
    for name, x, signal in (("nand_p_trigger", 0.0, "trigger"), ("nand_p_enable", second, "enable")):
        sheet.supply((x, 0.4 + h))
        sheet.fet(name, Fet.PFET, (x, 0.4 + h), "left", signal)
        sheet.wire((x, 0.4), (x, 0))
    sheet.fet("nand_n_trigger", Fet.NFET, (0, 0), "left", "trigger")
    sheet.fet("nand_n_enable", Fet.NFET, (0, -h), "left", "enable")
    sheet.ground((0, -2 * h))
    sheet.wire((0, 0), (inverter - FET_REACH, 0))
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
    sheet, last = Sheet(), _LAYER_SIZE - 1
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


def _layer(sheet: Sheet, name: str, spike_lines: list[Point], top: float) -> list[Point]:
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


def _phases(sheet: Sheet, top: float) -> None:
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
