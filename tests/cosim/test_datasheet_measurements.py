"""What the datasheet's measurements make of waveforms (no simulator), and that they agree with the full characterisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.characterize.held_membrane import LINEAR_WITHIN, curve_and_line
from cosim.characterize.measurements.membrane_charge import triangle_charge
from cosim.characterize.measurements.resting_neuron import of_a_rest
from cosim.characterize.measurements.sensing import threshold_and_delay
from cosim.characterize.measurements.synapse_switching import switching_charges
from cosim.design import load_design
from cosim.simulator import Point, Waveforms, WorkerPool, simulate
from netlists.stimulus import PhaseWindow
from sky130_models.corners import ModelSet
from sky130_models.pdk import find_pdk
from training.hardware import HardwareModel

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "designs" / "iris_5_5_5.toml"


def test_curvature_and_linear_range_of_a_parabola() -> None:
    volts = np.linspace(0.15, 1.65, 151)
    x = volts - 1.3
    row = curve_and_line(volts, 1e-7 * (1 + 0.4 * x + 0.05 * x**2), rest_v=1.3)
    assert row["curvature_per_v2"] == pytest.approx(0.05, rel=0.02)
    assert row["lambda_per_v"] == pytest.approx(0.4 + 0.05 * (0.95 - 1.3) * 2, rel=0.05), "the line is the parabola's chord"
    assert row["residual_fraction"] < LINEAR_WITHIN
    steep = curve_and_line(volts, 1e-7 * (1 + 0.4 * x - 3 * np.clip(volts - 1.55, 0, None)), rest_v=1.3)
    assert steep["linear_low_v"] == 0.15 and 1.5 < steep["linear_high_v"] < 1.6


def test_a_current_into_the_membrane_keeps_its_sign() -> None:
    volts = np.linspace(0.15, 1.65, 31)
    row = curve_and_line(volts, -2e-8 * (1 - 0.7 * (volts - 1.3)), rest_v=1.3)
    assert row["current_a"] == pytest.approx(-2e-8)
    assert row["lambda_per_v"] == pytest.approx(-0.7)


def test_threshold_and_delay_come_apart() -> None:
    slopes, static, delay = [2e6, 1e6, 0.5e6], 0.45, 25e-9
    starts, times, membrane, spike, clock = [], [], [], [], 0.0
    for slope in slopes:
        starts.append(clock)
        t = np.linspace(0, 1.15 / slope, 4001)
        times.append(clock + t)
        membrane.append(1.3 - slope * t)
        spike.append(np.where(t >= (1.3 - static) / slope + delay, 1.8, 0.0))
        clock += 1.3 / slope
    waves = Waveforms(
        np.concatenate(times), {"v(membrane)": np.concatenate(membrane), "v(spike)": np.concatenate(spike)}
    )  # fmt: skip
    row = threshold_and_delay(waves, starts, slopes, level_v=0.9, bottom_v=0.15)
    assert row["static_threshold_v"] == pytest.approx(static, abs=2e-3)
    assert row["delay_s"] == pytest.approx(delay, rel=0.02)
    assert row["threshold_v"] == pytest.approx(static - 1e6 * delay, abs=2e-3)
    silent = Waveforms(waves.axis, {"v(membrane)": waves["v(membrane)"], "v(spike)": np.zeros(len(waves.axis))})
    assert np.isnan(threshold_and_delay(silent, starts, slopes, 0.9, 0.15)["delay_s"])


def test_leakage_cancels_in_a_triangle() -> None:
    capacitance, leak_s = 1e-13, 1e-9
    ends = [20e-9, 120e-9, 220e-9]
    time = np.linspace(0, ends[-1], 2201)
    volts = np.interp(time, [0, *ends], [1.65, 1.65, 0.15, 1.65])
    rate = np.gradient(volts, time)
    row = triangle_charge(
        Waveforms(time, {"i(vmembrane)": -(capacitance * rate + leak_s * volts)}), ends, high_v=1.65, low_v=0.15
    )
    slope = np.polyfit(row["membrane_v"], row["charge_c"], 1)[0]
    assert abs(slope) == pytest.approx(capacitance, rel=0.01)
    assert np.all(np.diff(row["charge_c"]) > 0), "a falling membrane gives its charge away"


def test_switching_charges_are_what_the_current_does_not_explain() -> None:
    on, off, current, kick, tail = 50e-9, 350e-9, 1e-7, 3e-16, 8e-16
    time = np.linspace(0, 850e-9, 85001)
    drawn = np.where((time > on) & (time < off), current, 0.0)
    for start, charge in ((on + 2e-9, kick), (off + 2e-9, tail)):
        drawn = drawn + np.where((time > start) & (time < start + 10e-9), charge / 10e-9, 0.0)
    line = np.where((time > on) & (time < on + 1e-9), 1.8e-15 / 1e-9, 0.0)
    waves = Waveforms(time, {"i(vmembrane)": -drawn, "i(vspike_true)": -line, "i(vspike_bar)": 0 * line})
    row = switching_charges(waves, on, off, edge_s=1e-9, supply_v=1.8)
    assert row["charge_on_c"] == pytest.approx(kick, rel=0.02)
    assert row["charge_off_c"] == pytest.approx(tail, rel=0.02)
    assert row["line_true_f"] == pytest.approx(1e-15, rel=0.02) and row["line_bar_f"] == 0


def test_a_resting_neuron_that_does_not_fire_has_no_spike() -> None:
    time = np.linspace(0, 4.1e-6, 1001)
    waves = Waveforms(time, {"v(membrane)": 1.3 - 10 * time, "v(spike)": 0 * time, "i(vsupply)": np.full(1001, -1e-9)})
    row = of_a_rest(waves, PhaseWindow(0.1e-6, 1.1e-6, 4.1e-6), phase_s=1e-6, lead_s=5e-9, supply_v=1.8)
    assert np.isnan(row["spike_s"])
    assert row["droop_v_per_s"] == pytest.approx(-10)
    assert row["energy_accumulate_j"] == pytest.approx(1.8e-9 * 0.995e-6, rel=1e-3)
    assert row["energy_fire_j"] == pytest.approx(1.8e-9 * 3.0e-6, rel=0.01)


def _nominal(names: tuple[str, ...]) -> dict[str, list[dict[str, object]]]:
    design = load_design(DESIGN)
    bench = Bench(design, find_pdk(ModelSet.CONTINUOUS), None)
    found = {}
    with WorkerPool(jobs=2) as pool:
        for name in names:
            outcomes = simulate(MEASUREMENTS[name].points(bench), pool=pool)
            found[name] = [{**outcome.point.condition, **(outcome.row or {})} for outcome in outcomes]
    return found


@pytest.mark.slow
def test_the_quick_testbenches_agree_with_the_full_characterisation() -> None:
    hardware = HardwareModel.reference()
    rows = _nominal(("synapse_current", "sensing", "membrane_charge", "synapse_switching"))
    for row in rows["synapse_current"]:
        cell, current = hardware.synapse(int(str(row["sign"]))), abs(float(str(row["current_a"])))
        code = float(cell.code(np.clip(current, *cell.current_range_a)))
        assert code == pytest.approx(row["code"], abs=1e-3)
    (sensing,) = rows["sensing"]
    assert sensing["threshold_v"] == pytest.approx(hardware.neuron.threshold.value, abs=6e-3)
    loaded, bare = (
        np.interp([0.434, 1.3], np.array(row["membrane_v"])[::-1], np.array(row["charge_c"])[::-1])
        for row in rows["membrane_charge"]
    )
    swing = 1.3 - 0.434
    assert (loaded[0] - loaded[1]) / swing == pytest.approx(hardware.neuron.capacitance_f, rel=5e-3)
    assert (bare[0] - bare[1]) / swing == pytest.approx(hardware.neuron.capacitance_neuron.value, rel=5e-3)
    for row in rows["synapse_switching"]:
        cell, current = hardware.synapse(int(str(row["sign"]))), abs(float(str(row["current_a"])))
        ours, full = float(str(row["charge_off_c"])), float(cell.charge_off(np.clip(current, *cell.current_range_a)))
        assert ours == pytest.approx(full, rel=0.35), "the full one reads the charge off an output spike, half a phase later"


@pytest.mark.slow
def test_the_coarser_transients_are_good_enough() -> None:
    import dataclasses

    design = load_design(DESIGN)
    bench = Bench(design, find_pdk(ModelSet.CONTINUOUS), None)
    points = [
        point
        for name in ("sensing", "membrane_charge", "resting_neuron", "synapse_switching")
        for point in MEASUREMENTS[name].points(bench)
    ]
    tight = [
        Point(
            point.condition,
            dataclasses.replace(point.deck, options=dataclasses.replace(point.deck.options, reltol=1e-6)),
            point.extract,
        )
        for point in points
    ]
    with WorkerPool(jobs=2) as pool:
        rows = [[outcome.row or {} for outcome in simulate(each, pool=pool)] for each in (points, tight)]
    allowed = {"threshold_v": 2e-3, "spike_s": 2e-9, "charge_off_c": 2e-17, "charge_on_c": 2e-17, "delay_s": 2e-9}
    compared = 0
    for coarse, fine in zip(*rows, strict=True):
        for name in allowed.keys() & coarse.keys():
            assert coarse[name] == pytest.approx(fine[name], abs=allowed[name]), name
            compared += 1
    assert compared == 11
