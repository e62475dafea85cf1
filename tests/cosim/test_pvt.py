"""Corners at fixed and at re-biased cells: the arithmetic without a simulator, and a small run of the real thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosim.datasheet.circuits import Circuit, extremes
from cosim.datasheet.parameters import all_parameters, no_values, parameters_of
from cosim.datasheet.pvt import (
    ENDS,
    FIXED,
    REBIASED,
    Unreached,
    conditions,
    rebiased,
    rising,
    run_pvt,
    supply_referred,
    without_lost,
)
from cosim.design import Design, load_design
from cosim.design.condition import Condition, of_design
from cosim.design.sections import Datasheet
from cosim.errors import InputError
from cosim.pipeline.run import run
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import WorkerPool
from cosim.sweep.run import SweepOptions, SweepResult, measure
from sky130_models.corners import ALL_CORNERS, Corner

ROOT = Path(__file__).parents[2]
FILE = ROOT / "designs" / "iris_5_5_5.toml"


@pytest.fixture
def design() -> Design:
    return load_design(FILE)


def exponential(i0: float, slope: float, supply_v: float = 1.8) -> tuple[np.ndarray, np.ndarray]:
    bias = np.linspace(0, supply_v, 73)
    return bias, i0 * np.exp(slope * bias)


def test_fifteen_corners_are_five_by_three() -> None:
    assert len(ALL_CORNERS) == 15 == len(set(ALL_CORNERS))
    assert {corner.devices for corner in ALL_CORNERS} == {
        (fets, passives) for fets in ("tt", "ff", "ss", "sf", "fs") for passives in ("", "hh", "ll")
    }


def test_conditions_are_all_combinations(design: Design) -> None:
    asked = Datasheet(corners=ALL_CORNERS, temperatures_c=(-40, 27, 125), supplies_v=(1.62, 1.8, 1.98))
    assert len(set(conditions(design, asked))) == 135
    assert conditions(design, Datasheet()) == [of_design(design)]


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ('[datasheet.limits]\n"fixed.e_diss" = { min = 1.0 }', "datasheet.limits: 'fixed.e_diss' is not MODE.PARAMETER"),
        ('[datasheet.limits]\n"fixed.e_dis" = { min = 5.0, max = 1.0 }', "datasheet.limits.fixed.e_dis: min is above max"),
        ("[datasheet]\nsupplies_v = [1.8, 1.2]", "datasheet.supplies_v: 1.2 is not above neuron.rest_v, 1.3"),
        ("[sweep]\nsupplies_v = [-1.8]", "sweep.supplies_v: -1.8 is not above neuron.rest_v, 1.3"),
    ],
)
def test_a_wrong_datasheet_section_is_one_line_before_anything_is_simulated(section: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(f'name = "x"\n{section}\n')
    with pytest.raises(InputError) as caught:
        run(tmp_path / "x.toml", tmp_path / "run", until="datasheet", jobs=1)
    assert f"{tmp_path / 'x.toml'}: " in str(caught.value) and complaint in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_corner_gets_the_biases_that_give_the_nominal_weights(design: Design) -> None:
    here = {**no_values(), "capacitance_f": 140e-15, "v_th_v": 0.9, "e_dis": 6.0}
    nominal = {
        **no_values(),
        "weight_plus_weak": 0.02,
        "weight_plus_strong": 5.0,
        "weight_minus_weak": 0.02,
        "weight_minus_strong": 1.0,
    }
    curves = {
        "plus": exponential(1e-15, 30),
        "minus": (exponential(1e-15, 30)[0], exponential(1e-15, 30)[1][::-1]),
        "discharger": exponential(1e-14, 25),
    }
    condition, missing = rebiased(design, of_design(design).at_bias(0.5), curves, here, nominal)
    assert condition is not None and not missing
    unit = 140e-15 * 0.9 / 1e-6
    found = condition.applied(design)
    low, high = found.synapse.nmos_bias_v  # type: ignore[union-attr]
    assert 1e-15 * np.exp(30 * np.array([low, high])) / unit == pytest.approx([0.02, 5.0], rel=1e-3)
    weak, strong = found.synapse.pmos_bias_v  # type: ignore[union-attr]
    assert 1e-15 * np.exp(30 * (1.8 - np.array([weak, strong]))) / unit == pytest.approx([0.02, 1.0], rel=1e-3)
    assert condition.discharger_bias_v is not None
    current = 1e-14 * np.exp(25 * condition.discharger_bias_v)
    assert current == pytest.approx(unit * 6 * np.log(6 / 5), rel=1e-3), "equation 3: fires at t = 1"


def test_bits_share_one_bias_that_is_found_for_one_unit() -> None:
    binary = Design.model_validate({"name": "x", "synapse": {"kind": "binary_weighted"}})
    here = {**no_values(), "capacitance_f": 140e-15, "v_th_v": 0.9, "e_dis": 6.0}
    nominal = {**no_values(), "weight_plus_weak": 0.1, "weight_plus_strong": 1.4}
    curves = {"plus": exponential(1e-15, 30)}
    condition, missing = rebiased(binary, of_design(binary), curves, here, nominal)
    assert condition is not None and not missing
    bias = condition.applied(binary).synapse.nmos_bias_v  # type: ignore[union-attr]
    assert 1e-15 * np.exp(30 * bias) == pytest.approx(0.1 * 140e-15 * 0.9 / 1e-6, rel=1e-3)
    _, missing = rebiased(binary, of_design(binary), curves, here, {**nominal, "weight_plus_weak": 1e-9})
    assert [one.weight for one in missing] == ["plus_weak", "plus_middle", "plus_strong"], "the unit is in all of them"


def test_the_level_of_a_pmos_cascode_follows_the_supply() -> None:
    design = Design.model_validate({"name": "x", "synapse": {"kind": "cascode", "pmos_cascode_v": 0.9}})
    own = of_design(design)
    assert supply_referred(design, own) == own
    low = supply_referred(design, replace(own, supply_v=1.62)).applied(design)
    assert low.synapse.pmos_cascode_v == pytest.approx(0.72)  # type: ignore[union-attr]
    assert low.synapse.nmos_cascode_v == 0.75  # type: ignore[union-attr]


def test_what_is_read_at_a_weight_that_is_lost_is_no_value() -> None:
    place = Condition(Corner.SS, 27.0, 1.62)
    full = Circuit(REBIASED, place, dict.fromkeys(all_parameters(), 1.0))
    unreached = [Unreached(place, sign, code, 1.0, 0.1, 0.2) for sign, code in ((-1, "strong"), (-1, "weak"), (1, "strong"))]
    kept = {
        one.weight: {name for name, value in without_lost(full, [one]).values.items() if np.isfinite(value)} for one in unreached
    }
    minus = {name for name in all_parameters() if "_minus_" in name}
    assert kept["minus_strong"] & minus == {"current_minus_weak_a", "weight_minus_weak", "e_minus_weak"}
    assert "curvature_minus_per_v2" in kept["minus_weak"] and "e_minus_strong" in kept["minus_weak"]
    assert not {"e_minus_weak", "e_minus_middle", "kick_minus_c", "lambda_minus_middle_per_v"} & kept["minus_weak"]
    assert minus < kept["plus_strong"] and kept["minus_strong"] - minus == set(all_parameters()) - minus
    assert without_lost(full, [replace(unreached[0], condition=replace(place, supply_v=1.8))]) == full


def test_a_weight_out_of_reach_is_said_so_and_has_no_value(design: Design) -> None:
    here = {**no_values(), "capacitance_f": 140e-15, "v_th_v": 0.9, "e_dis": 6.0}
    nominal = {**no_values(), "weight_plus_weak": 1e-9, "weight_plus_strong": 5.0}
    bias, current = exponential(1e-12, 15)
    condition, missing = rebiased(design, of_design(design), {"plus": (bias, current)}, here, nominal)
    (lost,) = missing
    assert lost.weight == "plus_weak" and lost.wanted == 1e-9
    assert lost.lowest == pytest.approx(current[0] / (140e-15 * 0.9 / 1e-6))
    assert condition is not None and condition == lost.condition


def test_a_discharger_that_is_too_weak_is_said_so_and_costs_no_weight(design: Design) -> None:
    here = {**no_values(), "capacitance_f": 140e-15, "v_th_v": 0.9, "e_dis": 6.0}
    bias, current = exponential(1e-15, 5)
    condition, (lost,) = rebiased(design, of_design(design), {"discharger": (bias, current)}, here, no_values())
    assert condition is not None and lost.weight == "discharger" and lost.wanted == pytest.approx(6 * np.log(6 / 5))
    assert lost.highest == pytest.approx(current[-1] / (140e-15 * 0.9 / 1e-6))
    assert condition.discharger_bias_v == pytest.approx(bias[-1])
    assert condition.applied(design).neuron.discharger_bias_v == design.neuron.discharger_bias_v, "where it is looked for stays"
    full = Circuit(REBIASED, condition, dict.fromkeys(all_parameters(), 1.0))
    assert without_lost(full, [lost]) == full


def test_a_bias_that_does_nothing_at_a_condition_costs_that_sign_only(design: Design) -> None:
    here = {**no_values(), "capacitance_f": 140e-15, "v_th_v": 0.9, "e_dis": 6.0}
    nominal = {**no_values(), **dict.fromkeys(("weight_plus_weak", "weight_minus_weak"), 0.02)}
    nominal |= dict.fromkeys(("weight_plus_strong", "weight_minus_strong"), 1.0)
    bias, current = exponential(1e-15, 30)
    curves = {"plus": (bias, np.full_like(bias, 1e-9)), "minus": (bias, current[::-1]), "discharger": (bias, 0 * bias)}
    condition, missing = rebiased(design, of_design(design), curves, here, nominal)
    assert [one.weight for one in missing] == ["plus_weak", "plus_strong"] and np.isnan(missing[0].lowest)
    assert condition is not None and set(dict(condition.parameters)) == {"synapse.pmos_bias_v"}


def test_a_neuron_that_does_not_work_has_no_unit_of_weight(design: Design) -> None:
    condition, missing = rebiased(design, of_design(design), {}, no_values(), no_values())
    assert condition is None and [one.weight for one in missing] == ["all"]


def test_the_rising_part_of_a_bias_curve() -> None:
    bias = np.linspace(0, 1.8, 7)
    found = rising(bias, np.array([3.0, 2.0, 1.0, 2.0, 4.0, 8.0, 7.0]))
    assert found is not None
    volts, current = found
    assert list(current) == [1.0, 2.0, 4.0, 8.0] and list(volts) == pytest.approx([0.6, 0.9, 1.2, 1.5])
    assert rising(bias, np.ones(7)) is None


def test_the_worst_condition_is_the_farthest_from_typical() -> None:
    places = [Condition(corner, 27.0, 1.8) for corner in (Corner.TT, Corner.SS, Corner.FF)]
    circuits = [
        Circuit(FIXED, place, {**no_values(), "current_plus_weak_a": current, "e_dis": e})
        for place, current, e in zip(places, (1e-9, 1e-11, 2e-8), (6.0, 6.5, 5.0), strict=True)
    ]
    found = {one.parameter: one for one in extremes(circuits, circuits[0])}
    assert set(found) == {"current_plus_weak_a", "e_dis"}
    current = found["current_plus_weak_a"]
    assert current.worst.corner == Corner.SS, "a hundredth is farther than twenty-fold"
    assert (current.least, current.largest, current.typical) == (1e-11, 2e-8, 1e-9)
    assert found["e_dis"].worst.corner == Corner.FF


def test_parameters_of_nothing_are_nan(design: Design) -> None:
    values = parameters_of({}, design)
    assert list(values) == list(all_parameters()) and np.isnan(list(values.values())).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary_weighted", "cascode"])
def test_every_kind_of_cell_with_a_bias_is_biased_again(kind: str, tmp_path: Path) -> None:
    file = ROOT / "designs" / "cells" / f"{kind}.toml"
    design = load_design(file)
    with WorkerPool(jobs=1) as pool:

        def simulate(names: Sequence[str], places: Sequence[Condition]) -> SweepResult:
            return measure(design, file, names, places, RunDirectory(tmp_path), pool, Monitor(), SweepOptions())

        asked = Datasheet(corners=(Corner.SS,), supplies_v=(1.62,), modes=("rebiased",))
        result = run_pvt(design, asked, of_design(design).at_bias(0.559), simulate)
    (nominal, slow), weights = result.circuits, [f"weight_{side}_{code}" for side in ("plus", "minus") for code in ENDS]
    assert not result.unreached
    assert [slow.values[name] for name in weights] == pytest.approx([nominal.values[name] for name in weights], rel=0.03)
    assert slow.values["e_minus_weak"] == pytest.approx(nominal.values["e_minus_weak"], rel=0.8), "a cascode is still one"


@pytest.mark.slow
def test_a_rebiased_slow_corner_has_the_nominal_weights_again(design: Design, tmp_path: Path) -> None:
    asked = Datasheet(corners=(Corner.SS,), temperatures_c=(-40.0,), supplies_v=(1.62,))
    directory = RunDirectory(tmp_path)
    with WorkerPool(jobs=2) as pool:

        def simulate(names: Sequence[str], places: Sequence[Condition]) -> SweepResult:
            return measure(design, FILE, names, places, directory, pool, Monitor(), SweepOptions())

        own = of_design(design).at_bias(0.559)
        result = run_pvt(design, asked, own, simulate)
        again = run_pvt(design, asked, own, simulate)
    assert not result.unreached
    assert sum(sweep.points - sweep.cached for sweep in again.sweeps) == 0
    cold = {one.mode: one.values for one in result.circuits if one.condition.corner == Corner.SS}
    nominal = result.nominal.values
    ratio = cold[FIXED]["current_plus_middle_a"] / nominal["current_plus_middle_a"]
    assert 0.01 < ratio < 0.2, "currents move by decades at fixed bias"
    assert cold[FIXED]["current_minus_strong_a"] < 0.01 * nominal["current_minus_strong_a"], "the supply is the PMOS's bias"
    for name in ("weight_plus_weak", "weight_plus_strong", "weight_minus_weak", "weight_minus_strong"):
        assert cold[REBIASED][name] == pytest.approx(nominal[name], rel=0.01), name
    assert cold[REBIASED]["spike_s"] == pytest.approx(design.timing.phase_s, rel=0.05)
    assert np.isnan(cold[FIXED]["spike_s"]) or cold[FIXED]["spike_s"] > 1.5e-6
