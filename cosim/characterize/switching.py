"""Charge at switch-on and at switch-off of a synapse, as functions of its weight.

Testbench: a column that is charged, pulled on by one active synapse, and fired. What the membrane shows beyond the integral of
the measured current is the charge of switching on (its lag included); what its output spike shows beyond that is the charge of
switching off: the internal node refills from the membrane, with a logarithmic tail, while the neuron already fires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.simulator import Point, Transient, Waveforms
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import MEMBRANE, SPIKE, Injection, Sender, column

LONGEST_ON_PHASES, LEAST_ON_PHASES, LARGEST_DISPLACEMENT = 0.5, 0.125, 0.25
TAIL_REFERENCE_PHASES = 0.5
FIRING_DISPLACEMENTS = (0.78, 0.4, 0.05)
"""Where the membrane is when it starts to fire (thresholds): output spikes from early to late tell tail and drift."""

STEPS_ON = 20
"""Time steps of a pulse at least: the charge of switching on is a thousandth of what a strong synapse brings meanwhile."""

BEFORE_RISE_S = 25e-9
"""A complement line moves a little earlier than its true line, and slowly."""

SENT_FROM_PHASES = 0.6
"""When a column accumulates whose line a neuron sends, which has been charged before."""

ACTIVE_LINE = "v(input_0)"
ACTIVE_LINES = ("input_0", "input_0_bar")
"""Of all synapses that are switched: those that are alike are one."""


def more_on_lines(lines: Sequence[str], farads: float, pair_farads: float = 0.0) -> str:
    """Cards that put more capacitance on each of two lines, to ground and between them (F)."""
    cards = [*((line, "0", farads) for line in lines), (*lines, pair_farads)]
    return "".join(f"Cmore_{k} {one} {other} {value!r}\n" for k, (one, other, value) in enumerate(cards) if value)


def at_once(weight: float, synapses: int) -> int:
    """How many synapses of a column are switched together: one alone moves a membrane by little more than ngspice resolves."""
    most = LARGEST_DISPLACEMENT / (LEAST_ON_PHASES * max(abs(weight), 1e-12))
    return int(min(max(most, 1), synapses))


def on_time_s(weight: float, phase_s: float) -> float:
    """How long a weight is left on: long, unless it would drive the membrane out of range."""
    return min(LONGEST_ON_PHASES, LARGEST_DISPLACEMENT / max(abs(weight), 1e-12)) * phase_s


@dataclass(frozen=True)
class Pulse:
    """Synapses of one setting to be switched together.

    Attributes:
        setting: of each; None is off.
        weight: of each, about; it places the membrane.
        count: how many.
    """

    setting: SynapseSetting | None
    weight: float
    count: int

    @classmethod
    def of(cls, bench: Bench, setting: SynapseSetting | None, weight: float, synapses: int) -> Pulse:
        """As many as can be; one on a die, where synapses that are set alike are not alike."""
        return cls(setting, weight, at_once(weight, synapses) if bench.nominal else 1)

    @property
    def drive(self) -> float:
        """The sum of the weights."""
        return self.weight * self.count

    def condition(self, measurement: str) -> dict[str, Any]:
        """What it is, for people."""
        sign, code = (self.setting.sign, self.setting.code) if self.setting else (0, None)
        return {"measurement": measurement, "sign": sign, "code": code, "at_once": self.count}


def points(
    bench: Bench, cells: Cells, column_size: ColumnSize, pulse: Pulse, full_swing_c: float, line_f: float = 0.0
) -> Iterator[Point]:
    """One pulse on the first synapses of a column that then fires, from early to late.

    Args:
        full_swing_c: charge of a membrane from rest to threshold.
        line_f: more capacitance to ground on either line of each of these synapses (F).
    """
    phase = cells.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, 2.2 * phase)
    for displacement in FIRING_DISPLACEMENTS:
        stop = window.end_s - 0.02 * phase
        yield _point(bench, cells, column_size, pulse, full_swing_c, window, stop, displacement, None, line_f)


def sent_points(
    bench: Bench, cells: Cells, column_size: ColumnSize, pulse: Pulse, full_swing_c: float, fired_from: Callable[[float], float]
) -> Iterator[Point]:
    """The same pulse behind lines that neurons send, up to its end: once, since only switching on is another then.

    Args:
        fired_from: output spike (s) to the displacement (thresholds) that fires then.
    """
    phase = cells.timing.phase_s
    accumulate = SENT_FROM_PHASES * phase
    window = PhaseWindow(accumulate, accumulate + phase, accumulate + 2 * phase)
    own = PhaseWindow(0.1 * phase, window.accumulate_s, window.fire_s)
    start, end = own.accumulate_s + 0.05 * phase, own.fire_s - 0.05 * phase
    charge = fired_from(phase - on_time_s(pulse.drive, phase)) * full_swing_c
    sender = Sender(own, Injection(charge / (end - start), start, end))
    stop = window.fire_s + 10 * cells.timing.edge_s
    yield _point(bench, cells, column_size, pulse, full_swing_c, window, stop, FIRING_DISPLACEMENTS[1], sender)


def _point(
    bench: Bench, cells: Cells, column_size: ColumnSize, pulse: Pulse, full_swing_c: float, window: PhaseWindow, stop_s: float,
    displacement: float, sender: Sender | None, line_f: float = 0.0,
) -> Point:  # fmt: skip
    phase, edge = cells.timing.phase_s, cells.timing.edge_s
    on = window.fire_s - on_time_s(pulse.drive, phase)
    start, end = window.accumulate_s + 0.05 * phase, window.accumulate_s + 0.25 * phase
    settings, lines = column_size.standing(cells)
    charge = (displacement - pulse.drive * (window.fire_s - on) / phase) * full_swing_c
    netlist = column(
        cells,
        [*[pulse.setting] * pulse.count, *settings[pulse.count :]],
        [*[(on, window.fire_s)] * pulse.count, *lines[pulse.count :]],
        window,
        stop_s,
        Injection(charge / (end - start), start, end),
        column_size.fan_out,
        column_size.rows,
        merged=bench.nominal,
        sender=sender,
    )
    condition = pulse.condition("sent_column" if sender else "switched_column") | {"displacement": displacement}
    if line_f:
        condition["line_f"] = line_f
        netlist += more_on_lines(ACTIVE_LINES, line_f * pulse.count)
    deck = bench.deck(
        f"synapse switched on and off, sign {condition['sign']:+d}, code {condition['code']}, fired from {displacement}",
        netlist,
        Transient(stop_s, phase / 100, min(bench.fine.max_step_s, (window.fire_s - on) / STEPS_ON)),
        [MEMBRANE, SPIKE, ACTIVE_LINE],
    )
    extract = partial(
        pulse_response, earliest_s=end if sender else on, fire_s=window.fire_s, guard_s=4 * edge, level_v=cells.supply_v / 2
    )
    return Point(condition, deck, extract)


def pulse_response(waveforms: Waveforms, earliest_s: float, fire_s: float, guard_s: float, level_v: float) -> dict[str, Any]:
    """Membrane before and at the end of the pulse (V); delay of the line, on-times, output spike from the start of firing (s).

    `earliest_s`: when the ideal edge comes that drives the line, or before any spike of the neuron that does.
    """
    rise = float(waveforms.crossings(ACTIVE_LINE, level_v, rising=True, after=earliest_s - guard_s)[0])
    spikes = waveforms.crossings(SPIKE, level_v, rising=True, after=fire_s)
    return {
        "before_v": float(waveforms.at(MEMBRANE, rise - BEFORE_RISE_S)),
        "end_v": float(waveforms.at(MEMBRANE, fire_s - guard_s)),
        "rise_s": rise - earliest_s,
        "measured_on_s": fire_s - guard_s - rise,
        "on_s": fire_s - rise,
        "spike_s": float(spikes[0] - fire_s) if len(spikes) else float("nan"),
    }


@dataclass(frozen=True)
class MembraneCapacitance:
    """Of a column (F): as it stands, with synapses at their code and off, the same on."""

    column_f: float
    off_f: float
    on_f: float


def charged(displacement_v: float, current: Callable[[float], float], capacitance_f: float, time_s: float) -> float:
    """Displacement (V) after a current (A), a function of it, has charged a capacitance for a time from another displacement."""
    from scipy.integrate import solve_ivp

    slope = lambda _, u: [current(float(u[0])) * time_s / capacitance_f]  # noqa: E731
    return float(solve_ivp(slope, (0.0, 1.0), [displacement_v], rtol=1e-10, atol=1e-12).y[0, -1])


@dataclass(frozen=True)
class SwitchingCharges:
    """Of one synapse (C): of switching on; of switching off at the reference time, its tail per e-fold of time, and what comes
    in proportion to time, in each reference time."""

    on_c: float
    off_c: float
    tail_c: float
    drift_c: float


def switching_charges(
    responses: Sequence[dict[str, Any]],
    displacement: Callable[[float], float],
    fired_from: Callable[[float], float],
    current: Callable[[float], float],
    capacitance: MembraneCapacitance,
    reference_s: float,
    count: int = 1,
) -> SwitchingCharges:
    """Charges of each of the synapses that were switched together.

    What counts is the charge beyond that of the current as measured, not of the line through it: the bend of the current belongs
    to the whole time that a synapse is on, and grows with the column. Nodes inside a synapse refill from the membrane, with a
    logarithmic tail; what hangs on the membrane meanwhile, and moves with it, shows in proportion to time.

    Args:
        responses: what `pulse_response` returned for output spikes from early to late, at least three.
        displacement: membrane voltage (V) to displacement (V).
        fired_from: output spike time (s) to the displacement from which this membrane fires then without any charge (V).
        current: displacement (V) to current (A, positive towards the threshold) of all of them.
        capacitance: of this membrane. What leaves it as the synapse switches on comes back empty: the charge of switching off is
            that of a membrane at rest.
        count: how many were switched together.
    """
    on = [switched_on_v(response, displacement, current, capacitance) for response in responses]
    off = []
    for response, kick in zip(responses, on, strict=True):
        whole = charged(displacement(response["before_v"]), current, capacitance.on_f, response["on_s"]) + kick
        off.append(fired_from(response["spike_s"]) - whole * (capacitance.on_f / capacitance.off_f))
    after = np.array([response["spike_s"] / reference_s for response in responses])
    terms = np.stack([np.ones_like(after), np.log(after), after - 1.0], axis=1)
    off_v, tail_v, drift_v = (float(value) for value in np.linalg.lstsq(terms, np.array(off), rcond=None)[0])
    each = capacitance.off_f / count
    return SwitchingCharges(each * float(np.mean(on)), each * off_v, each * tail_v, each * drift_v)


def switched_on_v(
    response: dict[str, Any],
    displacement: Callable[[float], float],
    current: Callable[[float], float],
    capacitance: MembraneCapacitance,
) -> float:
    """What a membrane shows at the end of a pulse beyond the integral of the current (V); arguments as in `switching_charges`."""
    before = displacement(response["before_v"])
    return displacement(response["end_v"]) - charged(before, current, capacitance.on_f, response["measured_on_s"])


@dataclass(frozen=True)
class IdleSynapse:
    """What a spike does at a synapse that is off, how long its line takes to rise (s), and what the line of a neuron brings
    beyond that of an input (C; None where no neuron sends it)."""

    charges: SwitchingCharges
    line_delay_s: float
    line_c: float | None
