"""A neuron without a spike at its inputs, through reset, accumulation and firing: reset level, droop, spike, energy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cosim.bench.bench import QUICK, Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import NAN, Parameter, measurement, of_one_point
from cosim.characterize.held_membrane import integral
from cosim.characterize.measurements.firing_time import LONGEST_PHASES
from cosim.design import Design
from cosim.simulator import Point, Transient, Waveforms
from netlists.cell_testbenches import SUPPLY_SOURCE
from netlists.cell_testbenches import resting_neuron as resting_neuron_netlist
from netlists.stimulus import PhaseWindow, release_lead_s


@measurement("resting_neuron", "reset level, droop, spike and energy of a resting neuron (transient)")
def resting_neuron(bench: Bench) -> Iterator[Point]:
    """Reset, an accumulation without a spike, and firing."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, (1.1 + LONGEST_PHASES) * phase)
    stop = window.end_s - 0.02 * phase
    deck = bench.deck(
        "resting neuron", resting_neuron_netlist(cells, window, stop, bench.design.network.inputs),
        Transient(stop, phase / 100, QUICK.max_step_s), ["v(membrane)", "v(spike)", SUPPLY_SOURCE], QUICK,
    )  # fmt: skip
    lead = release_lead_s(cells.timing)
    yield Point({}, deck, partial(of_a_rest, window=window, phase_s=phase, lead_s=lead, supply_v=cells.supply_v))


def of_a_rest(waveforms: Waveforms, window: PhaseWindow, phase_s: float, lead_s: float, supply_v: float) -> dict[str, Any]:
    """Membrane after its reset is released and how it droops (V, V/s); spike after the phase starts (s); energy from the supply
    in an accumulation and in a firing phase up to its spike or end (J)."""
    released, fire = window.accumulate_s - 0.2 * lead_s, window.fire_s
    early, late = window.accumulate_s + 0.05 * phase_s, fire - 0.05 * phase_s
    droop = (float(waveforms.at("v(membrane)", late)) - float(waveforms.at("v(membrane)", early))) / (late - early)
    spikes = waveforms.crossings("v(spike)", supply_v / 2, rising=True, after=fire)
    spike = float(spikes[0]) if len(spikes) else NAN
    end = min(spike + 0.05 * phase_s, waveforms.axis[-1]) if len(spikes) else waveforms.axis[-1]
    power = -supply_v * waveforms[SUPPLY_SOURCE]
    return {
        "reset_v": float(waveforms.at("v(membrane)", released + 0.1 * phase_s)), "droop_v_per_s": droop, "spike_s": spike - fire,
        "energy_accumulate_j": integral(waveforms.axis, power, window.accumulate_s, fire - lead_s),
        "energy_fire_j": integral(waveforms.axis, power, fire - lead_s, end),
    }  # fmt: skip


@resting_neuron.gives(
    Parameter("reset_error_v", "membrane after reset, less rest", "V"),
    Parameter("droop_v_per_s", "drift of an idle membrane", "V/s"),
    Parameter("spike_s", "output spike of a resting membrane", "s", scale="log"),
    Parameter("energy_accumulate_j", "supply energy of an accumulation without spikes", "J"),
    Parameter("energy_fire_j", "supply energy of firing up to the spike", "J"),
    place=3,
)  # fmt: skip
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """As they are; the reset level from rest."""
    kept = ("droop_v_per_s", "spike_s", "energy_accumulate_j", "energy_fire_j")
    found = of_one_point(measured, {"reset_error_v": "reset_v", **{name: name for name in kept}})
    return {**found, "reset_error_v": found["reset_error_v"] - design.neuron.rest_v}
