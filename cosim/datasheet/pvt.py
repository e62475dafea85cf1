"""Cell parameters over process, voltage and temperature: with the design's biases, and with those that give the same weights.

*fixed*: every bias as the design says, referenced to ground: the spread as it is. *rebiased*: at each condition the gate biases
are read off that condition's own curves, so that the weakest and the strongest weight of each sign, the current that starves the
sensing inverter and the time of a phase are those of the design's own condition. So PMOS biases follow the supply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cosim.bench.results import Measured
from cosim.characterize.catalogue import NAN
from cosim.characterize.named_weights import CODE_NAMES, SIDES
from cosim.datasheet.circuits import Circuit, by_condition, circuits_of
from cosim.datasheet.parameters import all_parameters, measured_names, no_values, parameters_of
from cosim.design import Design
from cosim.design.condition import Condition, Value, product
from cosim.design.sections import Datasheet
from cosim.sweep.run import Swept
from netlists.synapse import SIGNS, Sign
from training.hardware.variation import MIDDLE

FIXED, REBIASED = "fixed", "rebiased"
UNIT_OF_WEIGHT = ("membrane_charge", "sensing", "discharger_current")
"""What says, once the sensing inverter is biased, which current is a weight of one."""

ENDS = (CODE_NAMES[0], CODE_NAMES[-1])
"""The weights that are held."""

TINY_A = 1e-30
"""Stands for no current where its logarithm is taken."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
Curves = Mapping[str, Curve]
Measure = Callable[[Sequence[str], Sequence[Condition]], Swept]


@dataclass(frozen=True)
class Unreached:
    """A weight that no bias gives at a condition, and the range of |weight| that there is.

    Without a sign, `code` is "discharger" (its current as a weight), or "all" where the neuron itself does not work, so that
    there is no unit of weight.
    """

    condition: Condition
    sign: Sign | None
    code: str
    wanted: float
    lowest: float
    highest: float

    @property
    def weight(self) -> str:
        """Its name, such as plus_strong."""
        return f"{SIDES[self.sign]}_{self.code}" if self.sign else self.code


@dataclass
class PvtResult:
    """Every circuit that was measured, weights that could not be reached, and points that failed."""

    nominal: Circuit
    circuits: list[Circuit] = field(default_factory=list)
    unreached: list[Unreached] = field(default_factory=list)
    sweeps: list[Swept] = field(default_factory=list)


def conditions(design: Design, asked: Datasheet) -> list[Condition]:
    """All combinations of corners, temperatures and supplies that the datasheet asks for."""
    return product(design, corners=asked.corners, temperatures_c=asked.temperatures_c, supplies_v=asked.supplies_v)


def run_pvt(design: Design, asked: Datasheet, own: Condition, measure: Measure) -> PvtResult:
    """Measure every parameter in every mode at every condition.

    `own` is the design's own condition, which is always among them; its bias and the fields of the design that it sets hold
    everywhere.
    """
    places = (
        replace(own, corner=one.corner, temperature_c=one.temperature_c, supply_v=one.supply_v)
        for one in conditions(design, asked)
    )
    wanted = list(dict.fromkeys([own, *places]))
    fixed = measure(measured_names(), wanted if FIXED in asked.modes else [own])
    circuits = circuits_of(FIXED, fixed, design)
    nominal = next((circuit for circuit in circuits if circuit.condition == own), Circuit(FIXED, own, no_values()))
    result = PvtResult(nominal, sweeps=[fixed])
    result.circuits += circuits if FIXED in asked.modes else []
    if REBIASED in asked.modes:
        _rebias_all(design, wanted, measure, result)
    return result


def _rebias_all(design: Design, wanted: Sequence[Condition], measure: Measure, result: PvtResult) -> None:
    own = result.nominal.condition
    wanted = [supply_referred(design, condition) for condition in wanted]
    curves = measure(("bias_curves",), wanted)
    curves_at = {condition: bias_curves_of(measured) for condition, measured in by_condition(curves).items()}
    sensed = {
        condition: _sensing_rebiased(design, condition, curves_at[condition], curves_at[own])
        for condition in wanted
        if condition != own and condition in curves_at and own in curves_at
    }
    units = measure(UNIT_OF_WEIGHT, list(sensed.values())) if sensed else Swept()
    units_at = by_condition(units)
    chosen: list[Condition] = [own]  # whose biases are right as they are
    for condition, with_sensing in sensed.items():
        here = parameters_of(units_at.get(with_sensing, {}), with_sensing.applied(design))
        biased, missing = rebiased(design, with_sensing, curves_at[condition], here, result.nominal.values)
        if biased is None:  # a circuit without any parameter
            result.circuits.append(Circuit(REBIASED, with_sensing, no_values()))
        else:
            chosen.append(biased)
        result.unreached += missing
    found = measure(measured_names(), list(dict.fromkeys(chosen)))
    result.circuits += [without_lost(circuit, result.unreached) for circuit in circuits_of(REBIASED, found, design)]
    result.sweeps += [curves, units, found]


def supply_referred(design: Design, condition: Condition) -> Condition:
    """The condition with levels that count from the supply as far below it as in the design."""
    if condition.supply_v == design.process.supply_v:
        return condition
    higher = condition.supply_v - design.process.supply_v
    levels = design.synapse.supply_levels
    return condition.with_parameters({f"synapse.{name}": round(getattr(design.synapse, name) + higher, 5) for name in levels})


def without_lost(circuit: Circuit, unreached: Iterable[Unreached]) -> Circuit:
    """What was measured at a weight that could not be reached, or half way to it, is not a value of the cell at its weight."""
    lost = [one for one in unreached if one.sign and one.condition == circuit.condition]
    if not lost:
        return circuit
    gone = {(one.sign, code) for one in lost for code in (one.code, MIDDLE)}
    points = {name: dict(parameter.point) for name, parameter in all_parameters().items()}
    kept = {
        name: NAN if (points[name].get("sign"), points[name].get("weight")) in gone else value
        for name, value in circuit.values.items()
    }
    return replace(circuit, values=kept)


def _sensing_rebiased(design: Design, condition: Condition, here: Curves, own: Curves) -> Condition:
    """The condition with the currents that the neuron's bias circuits hold at their design values."""
    fields: dict[str, Value] = {}
    for device, name in design.neuron.followed_biases.items():
        curve = _rising(here, device)
        if curve is not None and device in own:
            bias, current = own[device]
            wanted = float(np.exp(np.interp(getattr(design.neuron, name), bias, np.log(np.maximum(current, TINY_A)))))
            fields[f"neuron.{name}"] = round(_at(*curve, wanted), 5)
    return condition.with_parameters(fields) if fields else condition


def rebiased(
    design: Design, condition: Condition, curves: Curves, here: Mapping[str, float], nominal: Mapping[str, float]
) -> tuple[Condition | None, list[Unreached]]:
    """The condition with the biases that give the nominal weights there, as fields of the design, and weights without one.

    None where the neuron does not work there at all.

    Args:
        here: parameters at the condition, its sensing inverter biased.
        nominal: parameters at the design's own condition.
    """
    unit_a = here["capacitance_f"] * here["v_th_v"] / design.timing.phase_s
    if not np.isfinite(unit_a):
        return None, [Unreached(condition, None, "all", NAN, NAN, NAN)]
    fields: dict[str, Value] = {}
    missing: list[Unreached] = []
    for sign, name in zip(SIGNS, design.synapse.bias_fields or (), strict=False):
        side = SIDES[sign]
        if side not in curves:
            continue
        # One bias for all codes is that of one unit, the weakest code, whose curve it is.
        shared = not isinstance(getattr(design.synapse, name), tuple)
        weights = {code: nominal[f"weight_{side}_{code}"] for code in (ENDS[:1] if shared else ENDS)}
        curve = _rising(curves, side)
        if curve is None or not np.isfinite(list(weights.values())).all():
            missing += [Unreached(condition, sign, code, weights.get(code, NAN), NAN, NAN) for code in ENDS]
            continue
        bias, current = curve
        found = [round(_at(bias, current, weight * unit_a), 5) for weight in weights.values()]
        if shared:
            fields[f"synapse.{name}"] = found[0]
        elif found[0] != found[1]:
            fields[f"synapse.{name}"] = tuple(found)
        ends = float(current[0] / unit_a), float(current[-1] / unit_a)
        missing += [
            Unreached(condition, sign, lost, weight, *ends)
            for code, weight in weights.items()
            if not ends[0] * (1 - 1e-6) <= weight <= ends[1] * (1 + 1e-6)
            for lost in (CODE_NAMES if shared else (code,))
        ]
    condition, lost_discharger = _discharger_rebiased(condition, curves, here["e_dis"], unit_a)
    missing += lost_discharger
    final = condition.with_parameters(fields)
    return final, [replace(one, condition=final) for one in missing]


def _discharger_rebiased(condition: Condition, curves: Curves, e: float, unit_a: float) -> tuple[Condition, list[Unreached]]:
    """The condition whose discharger lets a resting membrane fire after one phase; a row where no bias gives its current."""
    curve = _rising(curves, "discharger")
    if curve is None or not np.isfinite(e):
        return condition, []
    share = float(e * np.log(e / (e - 1))) if e > 1 else 1.0  # docs/physics.md, equation 3: a resting membrane fires at t = 1
    ends = float(curve[1][0] / unit_a), float(curve[1][-1] / unit_a)
    lost = [] if ends[0] <= share <= ends[1] else [Unreached(condition, None, "discharger", share, *ends)]
    return condition.at_bias(_at(*curve, unit_a * share)), lost


def bias_curves_of(measured: Mapping[str, Sequence[Measured]]) -> Curves:
    """Gate bias (V) and current (A) of each device of `bias_curves`."""
    return {
        one.point.condition["device"]: (np.asarray(one.row["bias_v"]), np.asarray(one.row["current_a"]))
        for one in measured.get("bias_curves", ())
    }


def _rising(curves: Curves, device: str) -> Curve | None:
    """The rising part of the curve of a device; None where it has none."""
    return rising(*curves[device]) if device in curves else None


def rising(bias_v: NDArray[np.float64], current_a: NDArray[np.float64]) -> Curve | None:
    """The longest part of a bias curve on which the current rises, in that order; None if it never does."""
    if current_a[-1] < current_a[0]:
        bias_v, current_a = bias_v[::-1], current_a[::-1]
    up = np.concatenate([[False], np.diff(current_a) > 0, [False]])
    edges = np.flatnonzero(np.diff(up.astype(int)))
    if not len(edges):
        return None
    start, end = max(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[1] - run[0])
    return bias_v[start : end + 1], np.maximum(current_a[start : end + 1], TINY_A)


def _at(bias_v: NDArray[np.float64], current_a: NDArray[np.float64], wanted_a: float) -> float:
    """The bias of a current, by a monotone curve through ln I; the end of the curve for what lies beyond it."""
    from scipy.interpolate import PchipInterpolator

    log = np.log(current_a)
    return float(PchipInterpolator(log, bias_v)(np.clip(np.log(max(wanted_a, TINY_A)), log[0], log[-1])))
