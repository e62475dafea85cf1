"""What the numbers of one circuit say of each other: a file in which they do not agree holds a wrong unit, sign or digit.

Each law is one number of a column that physics holds to a range. The ranges are wide where a circuit has its say (measured
silicon has another capacitance than the simulation that its firing curve comes from) and narrow where a definition does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.hardware.curve import FloatArray
from training.hardware.terms import FITTED_THRESHOLDS

if TYPE_CHECKING:
    from training.hardware.curve import Curve, Quantity
    from training.hardware.model import ColumnHardware, HardwareModel, SynapseHardware

FLAT_PER_V = 0.02
"""Slopes below this are as good as none: a reversal of 50 V is as far as one of 500."""

LEAST_CAPACITANCE_F = 2e-17
NO_CAPACITANCE_F = 1e-20
"""An idle synapse adds at least the first, or it is no device at all and adds nothing but rounding."""

NEAR_THRESHOLD = 0.9
"""Of the threshold: up to there a membrane that is farther on fires earlier."""


@dataclass(frozen=True)
class Law:
    """A number of a column, what it is, and the range that it must lie in; `field` is where to look first."""

    field: str
    what: str
    of: Callable[[ColumnHardware, HardwareModel], float]
    low: float
    high: float


@dataclass(frozen=True)
class SynapseLaw:
    """The same of one sign of the synapse."""

    field: str
    what: str
    of: Callable[[SynapseHardware, ColumnHardware, HardwareModel], float]
    low: float
    high: float


def first_contradiction(model: HardwareModel) -> str | None:
    """The first law that a model breaks, in one line that begins with the field; None where it keeps all of them."""
    return next(_contradictions(model), None)


def _contradictions(model: HardwareModel) -> Iterator[str]:
    for number, column in enumerate(model.all_columns):
        place = f"columns.{number - 1}." if number else ""
        for law in LAWS:
            yield from _broken(f"{place}{law.field}", law, law.of(column, model))
        for name, synapse in (("plus", column.plus), ("minus", column.minus)):
            for of_sign in SYNAPSE_LAWS:
                yield from _broken(f"{place}{name}.{of_sign.field}", of_sign, of_sign.of(synapse, column, model))


def _broken(field: str, law: Law | SynapseLaw, value: float) -> Iterator[str]:
    if not law.low <= value <= law.high:
        yield (
            f"{field}: {law.what} is {value:.4g}, must be {law.low:.3g} .. {law.high:.3g}; a unit, a sign or a digit there, or "
            "in what it is compared with, is wrong"
        )


def _law_share(v: float, e_dis: float) -> float:
    """Time that the discharger needs from v to the threshold, over that from rest (docs/physics.md, equation 3)."""
    return 1 - math.log1p(-v / e_dis) / math.log1p(-1 / e_dis)


def _e_dis(column: ColumnHardware) -> float:
    return column.neuron.discharger_reversal.value / column.neuron.v_th_v


def _discharge_phases(column: ColumnHardware, model: HardwareModel) -> float:
    neuron, e_dis = column.neuron, _e_dis(column)
    charge = -e_dis * math.log1p(-1 / e_dis) * neuron.capacitance_f * neuron.v_th_v
    return charge / neuron.discharger_current.value / model.phase_s


def _at(curve: Curve, x: float) -> float:
    """The value of a curve, NaN, which no range holds, where it does not reach."""
    return float(curve(x)) if curve.x[0] <= x <= curve.x[-1] else math.nan


def _half_way(column: ColumnHardware) -> float:
    """Spike time from half the threshold over that from rest, less what the discharger's law says."""
    firing, half = column.neuron.firing, column.neuron.v_th_v / 2
    return _at(firing, half) / _at(firing, 0.0) - _law_share(0.5, _e_dis(column))


def _rises_before_threshold(column: ColumnHardware) -> float:
    """Steps in which a membrane nearer to the threshold fires later; past the threshold the neuron alone decides."""
    firing = column.neuron.firing
    before = np.asarray(firing.y)[np.asarray(firing.x) <= NEAR_THRESHOLD * column.neuron.v_th_v]
    return float((np.diff(before) >= 0).sum())


def _of_threshold(of: Callable[[ColumnHardware], float]) -> Callable[[ColumnHardware, HardwareModel], float]:
    return lambda column, model: of(column) / column.neuron.v_th_v


def _kick(of: Callable[[ColumnHardware], Quantity | None]) -> Callable[[ColumnHardware, HardwareModel], float]:
    def kick(column: ColumnHardware, model: HardwareModel) -> float:
        charge = of(column)
        return 0.0 if charge is None else charge.value / _swing_c(column)

    return kick


def _leaks(of: Callable[[ColumnHardware], Quantity | None]) -> Callable[[ColumnHardware, HardwareModel], float]:
    """In thresholds of a membrane a phase."""

    def leaks(column: ColumnHardware, model: HardwareModel) -> float:
        leakage = of(column)
        return 0.0 if leakage is None else leakage.value * model.phase_s / _swing_c(column)

    return leaks


def _some_or_none(column: ColumnHardware, model: HardwareModel) -> float:
    added = column.neuron.capacitance_synapse.value
    return LEAST_CAPACITANCE_F if abs(added) <= NO_CAPACITANCE_F else added


LAWS = (
    Law("neuron.capacitance_synapse", "capacitance (F)", _some_or_none, LEAST_CAPACITANCE_F, 1e-11),
    Law("neuron.threshold", "distance from rest to threshold (V)", lambda c, m: c.neuron.v_th_v, 0.02, 5.0),
    Law("tail_reference_s", "reference time of the tails, in phases,", lambda c, m: m.tail_reference_s / m.phase_s, 0.01, 2.0),
    Law("neuron.membrane", "voltage at a displacement of 0, less rest, in thresholds,",
        _of_threshold(lambda c: _at(c.neuron.membrane, 0.0) - c.neuron.rest.value), -0.02, 0.02),
    Law("neuron.membrane", "voltage at the displacement of the threshold, less the threshold, in thresholds,",
        _of_threshold(lambda c: _at(c.neuron.membrane, c.neuron.v_th_v) - c.neuron.threshold.value), -0.05, 0.05),
    Law("neuron.discharger_reversal", "reversal of the discharger, in thresholds,", lambda c, m: _e_dis(c), 1.01, 1e5),
    Law("neuron.discharger_current", "discharge of a resting membrane by capacitance, threshold and current, in phases,",
        _discharge_phases, 1 / 3, 3.0),
    Law("neuron.firing", "number of steps towards the threshold in which it does not fall",
        lambda c, m: _rises_before_threshold(c), 0.0, 0.0),
    Law("neuron.firing", "spike time of a resting membrane, in phases,",
        lambda c, m: _at(c.neuron.firing, 0.0) / m.phase_s, 1 / 3, 3.0),
    Law("neuron.firing", "spike time from half the threshold over that from rest, less what the discharger's law says,",
        lambda c, m: _half_way(c), -0.02, 0.02),
    Law("neuron.earliest_spike", "earliest spike over the least of the firing curve",
        lambda c, m: c.neuron.earliest_spike.value / min(c.neuron.firing.y), 0.5, 2.0),
    Law("neuron.delay", "delay, in phases,", lambda c, m: c.neuron.delay.value / m.phase_s, -0.5, 0.5),
    Law("neuron.input_delay", "delay, in phases,", lambda c, m: c.neuron.input_delay.value / m.phase_s, -1e-4, 0.05),
    Law("neuron.load_delay", "delay per synapse, in phases,", lambda c, m: c.neuron.load_delay.value / m.phase_s, -1e-5, 0.01),
    Law("neuron.reset_error", "error, in thresholds,", _of_threshold(lambda c: c.neuron.reset_error.value), -0.05, 0.05),
    Law("neuron.linear_range", "its lower end, in thresholds,", _of_threshold(lambda c: c.neuron.linear_range[0]), -3.0, 0.0),
    Law("neuron.linear_range", "its upper end, in thresholds,", _of_threshold(lambda c: c.neuron.linear_range[1]), 0.9, 3.0),
    Law("neuron.leakage", "leakage, in thresholds a phase,", _leaks(lambda c: c.neuron.leakage), -0.05, 0.05),
    Law("neuron.idle_leakage", "leakage, in thresholds a phase,", _leaks(lambda c: c.neuron.idle_leakage), -0.05, 0.05),
    Law("neuron.idle_charge_on", "charge, in thresholds of a membrane,", _kick(lambda c: c.neuron.idle_charge_on), -0.02, 0.02),
    Law("neuron.idle_charge_off", "charge, in thresholds of a membrane,", _kick(lambda c: c.neuron.idle_charge_off), -0.02, 0.02),
    Law("neuron.idle_charge_off_tail", "charge, in thresholds of a membrane,",
        _kick(lambda c: c.neuron.idle_charge_off_tail), -0.02, 0.02),
    Law("neuron.idle_charge_off_drift", "charge, in thresholds of a membrane,",
        _kick(lambda c: c.neuron.idle_charge_off_drift), -0.02, 0.02),
    Law("neuron.idle_line_charge", "charge, in thresholds of a membrane,",
        _kick(lambda c: c.neuron.idle_line_charge), -0.02, 0.02),
)  # fmt: skip
"""What holds for every column."""


def _largest_kick(
    of: Callable[[SynapseHardware], Curve | None],
) -> Callable[[SynapseHardware, ColumnHardware, HardwareModel], float]:
    """Largest charge in thresholds of a membrane."""

    def largest(synapse: SynapseHardware, column: ColumnHardware, model: HardwareModel) -> float:
        curve = of(synapse)
        return 0.0 if curve is None else float(np.abs(curve.y).max()) / _swing_c(column)

    return largest


def _refill(synapse: SynapseHardware) -> FloatArray:
    """Charge that what a synapse lifts off the membrane takes back at rest (C), code by code."""
    if synapse.capacitance_off is None or synapse.capacitance_on is None:
        return np.zeros(len(synapse.charge_off.x))
    lifted = synapse.capacitance_off(np.asarray(synapse.charge_off.x)) - synapse.capacitance_on(np.asarray(synapse.charge_off.x))
    return synapse.sign * lifted * synapse.reversal(np.asarray(synapse.charge_off.x))


def _lag_phases(
    of: Callable[[SynapseHardware], Curve], but: Callable[[SynapseHardware], FloatArray | float] = lambda _: 0.0
) -> Callable[[SynapseHardware, ColumnHardware, HardwareModel], float]:
    """How much later than its spike line a synapse follows, in phases: how its charge goes with the current that is switched."""

    def lag(synapse: SynapseHardware, column: ColumnHardware, model: HardwareModel) -> float:
        curve = of(synapse)
        charge = np.asarray(curve.y) - but(synapse)
        return synapse.sign * float(charge[-1] - charge[0]) / (curve.x[-1] - curve.x[0]) / model.phase_s

    return lag


def _other_currents(synapse: SynapseHardware, column: ColumnHardware, model: HardwareModel) -> float:
    """Largest distance, in e-folds, of the ends of a curve from those of the code's, and of its points from the code's points."""
    own, worst = np.log(synapse.code.x), 0.0
    further = (synapse.slope, synapse.curvature, synapse.leakage, synapse.charge_off_drift, synapse.line_charge)
    optional = [curve for curve in further if curve is not None]
    for curve in (synapse.reversal, synapse.charge_on, synapse.charge_off, synapse.charge_off_tail, *optional):
        x = np.log(curve.x)
        nearest = np.abs(x[:, None] - own[None, :]).min(1).max()
        worst = max(worst, float(nearest), abs(float(x[0] - own[0])), abs(float(x[-1] - own[-1])))
    return worst


def _slope_and_reversal(synapse: SynapseHardware, column: ColumnHardware, model: HardwareModel) -> float:
    expected = 1 / float(np.median(synapse.reversal.y))
    return (abs(synapse.lambda_per_v.value) + FLAT_PER_V) / (expected + FLAT_PER_V)


def _line_and_parabola(synapse: SynapseHardware, column: ColumnHardware, model: HardwareModel) -> float:
    """Slope of the straight line to `reversal` over that of the line through the parabola, where they differ most."""
    if synapse.slope is None or synapse.curvature is None:
        return 1.0
    low, high = (end * column.neuron.v_th_v for end in FITTED_THRESHOLDS)
    middle, half = synapse.sign * (low + high) / 2, (high - low) / 2
    slope, bend, line = (np.asarray(curve.y) for curve in (synapse.slope, synapse.curvature, synapse.reversal))
    through = (slope - 2 * middle * bend) / (1 + bend * (half**2 / 3 - middle**2))
    ratio = (1 / line + FLAT_PER_V) / (np.maximum(through, 0.0) + FLAT_PER_V)
    return float(ratio[np.abs(np.log(ratio)).argmax()])


def _most_leaking(synapse: SynapseHardware, column: ColumnHardware, model: HardwareModel) -> float:
    """Largest leakage, in thresholds of a membrane a phase."""
    return 0.0 if synapse.leakage is None else float(np.abs(synapse.leakage.y).max()) * model.phase_s / _swing_c(column)


EARLIEST_PHASES = 1e-3
"""So long before its spike line a synapse may switch on: on the slow edge of a line with many gates a strong one does."""

SYNAPSE_LAWS = (
    SynapseLaw("slope", "what the reversal says of the slope, over what slope and curvature say", _line_and_parabola, 0.8, 1.25),
    SynapseLaw("leakage", "largest leakage, in thresholds of a membrane a phase,", _most_leaking, 0.0, 0.05),
    SynapseLaw("code", "the distance of its currents from those of the other curves, in e-folds,", _other_currents, 0.0, 1e-3),
    SynapseLaw("code", "the weakest weight", lambda s, c, m: s.current_range_a[0] * m.phase_s / _swing_c(c), 1e-6, 10.0),
    SynapseLaw("code", "the strongest weight", lambda s, c, m: s.current_range_a[1] * m.phase_s / _swing_c(c), 1e-2, 1e3),
    SynapseLaw("reversal", "the largest over the smallest", lambda s, c, m: max(s.reversal.y) / min(s.reversal.y), 1.0, 30.0),
    SynapseLaw("reversal", "lambda_per_v over the slope that it makes", _slope_and_reversal, 1 / 3, 3.0),
    SynapseLaw("charge_on", "largest charge, in thresholds of a membrane,", _largest_kick(lambda s: s.charge_on), 0.0, 0.3),
    SynapseLaw("charge_off", "largest charge, in thresholds of a membrane,", _largest_kick(lambda s: s.charge_off), 0.0, 0.3),
    SynapseLaw("charge_off_tail", "largest charge, in thresholds of a membrane,",
               _largest_kick(lambda s: s.charge_off_tail), 0.0, 0.1),
    SynapseLaw("charge_off_drift", "largest charge, in thresholds of a membrane,",
               _largest_kick(lambda s: s.charge_off_drift), 0.0, 0.1),
    SynapseLaw("line_charge", "largest charge, in thresholds of a membrane,",
               _largest_kick(lambda s: s.line_charge), 0.0, 0.1),
    SynapseLaw("charge_on", "charge per current: how long before its spike line the synapse switches on, in phases,",
               _lag_phases(lambda s: s.charge_on), -0.05, EARLIEST_PHASES),
    SynapseLaw("charge_off", "charge per current: how long after its spike line the synapse switches off, in phases,",
               _lag_phases(lambda s: s.charge_off, but=_refill), -1e-4, 0.05),
)  # fmt: skip
"""What holds for either sign of the synapse of every column."""


def _swing_c(column: ColumnHardware) -> float:
    """Charge from rest to threshold: weight 1 over a phase."""
    return column.neuron.capacitance_f * column.neuron.v_th_v
