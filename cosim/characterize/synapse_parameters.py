"""Datasheet measurements of a synapse: its current over the membrane, the charges of switching it, its curve against the bias."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Accuracy, Bench
from cosim.characterize.held_membrane import integral, line_parameters, rail_to_rail
from cosim.simulator import DcSweep, Point, Transient, Waveforms
from netlists.cell_testbenches import LINE_CURRENTS, MEMBRANE_SOURCE, Levels, followed_device, held_neuron, switched_synapse
from netlists.synapse import SIGNS, Sign, SynapseSetting
from netlists.testbenches import SYNAPSE, synapse_iv

EXTRACTOR_VERSION = 2
"""To be raised when what is read off waveforms changes: the store keeps rows by it."""

CODE_NAMES = ("weak", "middle", "strong")
BIAS_STEPS = 72
SETTLED_FROM = 0.5
"""From this share of its on-time a synapse's current counts as settled."""

SWITCHING = Accuracy(1e-5, 1e-17, 4e-9)
"""Of these transients; `cosim sweep --check-accuracy` says what a tenth of the tolerance changes."""


def synapse_codes(bench: Bench, sign: Sign) -> list[tuple[str, SynapseSetting]]:
    """The weakest, middle and strongest code of a sign; none where the cell lacks it."""
    codes = [float(code) for code in bench.cells().synapse.codes(sign, len(CODE_NAMES))]
    return [(name, SynapseSetting(sign, code)) for name, code in zip(CODE_NAMES, codes, strict=False)]


def synapse_line(bench: Bench) -> Iterator[Point]:
    """The membrane of one active synapse held and swept from rail to rail."""
    cells = bench.cells()
    sweep = rail_to_rail(cells.supply_v)
    for sign in SIGNS:
        for name, setting in synapse_codes(bench, sign):
            deck = bench.deck(f"synapse line, sign {sign:+d}, {name}", synapse_iv(cells, setting), sweep, [MEMBRANE_SOURCE])
            extract = partial(line_and_curvature, rest_v=cells.neuron.rest_v)
            yield Point({"sign": sign, "weight": name, "code": setting.code}, deck, extract)


def switching(bench: Bench) -> Iterator[Point]:
    """One synapse switched on and off on a held membrane by ideal edges: its charges, and what its spike lines have to drive."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    on, off, stop = 0.05 * phase, 0.35 * phase, 0.85 * phase
    for sign in SIGNS:
        for name, setting in synapse_codes(bench, sign)[1:]:
            deck = bench.deck(
                f"synapse switched, sign {sign:+d}, {name}", switched_synapse(cells, setting, on, off),
                Transient(stop, phase / 100, SWITCHING.max_step_s), [MEMBRANE_SOURCE, *LINE_CURRENTS], SWITCHING,
            )  # fmt: skip
            extract = partial(switching_parameters, on_s=on, off_s=off, edge_s=cells.timing.edge_s, supply_v=cells.supply_v)
            yield Point({"sign": sign, "weight": name, "code": setting.code}, deck, extract)


def bias_curves(bench: Bench) -> Iterator[Point]:
    """Current of a synapse of each sign, of the discharger and of what else a bias circuit holds, against the gate bias.

    A cell without such a bias has none.
    """
    cells = bench.cells()
    sweep = partial(DcSweep, start=0.0, stop=cells.supply_v, step=cells.supply_v / BIAS_STEPS)
    decks = {"discharger": (held_neuron(cells, None, Levels(phase=True)), "Vdischarger_bias")}
    for device in cells.neuron.dimensions.followed_biases:
        decks[device] = followed_device(cells, device), f"V{device}_bias"
    for sign in SIGNS:
        source = cells.synapse.bias_source(SYNAPSE, sign)
        for _, setting in synapse_codes(bench, sign)[:1]:
            if source:
                decks["plus" if sign > 0 else "minus"] = synapse_iv(cells, setting), source
    for device, (netlist, source) in decks.items():
        deck = bench.deck(f"bias curve, {device}", netlist, sweep(source), [MEMBRANE_SOURCE])
        yield Point({"device": device}, deck, current_over_bias)


def current_over_bias(waveforms: Waveforms) -> dict[str, Any]:
    """Gate bias (V) and magnitude of the current (A)."""
    return {"bias_v": waveforms.axis, "current_a": np.abs(waveforms[MEMBRANE_SOURCE])}


def line_and_curvature(waveforms: Waveforms, rest_v: float) -> dict[str, Any]:
    """Line of a held-membrane current (A, positive towards ground) about rest, its curvature, and how far it holds (V).

    I = I0 [1 + lambda (V - V0)]; `curvature_per_v2` is the quadratic coefficient of a parabola, over I0; `residual_fraction` the
    worst deviation from the line within `LINE_V`, `linear_low_v`, `linear_high_v` where it leaves `LINEAR_WITHIN`.
    """
    return line_parameters(waveforms.axis, -waveforms[MEMBRANE_SOURCE], rest_v)


def switching_parameters(waveforms: Waveforms, on_s: float, off_s: float, edge_s: float, supply_v: float) -> dict[str, Any]:
    """Charges beyond the current of a synapse that is switched on and off (C, positive towards the threshold).

    `charge_on_c` holds the lag of the current behind its line, `charge_off_c` the tail to the end of the waveform; `line_true_f`,
    `line_bar_f`: charge of a line's edge over the supply.
    """
    time, current = waveforms.axis, -waveforms[MEMBRANE_SOURCE]
    before_on, before_off = on_s - 4 * edge_s, off_s - 4 * edge_s
    # A mean, because the current into an ideal source rings from step to step while its integral does not.
    window = on_s + SETTLED_FROM * (off_s - on_s), before_off
    settled = integral(time, current, *window) / (window[1] - window[0])
    idle = float(np.interp(before_on, time, current))
    on = integral(time, current, before_on, before_off) - idle * (on_s - before_on) - settled * (before_off - on_s)
    off = integral(time, current, before_off, time[-1]) - settled * (off_s - before_off) - idle * (time[-1] - off_s)
    true_f, bar_f = (abs(integral(time, waveforms[name], before_on, 0.5 * (on_s + off_s))) / supply_v for name in LINE_CURRENTS)
    return {"current_a": settled, "charge_on_c": on, "charge_off_c": off, "line_true_f": true_f, "line_bar_f": bar_f}
