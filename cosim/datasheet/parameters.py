"""The parameters of a datasheet: what each is, which measurement it comes from, and how rows of measurements become numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from cosim.bench.results import Measured
from cosim.characterize.synapse_parameters import CODE_NAMES
from cosim.design import Design
from netlists.synapse import SIGNS
from training.hardware.variation import DISCHARGER_CURRENT, SWING, current_at_rest

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
SIDES = {1: "plus", -1: "minus"}
MEASURED = ("synapse_line", "synapse_switching", "leakage", "discharger_line", "sensing", "membrane_charge", "resting_neuron")
NAN = float("nan")


@dataclass(frozen=True)
class Parameter:
    """One line of a datasheet. `point` is what the condition of its measurement's point must hold, beside that of the circuit.

    `scale` is log where it is spread over factors: its statistics are those of its logarithm.
    """

    name: str
    what: str
    unit: str
    measurement: str
    point: tuple[tuple[str, Any], ...] = ()
    scale: Literal["linear", "log"] = "linear"
    group: str = "neuron"


def _synapse(sign: int) -> Iterator[Parameter]:
    side, group = SIDES[sign], f"synapse, {'positive' if sign > 0 else 'negative'} weights"
    for code in CODE_NAMES:
        point = (("sign", sign), ("weight", code))
        yield Parameter(current_at_rest(sign, code), f"current at rest, {code}", "A", "synapse_line", point, "log", group)
        yield Parameter(f"weight_{side}_{code}", f"|weight| I T/(C V_th), {code}", "", "synapse_line", point, "log", group)
        yield Parameter(f"e_{side}_{code}", f"reversal potential E, {code}", "", "synapse_line", point, "linear", group)
    strong, middle = (("sign", sign), ("weight", "strong")), (("sign", sign), ("weight", "middle"))
    slope = f"lambda_{side}_middle_per_v"
    yield Parameter(slope, "slope over current at rest, middle", "1/V", "synapse_line", middle, "linear", group)
    yield Parameter(f"residual_{side}_share", "worst deviation from the line", "", "synapse_line", strong, "linear", group)
    yield Parameter(
        f"curvature_{side}_per_v2", "curvature beyond the line, strong", "1/V2", "synapse_line", strong, "linear", group
    )
    yield Parameter(f"linear_{side}_low_v", "line holds within 2 % from", "V", "synapse_line", strong, "linear", group)
    yield Parameter(f"linear_{side}_high_v", "line holds within 2 % up to", "V", "synapse_line", strong, "linear", group)
    switching = "synapse_switching"
    yield Parameter(f"kick_{side}_c", "charge of switching on, without lag", "C", switching, middle, "linear", group)
    yield Parameter(f"delay_{side}_s", "lag of the current at switching on", "s", switching, strong, "linear", group)
    yield Parameter(f"charge_off_{side}_c", "charge of switching off, middle", "C", switching, middle, "linear", group)


def _neuron() -> Iterator[Parameter]:
    yield Parameter("leakage_a", "current of a synapse of weight 0", "A", "leakage", (), "linear", "synapse")
    yield Parameter("line_true_f", "input capacitance, true line", "F", "synapse_switching", (), "linear", "synapse")
    yield Parameter("line_bar_f", "input capacitance, complement", "F", "synapse_switching", (), "linear", "synapse")
    yield Parameter("capacitance_f", "membrane with its synapses, rest to threshold", "F", "membrane_charge")
    yield Parameter("capacitance_synapse_f", "membrane capacitance per synapse", "F", "membrane_charge")
    yield Parameter("capacitance_bend_share", "capacitance at threshold over that at rest, less 1", "", "membrane_charge")
    yield Parameter(SWING, "swing, rest less threshold", "V", "sensing")
    yield Parameter("threshold_v", "switching threshold at the slope of a phase", "V", "sensing")
    yield Parameter("static_threshold_v", "switching threshold, slope zero", "V", "sensing")
    yield Parameter("sensing_delay_s", "delay of sensing inverter and output logic", "s", "sensing")
    yield Parameter(DISCHARGER_CURRENT, "discharger current at rest", "A", "discharger_line", (), "log")
    yield Parameter("e_dis", "reversal potential of the discharger", "", "discharger_line")
    yield Parameter("discharger_log_slope_per_v", "d ln I / d bias of the discharger", "1/V", "discharger_line")
    yield Parameter("reset_error_v", "membrane after reset, less rest", "V", "resting_neuron")
    yield Parameter("droop_v_per_s", "drift of an idle membrane", "V/s", "resting_neuron")
    yield Parameter("spike_s", "output spike of a resting membrane", "s", "resting_neuron", (), "log")
    yield Parameter("energy_accumulate_j", "supply energy of an accumulation without spikes", "J", "resting_neuron")
    yield Parameter("energy_fire_j", "supply energy of firing up to the spike", "J", "resting_neuron")


@cache
def all_parameters() -> dict[str, Parameter]:
    """By name, in the order of a datasheet."""
    return {parameter.name: parameter for parameter in (*_synapse(1), *_synapse(-1), *_neuron())}


def no_values() -> dict[str, float]:
    """NaN for every parameter."""
    return dict.fromkeys(all_parameters(), NAN)


def parameters_of(measured: Mapping[str, Sequence[Measured]], design: Design) -> dict[str, float]:
    """The parameters of one circuit at one condition from its measurements; NaN for what could not be measured."""
    rows = {name: [{**one.point.condition, **one.row} for one in points] for name, points in measured.items()}
    found = no_values()
    found.update(_sensing(rows, design))
    found.update(_membrane(rows, design, found["threshold_v"]))
    for sign in SIGNS:
        found.update(_lines(rows, design, sign, found))
        found.update(_switching(rows, sign))
    found.update(_discharger(rows, found[SWING]))
    found.update(_single(rows, "leakage", {"leakage_a": "leakage_a"}))
    kept = ("droop_v_per_s", "spike_s", "energy_accumulate_j", "energy_fire_j")
    found.update(_single(rows, "resting_neuron", {"reset_error_v": "reset_v", **{name: name for name in kept}}))
    found["reset_error_v"] -= design.neuron.rest_v
    switched = rows.get("synapse_switching", ())
    for line in ("line_true_f", "line_bar_f"):
        found[line] = max((float(row[line]) for row in switched), default=NAN)
    return found


def _single(rows: Rows, measurement: str, names: Mapping[str, str]) -> dict[str, float]:
    """Columns of a measurement of one point, by the parameter's name."""
    row = next(iter(rows.get(measurement, ())), None)
    return {name: NAN if row is None else float(row[column]) for name, column in names.items()}


def _sensing(rows: Rows, design: Design) -> dict[str, float]:
    names = {"threshold_v": "threshold_v", "static_threshold_v": "static_threshold_v", "sensing_delay_s": "delay_s"}
    found = _single(rows, "sensing", names)
    return {**found, SWING: design.neuron.rest_v - found["threshold_v"]}


def _membrane(rows: Rows, design: Design, threshold_v: float) -> dict[str, float]:
    """Charge from rest to threshold over that swing; and how its slope changes between the two."""
    charges = {int(row["synapses"]): row for row in rows.get("membrane_charge", ())}
    count, rest = max(charges, default=0), design.neuron.rest_v
    if count == 0 or 0 not in charges or not np.isfinite(threshold_v):
        return {}

    def capacitance(row: Row, high_v: float, low_v: float) -> float:
        volts, charge = np.asarray(row["membrane_v"])[::-1], np.asarray(row["charge_c"])[::-1]
        return float(np.interp(low_v, volts, charge) - np.interp(high_v, volts, charge)) / (high_v - low_v)

    loaded, bare = (capacitance(charges[synapses], rest, threshold_v) for synapses in (count, 0))
    near = 0.2 * (rest - threshold_v)
    at_rest = capacitance(charges[count], rest, rest - near)
    at_threshold = capacitance(charges[count], threshold_v + near, threshold_v)
    return {
        "capacitance_f": loaded, "capacitance_synapse_f": (loaded - bare) / count,
        "capacitance_bend_share": at_threshold / at_rest - 1,
    }  # fmt: skip


def _lines(rows: Rows, design: Design, sign: int, found: Mapping[str, float]) -> dict[str, float]:
    """docs/physics.md, equation 2: E = 1/(V_th lambda), w = I(V0) T/(C V_th)."""
    side, lines = SIDES[sign], {row["weight"]: row for row in rows.get("synapse_line", ()) if row["sign"] == sign}
    unit_a = found["capacitance_f"] * found[SWING] / design.timing.phase_s
    values: dict[str, float] = {}
    for code, row in lines.items():
        current = abs(float(row["current_a"]))
        slope = float(row["lambda_per_v"]) * found[SWING]
        values |= {
            current_at_rest(sign, code): current, f"weight_{side}_{code}": current / unit_a,
            f"e_{side}_{code}": 1.0 / slope if slope else NAN,
        }  # fmt: skip
    if "middle" in lines:
        values[f"lambda_{side}_middle_per_v"] = float(lines["middle"]["lambda_per_v"])
    if lines:
        values |= {
            f"residual_{side}_share": max(float(row["residual_fraction"]) for row in lines.values()),
            f"curvature_{side}_per_v2": float(lines["strong"]["curvature_per_v2"]) if "strong" in lines else NAN,
            f"linear_{side}_low_v": max(float(row["linear_low_v"]) for row in lines.values()),
            f"linear_{side}_high_v": min(float(row["linear_high_v"]) for row in lines.values()),
        }
    return values


def _switching(rows: Rows, sign: int) -> dict[str, float]:
    """Two codes tell kick and lag apart: the charge of switching on is kick - I * delay."""
    side = SIDES[sign]
    switched = {row["weight"]: row for row in rows.get("synapse_switching", ()) if row["sign"] == sign}
    values = {f"charge_off_{side}_c": float(switched["middle"]["charge_off_c"])} if "middle" in switched else {}
    if {"middle", "strong"} <= switched.keys():
        (small, large), (less, more) = (
            [float(switched[code][column]) for code in ("middle", "strong")] for column in ("current_a", "charge_on_c")
        )
        delay = -(more - less) / (large - small) if large != small else NAN
        values |= {f"delay_{side}_s": delay, f"kick_{side}_c": less + delay * small}
    return values


def _discharger(rows: Rows, v_th_v: float) -> dict[str, float]:
    names = {DISCHARGER_CURRENT: "current_a", "e_dis": "lambda_per_v", "discharger_log_slope_per_v": "log_slope_per_v"}
    found = _single(rows, "discharger_line", names)
    slope = found["e_dis"] * v_th_v
    return {**found, "e_dis": 1.0 / slope if slope else NAN}
