"""The membrane of the neuron equation as an exact function of its parameters, for fits to waveforms.

Between events the displacement u (volts, positive towards the threshold; docs/physics.md, equation 1, with a curvature) obeys

    C du/dt = I(t) + sum_j I_j (1 - beta_j u + c_j u^2) - G u,

whose coefficients are constant there. This Riccati equation has a closed solution, so nothing is integrated numerically and no
waveform is differentiated. At a spike, `delay` late, u jumps by the charge of switching on over C; where a spike ends, by that of
switching off. All arrays may be complex, so that a step along the imaginary axis gives exact derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
AnyArray = NDArray[Any]

_SMALL = 1e-4
"""Below this |z| the series of tanh(sqrt z)/sqrt z is exact to 1e-13."""


@dataclass(frozen=True)
class Spike:
    """A synapse, by its index, that is on from `on_s` to `off_s` (seconds)."""

    synapse: int
    on_s: float
    off_s: float = math.inf


@dataclass(frozen=True)
class ChargePulse:
    """A known charge: a current (A, positive towards the threshold) from start to end (seconds)."""

    current_a: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Trace:
    """One membrane waveform: times [n] (s, increasing), voltages [n] (V), and what caused it."""

    name: str
    time_s: FloatArray
    membrane_v: FloatArray
    spikes: tuple[Spike, ...] = ()
    pulses: tuple[ChargePulse, ...] = ()


@dataclass(frozen=True)
class NeuronParameters:
    """P sets of parameters at once, of S synapses; SI units. Currents are signed, beta has the sign of its current.

    `start_v` is the displacement where a trace starts.
    """

    capacitance_f: AnyArray
    start_v: AnyArray
    leak_s: AnyArray
    delay_s: AnyArray
    current_a: AnyArray
    beta_per_v: AnyArray
    curvature_per_v2: AnyArray
    charge_on_c: AnyArray
    charge_off_c: AnyArray


@dataclass(frozen=True)
class _Course:
    """The events of all traces in order: everything about a trace that is constant between two of them.

    Arrays: event times [R, K, P]; on-state of the synapses after each [R, K, S]; pulse current after it [R, K]; synapses that
    switched on / off at it [R, K, S].
    """

    time_s: AnyArray
    on: FloatArray
    pulse_a: FloatArray
    switched_on: FloatArray
    switched_off: FloatArray


class Stimuli:
    """What a set of traces was driven with, laid out for `displacement`.

    Args:
        traces: R of them; nothing happens before their first sample.
        synapses: S, the number of synapses.
        guard_s: samples this close after a spike's nominal time (and a quarter as close before it) are left out: there the
            membrane shows edges and internal nodes that the equation does not have.
    """

    def __init__(self, traces: Sequence[Trace], synapses: int, guard_s: float) -> None:
        self.traces, self.synapses = tuple(traces), synapses
        self.keep = [_kept(trace, guard_s) for trace in traces]
        self.sample_s = np.concatenate([trace.time_s[keep] for trace, keep in zip(traces, self.keep, strict=True)])
        self.sample_v = np.concatenate([trace.membrane_v[keep] for trace, keep in zip(traces, self.keep, strict=True)])
        self.sample_trace = np.repeat(np.arange(len(self.traces)), [int(keep.sum()) for keep in self.keep])

    @cached_property
    def _events(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Nominal times [R, K], whether the delay applies [R, K], change of the on-state [R, K, S] and of the pulses [R, K]."""
        lists = [list(_events_of(trace)) for trace in self.traces]
        most = max(map(len, lists))
        times, delayed, current = (np.zeros((len(lists), most)) for _ in range(3))
        switched = np.zeros((len(lists), most, self.synapses))
        for r, (trace, events) in enumerate(zip(self.traces, lists, strict=True)):
            times[r] = trace.time_s[-1]
            for k, (time, synapse, step, pulse_a) in enumerate(events):
                times[r, k], delayed[r, k], current[r, k] = time, synapse is not None and step > 0, pulse_a
                if synapse is not None:
                    switched[r, k, synapse] = step
        return times, delayed, switched, current

    def course(self, delay_s: AnyArray) -> _Course:
        """Events in the order that the (first) delay gives them."""
        times, delayed, switched, current = self._events
        order = np.argsort(times + delayed * delay_s[0].real, axis=1, kind="stable")
        times, delayed, current = (np.take_along_axis(array, order, 1) for array in (times, delayed, current))
        switched = np.take_along_axis(switched, order[..., None], 1)
        return _Course(
            times[..., None] + delayed[..., None] * delay_s,
            np.cumsum(switched, axis=1),
            np.cumsum(current, axis=1),
            np.maximum(switched, 0.0),
            np.maximum(-switched, 0.0),
        )


def displacement(parameters: NeuronParameters, stimuli: Stimuli) -> AnyArray:
    """u [n, P] at the kept samples of all traces, one after the other."""
    p, course = parameters, stimuli.course(parameters.delay_s)
    c = p.capacitance_f
    drive = (course.on @ p.current_a.T + course.pulse_a[..., None]) / c
    decay = (course.on @ (p.current_a * p.beta_per_v).T + p.leak_s) / c
    bend = course.on @ (p.current_a * p.curvature_per_v2).T / c
    jump = (course.switched_on @ p.charge_on_c.T + course.switched_off @ p.charge_off_c.T) / c
    u, entered = p.start_v + jump[:, 0], np.empty(jump.shape, dtype=complex)
    entered[:, 0] = u
    for k in range(1, jump.shape[1]):
        d = course.time_s[:, k] - course.time_s[:, k - 1]
        u = riccati_step(u, drive[:, k - 1], decay[:, k - 1], bend[:, k - 1], d) + jump[:, k]
        entered[:, k] = u
    # each sample from the last event before it
    r, t = stimuli.sample_trace, stimuli.sample_s[:, None]
    k = (course.time_s[..., 0].real[r] <= t).sum(1) - 1
    return riccati_step(entered[r, k], drive[r, k], decay[r, k], bend[r, k], t - course.time_s[r, k])


def riccati_step(u: AnyArray, drive: AnyArray, decay: AnyArray, bend: AnyArray, d: AnyArray) -> AnyArray:
    """Exact solution of du/dt = drive - decay u + bend u^2 a time d later; shapes broadcast.

    With z = d^2 (decay^2/4 - drive bend) and T = d tanh(sqrt z)/sqrt z it is
    [u + T (drive - decay u/2)] / [1 + T (decay/2 - bend u)]; bend = 0 gives the exponential.
    """
    t = d * tanhc(d * d * (decay * decay / 4 - drive * bend))
    return np.asarray((u + t * (drive - decay * u / 2)) / (1 + t * (decay / 2 - bend * u)))


def tanhc(z: AnyArray) -> AnyArray:
    """tanh(sqrt z)/sqrt z, 1 at z = 0; analytic, so z may be negative or complex. The result is complex."""
    z = np.asarray(z, dtype=complex)
    small = np.abs(z) < _SMALL
    root = np.sqrt(np.where(small, 1.0, z))
    return np.where(small, 1 - z / 3 * (1 - z * 2 / 5 * (1 - z * 17 / 42)), np.tanh(root) / root)


def _kept(trace: Trace, guard_s: float) -> NDArray[np.bool_]:
    keep = np.ones(len(trace.time_s), dtype=bool)
    for spike in trace.spikes:
        for edge_s in (spike.on_s, spike.off_s):
            keep &= (trace.time_s < edge_s - guard_s / 4) | (trace.time_s > edge_s + guard_s)
    return keep


def _events_of(trace: Trace) -> Sequence[tuple[float, int | None, float, float]]:
    """(time, synapse or None, change of its state, change of the pulse current), the start of the trace first."""
    events: list[tuple[float, int | None, float, float]] = [(float(trace.time_s[0]), None, 0.0, 0.0)]
    for spike in trace.spikes:
        events.append((spike.on_s, spike.synapse, 1.0, 0.0))
        if spike.off_s < trace.time_s[-1]:
            events.append((spike.off_s, spike.synapse, -1.0, 0.0))
    for pulse in trace.pulses:
        events += [(pulse.start_s, None, 0.0, pulse.current_a), (pulse.end_s, None, 0.0, -pulse.current_a)]
    return events
