"""When a resting column fires: what the bias of the discharger is found by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.characterize.catalogue import NAN, measurement
from cosim.simulator import Point, Transient, Waveforms
from netlists.board import IDEAL, Environment
from netlists.stimulus import PhaseWindow
from netlists.testbenches import MEMBRANE, SPIKE, column

LONGEST_PHASES = 3.0
"""A weak bias is followed this long before it counts as not firing."""


@measurement("firing_time", "output spike of a resting column, as loaded in the first layer (transient)")
def firing_time(bench: Bench) -> Iterator[Point]:
    """At the bias of the cells."""
    yield from points(bench, ColumnSize.in_use(bench.design.shape)[0], [bench.cells().discharger_bias_v])


def points(bench: Bench, size: ColumnSize, biases_v: Iterable[float], board: Environment = IDEAL) -> Iterator[Point]:
    """A resting column fired at several discharger biases, in a phase that lasts until it fires; by itself, or on a board."""
    phase = bench.design.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, (1.1 + LONGEST_PHASES) * phase)
    stop = window.end_s - 0.02 * phase
    for bias in biases_v:
        cells = replace(with_bias(bench.cells(), float(bias)), environment=board)
        deck = bench.deck(
            f"resting column fired with a discharger bias of {bias:.6f} V",
            column(cells, *size.standing(cells), window, stop, fan_out=size.fan_out, merged=bench.nominal),
            Transient(stop, phase / 100, bench.fine.max_step_s), [MEMBRANE, SPIKE], bench.working,
        )  # fmt: skip
        yield Point({"bias_v": float(bias)}, deck, partial(first_spike, fire_s=window.fire_s, level_v=cells.supply_v / 2))


def first_spike(waveforms: Waveforms, fire_s: float, level_v: float, static_threshold_v: float = 0.0) -> dict[str, Any]:
    """Spike time after the start of the firing phase, when the membrane passed its static threshold (s, NaN if they did not), and
    the membrane before the phase and at the spike (V)."""
    spikes = waveforms.crossings(SPIKE, level_v, rising=True, after=fire_s)
    passed = waveforms.crossings(MEMBRANE, static_threshold_v, rising=False, after=fire_s)
    return {
        "before_v": float(waveforms.at(MEMBRANE, fire_s - 5e-9)),
        "spike_s": float(spikes[0] - fire_s) if len(spikes) else NAN,
        "passed_s": float(passed[0] - fire_s) if len(passed) else NAN,
        "at_spike_v": float(waveforms.at(MEMBRANE, spikes[0])) if len(spikes) else NAN,
    }
