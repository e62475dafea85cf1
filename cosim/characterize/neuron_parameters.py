"""Datasheet measurements of a neuron: discharger, switching threshold and delay, membrane charge, a firing from rest."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Accuracy, Bench
from cosim.characterize.discharger import LONGEST_PHASES
from cosim.characterize.held_membrane import integral, line_parameters, rail_to_rail
from cosim.characterize.synapse_current import EDGE_OF_RAILS_V, line_fit
from cosim.simulator import DcSweep, Point, Transient, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE, SUPPLY_SOURCE, Levels, held_neuron, resting_neuron
from netlists.stimulus import PhaseWindow, release_lead_s

EXTRACTOR_VERSION = 1
"""To be raised when what is read off waveforms changes: the store keeps rows by it."""

BIAS_STEP_V = 0.02
SLOPES = (2.0, 1.0, 0.5)
"""Slopes of the ramps through the switching threshold, in swings (0.9 V) a phase."""

RAMP_SWING_V = 0.9
TRIANGLE_S = 100e-9
CHARGE_POINTS = 31
TRANSIENT = Accuracy(1e-4, 1e-15, 50e-9)
"""Of these transients; `cosim sweep --check-accuracy` says what a tenth of the tolerance changes."""


def discharger_line(bench: Bench) -> Iterator[Point]:
    """The membrane of a firing neuron held and swept, at its bias and a little below and above."""
    cells = bench.cells()
    bias = cells.discharger_bias_v
    outer = DcSweep("Vdischarger_bias", bias - BIAS_STEP_V, bias + BIAS_STEP_V, BIAS_STEP_V)
    inner = rail_to_rail(cells.supply_v)
    sweep = DcSweep(inner.source, inner.start, inner.stop, inner.step, outer)
    deck = bench.deck("discharger line", held_neuron(cells, None, Levels(phase=True)), sweep, [MEMBRANE_SOURCE])
    yield Point({"bias_v": bias}, deck, partial(discharger_parameters, rest_v=cells.neuron.rest_v))


def sensing(bench: Bench) -> Iterator[Point]:
    """A membrane that falls through the switching threshold at three slopes, one after the other."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    top, bottom = cells.neuron.rest_v, EDGE_OF_RAILS_V
    points, starts, time = [(0.0, top)], [], 0.02 * phase
    for slope in SLOPES:
        starts.append(time)
        fall = (top - bottom) / (slope * RAMP_SWING_V) * phase
        points += [(time, top), (time + fall, bottom), (time + fall + 0.02 * phase, top)]
        time += fall + 0.1 * phase
    deck = bench.deck(
        "ramps through the switching threshold", held_neuron(cells, points, Levels(phase=True)),
        Transient(time, phase / 100, TRANSIENT.max_step_s), ["v(membrane)", "v(spike)"], TRANSIENT,
    )  # fmt: skip
    slopes = [slope * RAMP_SWING_V / phase for slope in SLOPES]
    yield Point({}, deck, partial(threshold_and_delay, starts_s=starts, slopes_v_per_s=slopes, level_v=cells.supply_v / 2))


def membrane_charge(bench: Bench) -> Iterator[Point]:
    """A membrane that is forced down and up again: with its synapses, and without any."""
    cells = bench.cells()
    high, low = cells.supply_v - EDGE_OF_RAILS_V, EDGE_OF_RAILS_V
    settle = 0.2 * TRIANGLE_S
    ends = [settle, settle + TRIANGLE_S, settle + 2 * TRIANGLE_S]
    points = [(0.0, high), *zip(ends, (high, low, high), strict=True)]
    for synapses in (bench.design.network.inputs, 0):
        deck = bench.deck(
            f"charge of a membrane with {synapses} synapses", held_neuron(cells, points, Levels(), synapses),
            Transient(ends[-1], TRIANGLE_S / 25, TRIANGLE_S / 25), [MEMBRANE_SOURCE], TRANSIENT,
        )  # fmt: skip
        extract = partial(triangle_charge, ends_s=ends, high_v=high, low_v=low)
        yield Point({"synapses": synapses}, deck, extract)


def resting(bench: Bench) -> Iterator[Point]:
    """Reset, an accumulation without a spike, and firing: reset level, droop, spike time, energy."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, (1.1 + LONGEST_PHASES) * phase)
    stop = window.end_s - 0.02 * phase
    deck = bench.deck(
        "resting neuron", resting_neuron(cells, window, stop, bench.design.network.inputs),
        Transient(stop, phase / 100, TRANSIENT.max_step_s), ["v(membrane)", "v(spike)", SUPPLY_SOURCE], TRANSIENT,
    )  # fmt: skip
    lead = release_lead_s(cells.timing)
    yield Point({}, deck, partial(resting_parameters, window=window, phase_s=phase, lead_s=lead, supply_v=cells.supply_v))


def discharger_parameters(waveforms: Waveforms, rest_v: float) -> dict[str, Any]:
    """The discharger's line at its own bias, and d ln I / d bias at rest (1/V)."""
    outer = waveforms.outer_axis
    assert outer is not None
    curves = [(waveforms.axis[outer == bias], -waveforms[MEMBRANE_SOURCE][outer == bias]) for bias in np.unique(outer)]
    lines = [line_parameters(membrane, current, rest_v) for membrane, current in curves]
    below, above = lines[0]["current_a"], lines[-1]["current_a"]
    slope = np.log(above / below) / float(np.ptp(outer)) if above > 0 and below > 0 else float("nan")
    return {**lines[len(lines) // 2], "log_slope_per_v": float(slope)}


def threshold_and_delay(
    waveforms: Waveforms, starts_s: list[float], slopes_v_per_s: list[float], level_v: float
) -> dict[str, Any]:
    """The membrane when the output spikes (V) is threshold - slope * delay: both, by least squares over the ramps.

    `threshold_v` is that line at the slope of a phase, what a firing membrane sees. A ramp that ends before its spike says
    nothing; with fewer than two that spike all is NaN.
    """
    seen = []
    for start, slope in zip(starts_s, slopes_v_per_s, strict=True):
        spikes = waveforms.crossings("v(spike)", level_v, rising=True, after=start)
        end = start + (float(waveforms.at("v(membrane)", start)) - EDGE_OF_RAILS_V) / slope
        seen.append(float(waveforms.at("v(membrane)", spikes[0])) if len(spikes) and spikes[0] <= end else float("nan"))
    spiked = np.isfinite(seen)
    if spiked.sum() < 2:
        return dict.fromkeys(("threshold_v", "static_threshold_v", "delay_s", "residual_v"), float("nan"))
    slopes = np.array(slopes_v_per_s)
    intercept, slope, _, residual = line_fit(slopes[spiked], np.array(seen)[spiked])
    of_a_phase = slopes[SLOPES.index(1.0)]
    return {
        "threshold_v": intercept + slope * of_a_phase, "static_threshold_v": intercept, "delay_s": -slope, "residual_v": residual,
    }  # fmt: skip


def triangle_charge(waveforms: Waveforms, ends_s: list[float], high_v: float, low_v: float) -> dict[str, Any]:
    """Charge (C) that has left the membrane between its highest voltage and each of the grid (V, falling).

    The mean of the way down and the way up: what leaks at a voltage flows both ways and cancels.
    """
    share = np.linspace(0.0, 1.0, CHARGE_POINTS)
    start, turn, end = ends_s
    current, time = waveforms[MEMBRANE_SOURCE], waveforms.axis
    charge = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]) * np.diff(time))])
    down, up = np.interp(start + share * (turn - start), time, charge), np.interp(end - share * (end - turn), time, charge)
    # Out of the membrane counts positive: the source delivers i(vmembrane) < 0 while it pushes the membrane down.
    gone = 0.5 * ((down - down[0]) + (up - up[0]))
    return {"membrane_v": high_v + share * (low_v - high_v), "charge_c": gone}


def resting_parameters(
    waveforms: Waveforms, window: PhaseWindow, phase_s: float, lead_s: float, supply_v: float
) -> dict[str, Any]:
    """Membrane after its reset is released and how it droops (V, V/s); spike after the phase starts (s); energy from the supply
    in an accumulation and in a firing phase up to its spike or end (J)."""
    released, fire = window.accumulate_s - 0.2 * lead_s, window.fire_s
    early, late = window.accumulate_s + 0.05 * phase_s, fire - 0.05 * phase_s
    droop = (float(waveforms.at("v(membrane)", late)) - float(waveforms.at("v(membrane)", early))) / (late - early)
    spikes = waveforms.crossings("v(spike)", supply_v / 2, rising=True, after=fire)
    spike = float(spikes[0]) if len(spikes) else float("nan")
    end = min(spike + 0.05 * phase_s, waveforms.axis[-1]) if len(spikes) else waveforms.axis[-1]
    power = -supply_v * waveforms[SUPPLY_SOURCE]
    return {
        "reset_v": float(waveforms.at("v(membrane)", released + 0.1 * phase_s)), "droop_v_per_s": droop, "spike_s": spike - fire,
        "energy_accumulate_j": integral(waveforms.axis, power, window.accumulate_s, fire - lead_s),
        "energy_fire_j": integral(waveforms.axis, power, fire - lead_s, end),
    }  # fmt: skip
