"""Switching threshold and delay of sensing inverter and output logic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import QUICK, Bench
from cosim.bench.lines import line_fit
from cosim.bench.results import Measured
from cosim.characterize.catalogue import NAN, Parameter, measurement, of_one_point
from cosim.characterize.held_membrane import edges_v
from cosim.design import Design
from cosim.simulator import Point, Transient, Waveforms
from netlists.cell_testbenches import Levels, held_neuron
from training.hardware.variation import SWING

SLOPES = (2.0, 1.0, 0.5)
"""Slopes of the ramps through the switching threshold, in swings (0.9 V) a phase."""

RAMP_SWING_V = 0.9


@measurement("sensing", "switching threshold and delay of the neuron against slope (transient)")
def sensing(bench: Bench) -> Iterator[Point]:
    """A membrane that falls through the switching threshold at three slopes, one after the other."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    top, bottom = cells.neuron.rest_v, edges_v(cells)[0]
    points, starts, time = [(0.0, top)], [], 0.02 * phase
    for slope in SLOPES:
        starts.append(time)
        fall = (top - bottom) / (slope * RAMP_SWING_V) * phase
        points += [(time, top), (time + fall, bottom), (time + fall + 0.02 * phase, top)]
        time += fall + 0.1 * phase
    deck = bench.deck(
        "ramps through the switching threshold", held_neuron(cells, points, Levels(phase=True)),
        Transient(time, phase / 100, QUICK.max_step_s), ["v(membrane)", "v(spike)"], QUICK,
    )  # fmt: skip
    slopes = [slope * RAMP_SWING_V / phase for slope in SLOPES]
    extract = partial(
        threshold_and_delay, starts_s=starts, slopes_v_per_s=slopes, level_v=cells.supply_v / 2, bottom_v=bottom
    )  # fmt: skip
    yield Point({}, deck, extract)


def threshold_and_delay(
    waveforms: Waveforms, starts_s: list[float], slopes_v_per_s: list[float], level_v: float, bottom_v: float
) -> dict[str, Any]:
    """The membrane when the output spikes (V) is threshold - slope * delay: both, by least squares over the ramps.

    `threshold_v` is that line at the slope of a phase, what a firing membrane sees. A ramp that ends (at `bottom_v`) before its
    spike says nothing; with fewer than two that spike all is NaN.
    """
    seen = []
    for start, slope in zip(starts_s, slopes_v_per_s, strict=True):
        spikes = waveforms.crossings("v(spike)", level_v, rising=True, after=start)
        end = start + (float(waveforms.at("v(membrane)", start)) - bottom_v) / slope
        seen.append(float(waveforms.at("v(membrane)", spikes[0])) if len(spikes) and spikes[0] <= end else NAN)
    spiked = np.isfinite(seen)
    if spiked.sum() < 2:
        return dict.fromkeys(("threshold_v", "static_threshold_v", "delay_s", "residual_v"), NAN)
    slopes = np.array(slopes_v_per_s)
    line = line_fit(slopes[spiked], np.array(seen)[spiked])
    of_a_phase = slopes[SLOPES.index(1.0)]
    return {
        "threshold_v": line.intercept + line.slope * of_a_phase, "static_threshold_v": line.intercept, "delay_s": -line.slope,
        "residual_v": line.worst_residual,
    }  # fmt: skip


@sensing.gives(
    Parameter(SWING, "swing, rest less threshold", "V"),
    Parameter("threshold_v", "switching threshold at the slope of a phase", "V"),
    Parameter("static_threshold_v", "switching threshold, slope zero", "V"),
    Parameter("sensing_delay_s", "delay of sensing inverter and output logic", "s"),
    place=1,
)  # fmt: skip
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """As they are, and the swing from rest."""
    columns = {"threshold_v": "threshold_v", "static_threshold_v": "static_threshold_v", "sensing_delay_s": "delay_s"}
    found = of_one_point(measured, columns)
    return {**found, SWING: design.neuron.rest_v - found["threshold_v"]}
