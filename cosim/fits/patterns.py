"""Random spike patterns on a column of the real cells: what a neuron model is fitted to, and what it is judged on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Accuracy, Bench
from cosim.errors import CosimError
from cosim.fits.membrane_model import FloatArray, Spike, Trace
from cosim.mapping.codes import setting_of_weight, weight_of_setting
from cosim.simulator import Point, Transient, Waveforms
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import MEMBRANE, column
from training.hardware import HardwareModel, NormalisedModel, normalise
from training.trajectory import accumulation

SYNAPSES = 8
"""Spikes of a pattern, each on a synapse of its own, half of them of either sign."""

WEAKEST, STRONGEST = 0.03, 2.0
"""|w| is drawn from this range, evenly in its logarithm, as far as the cell reaches."""

EARLIEST, LATEST, END = 0.02, 0.95, 0.995
"""Spikes and the last sample, in phases from the start of accumulation."""

REACHED = (0.4, -0.15)
"""Patterns in turn take the membrane at least this far towards the threshold, and away from it (thresholds)."""

SAMPLES, BEFORE = 400, 0.1
_DRAWS = 2000
_RELTOL_FACTOR = 10.0


class PatternError(CosimError):
    """A pattern could not be simulated."""

    exit_code = 3


@dataclass(frozen=True)
class Pattern:
    """Weights and spike times (phases) of the synapses of one column, [S] each."""

    weights: FloatArray
    spikes: FloatArray


def with_synapses(hardware: HardwareModel, count: int) -> HardwareModel:
    """The hardware model with another number of synapses on the membrane: each adds its capacitance."""
    return hardware.model_copy(update={"neuron": hardware.neuron.model_copy(update={"synapses": count})})


def random_patterns(hardware: HardwareModel, count: int, seed: int, synapses: int = SYNAPSES) -> list[Pattern]:
    """Patterns that stay in the linear range of the membrane, by the model itself, and reach both of its sides in turn.

    The same seed gives the same patterns as long as the cell reaches the same weights.
    """
    generator, loaded = np.random.default_rng(seed), with_synapses(hardware, synapses)
    model = normalise(loaded)
    found: list[Pattern] = []
    for _ in range(_DRAWS):
        pattern = _in_steps(_draw(generator, model, synapses), loaded)
        v = accumulation(model, pattern.weights[None], pattern.spikes, np.linspace(0.0, END, 200))[:, 0]
        low, high = model.linear_range
        reached = v.min() < REACHED[1] if len(found) % 2 else v.max() > REACHED[0]
        if low < v.min() and v.max() < high and reached:
            found.append(pattern)
        if len(found) == count:
            return found
    raise PatternError(
        f"spike patterns: {_DRAWS} random ones, and fewer than {count} stay in the linear range of the membrane and reach "
        f"{REACHED[0]:g} or {REACHED[1]:g} thresholds"
    )


def _draw(generator: np.random.Generator, model: NormalisedModel, synapses: int) -> Pattern:
    signs = generator.permutation(np.resize([1, -1], synapses))
    places, spikes = generator.uniform(size=synapses), generator.uniform(EARLIEST, LATEST, synapses)
    weights = []
    for sign, place in zip(signs, places, strict=True):
        cell = model.plus if sign > 0 else model.minus
        low, high = np.clip((WEAKEST, STRONGEST), cell.smallest, cell.largest)
        weights.append(sign * low * (high / low) ** place)
    return Pattern(np.array(weights), spikes)


def _in_steps(pattern: Pattern, hardware: HardwareModel) -> Pattern:
    """The pattern with the nearest weights that the cell can do, where its codes have steps."""
    if not hardware.plus.code_step:
        return pattern
    return replace(pattern, weights=np.array([weight_of_setting(one, hardware) for one in settings(hardware, pattern)]))


def settings(hardware: HardwareModel, pattern: Pattern) -> list[SynapseSetting]:
    """What the synapses of a pattern are set to, from the curves of this hardware: at a corner they are re-biased."""
    found = [setting_of_weight(float(weight), hardware) for weight in pattern.weights]
    return [setting for setting in found if setting is not None]


def points(bench: Bench, hardware: HardwareModel, patterns: Sequence[Pattern]) -> Iterator[Point]:
    """One accumulation phase per pattern. `hardware` has as many synapses as the patterns (`with_synapses`)."""
    cells, phase = bench.cells(hardware), bench.design.timing.phase_s
    window = PhaseWindow.regular(BEFORE * phase, bench.design.timing)
    accuracy: Accuracy = bench.fine._replace(reltol=_RELTOL_FACTOR * bench.fine.reltol)
    times = window.accumulate_s + phase * np.linspace(0.0, END, SAMPLES)
    for k, pattern in enumerate(patterns):
        lines = [(window.accumulate_s + float(spike) * phase, window.fire_s) for spike in pattern.spikes]
        netlist = column(cells, settings(hardware, pattern), lines, window, window.fire_s, fan_out=hardware.neuron.fan_out)
        analysis = Transient(window.fire_s, phase / 100, accuracy.max_step_s)
        deck = bench.deck(f"spike pattern {k}, {len(lines)} spikes", netlist, analysis, [MEMBRANE], accuracy)
        yield Point({"measurement": "spike_pattern", "pattern": k}, deck, partial(membrane_at, times=times))


def membrane_at(waveforms: Waveforms, times: FloatArray) -> dict[str, Any]:
    """The membrane (V) at given times (s)."""
    return {"time_s": times - times[0], "membrane_v": waveforms.at(MEMBRANE, times)}


def simulate_patterns(bench: Bench, hardware: HardwareModel, patterns: Sequence[Pattern]) -> list[Trace]:
    """Membrane waveforms of the patterns from the start of accumulation; spike j of pattern k is synapse k S + j.

    Raises `PatternError` if a simulation fails.
    """
    phase, traces = bench.design.timing.phase_s, []
    results = bench.run(points(bench, hardware, patterns))
    if lost := results.failed:
        raise PatternError(f"{lost[0].point.deck.title}: {lost[0].error}")
    for one in results.alive:
        k, row = int(one.point.condition["pattern"]), one.row
        pattern = patterns[k]
        first = k * len(pattern.weights)
        spikes = tuple(Spike(first + j, float(spike) * phase) for j, spike in enumerate(pattern.spikes))
        traces.append(Trace(f"pattern {k}", row["time_s"], row["membrane_v"], spikes))
    return traces
