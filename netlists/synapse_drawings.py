"""Drawings of the synapse cells, as SVG: what `netlists.synapse` builds."""

from __future__ import annotations

from collections.abc import Callable

from netlists.sheet import FET_HEIGHT, Sheet
from sky130_models.devices import Fet


def _current_source_synapse() -> str:
    sheet, h = Sheet(), FET_HEIGHT
    sheet.supply((0, 2 * h))
    sheet.fet("p_selector", Fet.PFET, (0, 2 * h), "left", "spike_bar")
    sheet.fet("p_memory", Fet.PFET, (0, h), "left", "p_bias")
    sheet.fet("n_memory", Fet.NFET, (0, 0), "left", "n_bias")
    sheet.fet("n_selector", Fet.NFET, (0, -h), "left", "spike")
    sheet.ground((0, -2 * h))
    _membrane_to_the_right(sheet, h)
    return sheet.svg()


def _membrane_to_the_right(sheet: Sheet, h: float) -> None:
    sheet.dot((0, 0))
    sheet.wire((0, 0), (4, 0))
    sheet.port((4, 0), "membrane", "right")
    for y, line in ((h + 0.25, "w < 0: current from the supply,"), (h - 0.25, "away from the threshold")):
        sheet.text((4, y), line, "left")
    for y, line in ((0.25 - h, "w ≥ 0: current to ground,"), (-0.25 - h, "towards the threshold")):
        sheet.text((4, y), line, "left")


def _resistive_synapse() -> str:
    sheet, h, apart = Sheet(), FET_HEIGHT, 7.5
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


def _cascode_synapse() -> str:
    sheet, h = Sheet(), FET_HEIGHT
    sheet.supply((0, 3 * h))
    sheet.fet("p_selector", Fet.PFET, (0, 3 * h), "left", "spike_bar")
    sheet.fet("p_memory", Fet.PFET, (0, 2 * h), "left", "p_bias")
    sheet.fet("p_cascode", Fet.PFET, (0, h), "left", "p_cascode (shared)")
    sheet.fet("n_cascode", Fet.NFET, (0, 0), "left", "n_cascode (shared)")
    sheet.fet("n_memory", Fet.NFET, (0, -h), "left", "n_bias")
    sheet.fet("n_selector", Fet.NFET, (0, -2 * h), "left", "spike")
    sheet.ground((0, -3 * h))
    _membrane_to_the_right(sheet, h)
    return sheet.svg()


def _transmission_gate_synapse() -> str:
    sheet, h, apart, reach = Sheet(), FET_HEIGHT, 10.5, 4.2
    for x, towards_rail in ((0.0, -1), (apart, 1)):
        middle, near, far = x + reach / 2, towards_rail * h / 2, towards_rail * 2 * h
        sheet.fet("n_switch", Fet.NFET, (x, h / 2), "left", "spike")
        sheet.fet("p_switch", Fet.PFET, (x + reach, h / 2), "right", "spike_bar")
        for y in (near, -near):
            sheet.wire((x, y), (x + reach, y))
        sheet.two_terminal("Resistor", "weight", "res_xhigh_po", (middle, max(near, far)), (middle, min(near, far)))
        sheet.wire((middle, -near), (middle, -1.6 * near))
        sheet.dot((middle, near), (middle, -near))
        sheet.port((middle, -1.6 * near), "membrane", "right")
    sheet.ground((reach / 2, -2 * h))
    sheet.supply((apart + reach / 2, 2 * h))
    sheet.text((reach / 2, -2 * h - 1.2), "w > 0: towards the threshold", "center")
    sheet.text((apart + reach / 2, -2 * h - 1.2), "w < 0: away from the threshold", "center")
    return sheet.svg()


def _binary_weighted_synapse() -> str:
    """The first bit and any other, b."""
    sheet, apart = Sheet(), 7.0
    sheet.wire((0, 0), (apart + 3.4, 0))
    sheet.port((apart + 3.4, 0), "membrane", "right")
    sheet.dot((0, 0), (apart, 0))
    _branches(sheet, ("p", Fet.PFET, "spike_bar"), apart, above=True)
    _branches(sheet, ("n", Fet.NFET, "spike"), apart, above=False)
    sheet.text((apart + 1.5, -3.9), "b = 1, 2, …: 2ᵇ units side by side", "left")
    return sheet.svg()


def _branches(sheet: Sheet, branch: tuple[str, Fet, str], apart: float, above: bool) -> None:
    """Memory and bit switch of two bits, and the selector that they share, above or below the membrane."""
    name, kind, line = branch
    h, side, start = FET_HEIGHT, 1 if above else -1, 0.5
    # A transistor hangs from its upper terminal.
    memory, switch, selector = (side * (start + k * h) + (h if above else 0) for k in range(3))
    for x, bit in ((0.0, "0"), (apart, "b")):
        sheet.wire((x, 0), (x, side * start))
        sheet.fet(f"{name}_memory_{bit}", kind, (x, memory), "left", f"{name}_bias")
        sheet.fet(f"{name}_switch_{bit}", kind, (x, switch), "left", f"{name}_bit_{bit}")
    tail = side * (start + 2 * h)
    sheet.wire((0, tail), (apart, tail))
    sheet.dot((apart / 2, tail))
    sheet.fet(f"{name}_selector", kind, (apart / 2, selector), "left", line)
    end = (apart / 2, side * (start + 3 * h))
    if above:
        sheet.supply(end)
    else:
        sheet.ground(end)


def _netlist_synapse() -> str:
    """What stands between the pins is the user's."""
    sheet = Sheet()
    sheet.box((0, 0), (4.2, 4.2), "your sub-circuit")
    for y, line in ((3.5, "spike"), (2.5, "spike_bar"), (1.5, "bias_n"), (0.5, "bias_p")):
        sheet.wire((-0.8, y), (0, y))
        sheet.port((-0.8, y), line, "left")
    sheet.wire((4.2, 2.1), (5.0, 2.1))
    sheet.port((5.0, 2.1), "membrane", "right")
    sheet.supply((2.1, 4.2))
    sheet.ground((2.1, 0))
    for y, what in ((3.6, "current of the weight"), (3.1, "while spike is high"), (0.6, "other pins at fixed levels")):
        sheet.text((5.0, y), what, "left")
    return sheet.svg()


SYNAPSES: dict[str, Callable[[], str]] = {
    "current_source": _current_source_synapse,
    "cascode": _cascode_synapse,
    "resistive": _resistive_synapse,
    "transmission_gate": _transmission_gate_synapse,
    "binary_weighted": _binary_weighted_synapse,
    "netlist": _netlist_synapse,
}
"""What draws a synapse, by its kind."""
