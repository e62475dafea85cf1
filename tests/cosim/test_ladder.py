"""The ladder of neuron models: on waveforms whose truth is known, and on the real column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.characterize.measurements.membrane_ramp import ramp_voltage
from cosim.design import load_design
from cosim.errors import InputError
from cosim.fits.ladder import AS_MEASURED, EXTRACTED, Simulated, climb, extracted_parameters, ladder
from cosim.fits.ladder_rungs import EVERY_SAMPLE, CurrentCurves, current_curves
from cosim.fits.membrane_model import Spike, Stimuli, Trace, displacement
from cosim.fits.patterns import REACHED, Pattern, PatternError, random_patterns, settings, with_synapses
from cosim.mapping.codes import weight_of_setting
from cosim.simulator import Waveforms
from netlists.testbenches import MEMBRANE
from reports.figures.ladder import ladder as picture
from sky130_models.pdk import find_pdk
from training.hardware import HardwareModel, normalise
from training.trajectory import accumulation

REFERENCE = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"


@pytest.fixture(scope="module")
def loaded() -> HardwareModel:
    return with_synapses(HardwareModel.reference(), 8)


def curves(hardware: HardwareModel, curvature: float) -> dict[int, CurrentCurves]:
    """The hardware's own currents and reversals, and one curvature."""
    made = {}
    for sign in (1, -1):
        cell = hardware.synapse(sign)
        rows = np.column_stack([np.zeros(len(cell.code.x)), 1 / np.array(cell.reversal.y), np.full(len(cell.code.x), curvature)])
        made[sign] = CurrentCurves(np.log(cell.code.x), rows)
    return made


def as_simulated(hardware: HardwareModel, patterns: list[Pattern], truth: dict[int, CurrentCurves] | None) -> Simulated:
    """Waveforms of a circuit that is exactly the model."""
    times = np.linspace(0, 0.995, 200) * hardware.phase_s
    traces = [
        Trace(str(k), times, np.zeros(200), tuple(Spike(8 * k + j, float(t) * 1e-6) for j, t in enumerate(pattern.spikes)))
        for k, pattern in enumerate(patterns)
    ]
    part = Simulated(patterns, traces)
    stimuli = Stimuli(traces, 8 * len(patterns), EVERY_SAMPLE)
    u = displacement(extracted_parameters(hardware, part.currents_a(hardware), truth), stimuli)[:, 0].real
    voltages = np.split(hardware.neuron.membrane(u), len(traces))
    return replace(part, traces=[replace(trace, membrane_v=v) for trace, v in zip(traces, voltages, strict=True)])


def test_a_cell_that_is_too_weak_has_no_patterns() -> None:
    """Its largest weight is 0.01: eight of them do not take the membrane far enough."""
    hardware = HardwareModel.reference()
    weak = hardware.model_copy(update={"phase_s": hardware.phase_s / 700})
    assert weak.weight_range(1)[1] < 0.03
    with pytest.raises(PatternError, match="fewer than 2 stay in the linear range of the membrane and reach"):
        random_patterns(weak, 2, seed=3)


def test_patterns_hold_weights_that_a_cell_with_steps_can_do() -> None:
    hardware = HardwareModel.reference()
    steps = {
        side: cell.model_copy(update={"code_step": 0.02, "code": cell.code.model_copy(update={"interpolant": "pchip"})})
        for side, cell in (("plus", hardware.plus), ("minus", hardware.minus))
    }
    stepped = hardware.model_copy(update=steps)
    smooth, (pattern,) = random_patterns(hardware, 1, seed=3)[0], random_patterns(stepped, 1, seed=3)
    loaded, ratio = with_synapses(stepped, 8), pattern.weights / smooth.weights
    for weight, setting in zip(pattern.weights, settings(loaded, pattern), strict=True):
        assert setting.code == pytest.approx(0.02 * round(setting.code / 0.02), abs=1e-12)
        assert weight == pytest.approx(weight_of_setting(setting, loaded), rel=1e-9)
    assert (pattern.spikes == smooth.spikes).all() and 0.5 < ratio.min() < 0.98 < ratio.max() < 2.0


def test_patterns_stay_in_the_linear_range_and_reach_both_sides(loaded: HardwareModel) -> None:
    patterns, model = random_patterns(HardwareModel.reference(), 6, seed=3), normalise(loaded)
    for k, pattern in enumerate(patterns):
        v = accumulation(model, pattern.weights[None], pattern.spikes, np.linspace(0, 0.99, 300))
        assert model.linear_range[0] < v.min() and v.max() < model.linear_range[1]
        assert v.min() < REACHED[1] if k % 2 else v.max() > REACHED[0]
        assert (pattern.weights > 0).sum() == (pattern.weights < 0).sum() == 4
    again = random_patterns(HardwareModel.reference(), 6, seed=3)
    assert all((a.weights == b.weights).all() for a, b in zip(patterns, again, strict=True))
    assert (random_patterns(HardwareModel.reference(), 1, seed=4)[0].weights != patterns[0].weights).any()


def test_settings_give_the_weights_back(loaded: HardwareModel) -> None:
    (pattern,) = random_patterns(HardwareModel.reference(), 1, seed=3)
    for weight, setting in zip(pattern.weights, settings(loaded, pattern), strict=True):
        current = loaded.synapse(setting.sign).code.inverse()(setting.code)
        assert setting.sign * float(current) / loaded.unit_current_a == pytest.approx(weight, rel=2e-3)


def test_the_exact_solution_is_that_of_the_layer(loaded: HardwareModel) -> None:
    """Hardware model through the Riccati solution against the trajectory that training uses."""
    patterns = random_patterns(HardwareModel.reference(), 2, seed=5)
    part, model = as_simulated(loaded, patterns, None), normalise(loaded, points=2001)
    for pattern, trace in zip(patterns, part.traces, strict=True):
        v = accumulation(model, pattern.weights[None], pattern.spikes, trace.time_s / loaded.phase_s)[:, 0]
        np.testing.assert_allclose(loaded.neuron.membrane(v * loaded.neuron.v_th_v), trace.membrane_v, atol=2e-5)


@pytest.fixture(scope="module")
def climbed(loaded: HardwareModel):  # type: ignore[no-untyped-def]
    """A circuit that is the model with a curvature: the ladder must end at nothing."""
    truth = curves(loaded, 0.01)
    fit_on, judged_on = random_patterns(HardwareModel.reference(), 6, 11), random_patterns(HardwareModel.reference(), 4, 22)
    parts = [as_simulated(loaded, patterns, truth) for patterns in (fit_on, judged_on)]
    return climb(loaded, *parts, truth, drawn_f=0.9 * loaded.neuron.capacitance_f).set_index("rung")


def test_each_rung_buys_something_and_the_top_misses_nothing(climbed) -> None:  # type: ignore[no-untyped-def]
    fitted = climbed.drop(index=[EXTRACTED, AS_MEASURED])
    assert (np.diff(fitted.held_out_rms_v) < 0).all(), fitted
    assert fitted.held_out_rms_v.iloc[0] > 1e-2
    assert fitted.held_out_rms_v.iloc[-1] < 1e-6
    assert list(fitted.fitted_parameters) == [0, 2, 4, 8, 10]


def test_curvature_is_what_the_extracted_model_lacks(climbed) -> None:  # type: ignore[no-untyped-def]
    assert climbed.held_out_rms_v[AS_MEASURED] < 1e-9
    assert climbed.held_out_rms_v[EXTRACTED] > 1e-4


def test_the_picture_shows_every_rung(climbed) -> None:  # type: ignore[no-untyped-def]
    (axis,) = picture(climbed.reset_index()).axes
    assert len(axis.patches) == 7
    assert axis.get_yticklabels()[1].get_text() == "+ reversal  (2)"


def test_a_ramp_starts_before_its_edge() -> None:
    """The middle of an edge of 2 ns, 100 nA: 25 aC have flowed, which 10 fF show as 2.5 mV."""
    time = np.linspace(0, 1e-7, 100001)
    flowed = 1e-7 * np.where(time < 9e-9, 0, np.where(time < 11e-9, (time - 9e-9) ** 2 / 4e-9, time - 10e-9))
    row = ramp_voltage(Waveforms(time, {MEMBRANE: 1.3 - flowed / 1e-14}), current_a=1e-7, start_s=10e-9, edge_s=2e-9, end_v=0.2)
    np.testing.assert_allclose(row["membrane_v"], 1.3 - row["charge_c"] / 1e-14, atol=1e-9)


@pytest.mark.slow
def test_the_ladder_on_the_real_column() -> None:
    design, hardware = load_design(REFERENCE), HardwareModel.reference()
    bench = Bench(design, find_pdk(design.process.model_set), None)
    table = ladder(bench, hardware, random_patterns(hardware, 2, 11), random_patterns(hardware, 2, 22)).set_index("rung")
    rms = table.held_out_rms_v
    assert rms["ideal"] > 5 * rms["+ reversal"] > 15 * rms["+ capacitance, delay"]
    assert rms["+ beta(w), kick, leak"] < 1e-3
    assert rms[EXTRACTED] < 0.3e-3, "the model holds the bend of its currents itself"
    assert rms[AS_MEASURED] < 0.3e-3


@pytest.mark.slow
def test_the_codes_of_a_hardware_model_need_not_be_those_of_the_design() -> None:
    """The reference has eleven a sign; the design sweeps six others in the same range."""
    design = load_design(REFERENCE)
    coarse = design.model_copy(update={"characterization": design.characterization.model_copy(update={"codes": 6})})
    hardware = HardwareModel.reference()
    found, fine = (current_curves(Bench(one, find_pdk(), None), hardware) for one in (coarse, design))
    for sign in (1, -1):
        assert len(found[sign].log_current) == 6 and len(fine[sign].log_current) == 11
        middle = np.exp(np.linspace(found[sign].log_current[0], found[sign].log_current[-1], 9))
        for coarsely, finely in zip(found[sign](middle), fine[sign](middle), strict=True):
            np.testing.assert_allclose(coarsely, finely, rtol=0.03, atol=2e-5)
        assert np.isfinite(found[sign](np.array([1e-12, 1e-3]))).all()
    elsewhere = hardware.model_copy(update={"plus": hardware.plus.model_copy(update={
        "code": hardware.plus.code.model_copy(update={"y": tuple(y + 0.5 for y in hardware.plus.code.y)})
    })})  # fmt: skip
    with pytest.raises(
        InputError, match=r"characterization\.codes: 0 of the design's codes of sign \+1 lie among those of iris_5_5_5"
    ):
        current_curves(Bench(coarse, find_pdk(), None), elsewhere)
