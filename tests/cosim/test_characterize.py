"""Measurements: their pure functions on known input, and the real circuit against published values."""

from collections.abc import Callable
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import history
from benchmarks.columns import compared
from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.bench.lines import PARABOLA_THRESHOLDS, Window, dwelling, lambda_line, line_fit, parabola_within
from cosim.characterize import discharger, firing, membrane, switching
from cosim.characterize.extract import Characterization, CharacterizationError, characterize, check_switched
from cosim.characterize.measurements import firing_time, membrane_ramp
from cosim.characterize.measurements.resting_neuron import resting_neuron
from cosim.characterize.measurements.switching_threshold import static_threshold
from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.mapping.circuit import end_of_accumulation
from cosim.mapping.codes import weight_of_setting
from cosim.pipeline.work import characterize as characterize_stage
from cosim.pipeline.workspace import Workspace
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import Deck, OperatingPoint, Outcome, Point, Reason, SimulationError, Store, Transient, Waveforms
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import MEMBRANE, column
from sky130_models.pdk import find_pdk
from training.hardware import Curve, HardwareModel, normalise
from training.trajectory import accumulation

REFERENCE = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
RESISTIVE = REFERENCE.with_name("iris_5_5_5_resistive.toml")


def test_a_line_is_recovered_with_its_residual() -> None:
    x = np.linspace(-1, 1, 21)
    bump = np.where(np.arange(21) == 10, 0.3, 0.0)
    line = line_fit(x, 2.0 - 0.5 * x)
    assert (line.intercept, line.slope, line.zero) == pytest.approx((2.0, -0.5, 4.0))
    assert line.worst_residual < 1e-12
    bumped = line_fit(x, 2.0 - 0.5 * x + bump)
    assert bumped.worst_residual == pytest.approx(0.3, rel=0.1)
    assert bumped.slope_error > line.slope_error


def test_a_parabola_is_recovered_with_its_residual() -> None:
    x = np.linspace(-0.3, 1.2, 1501)
    bent = -2e-9 * (1 + 0.7 * x + 0.03 * x * x)
    found = parabola_within(x, bent, Window(-0.1, 0.95))
    assert (found.at_zero, found.slope, found.curvature) == (pytest.approx(-2e-9), pytest.approx(0.7), pytest.approx(0.03))
    assert found.relative_rms < 1e-12
    # What it cannot hold is its residual: of x^3 that is 2/5 of the third Legendre polynomial, over a range of half width 0.525.
    cubic = parabola_within(x, bent - 2e-9 * 0.01 * x**3, Window(-0.1, 0.95))
    assert cubic.relative_rms == pytest.approx(0.01 * 0.525**3 * 0.4 / np.sqrt(7), rel=0.01)
    assert cubic.curvature == pytest.approx(0.03 + 0.01 * 3 * 0.425, rel=1e-3)
    assert cubic.curvature_error > 1e6 * found.curvature_error


def test_a_parabola_is_weighted_as_numpy_weights_it() -> None:
    x = np.linspace(-0.7, 1.3, 24)
    bent = 1e-7 * (1 + 0.6 * x + 0.05 * np.exp(2 * x))
    weight = dwelling(x, 0.855)
    found = parabola_within(x, bent, Window(-0.3, 0.9), weight)
    inside = (x >= -0.3) & (x <= 0.9)
    curvature, slope, at_zero = np.polyfit(x[inside], bent[inside], 2, w=np.sqrt(weight[inside]))
    assert (found.at_zero, found.slope, found.curvature) == pytest.approx((at_zero, slope / at_zero, curvature / at_zero))
    assert found.curvature != pytest.approx(parabola_within(x, bent, Window(-0.3, 0.9)).curvature, rel=1e-2)


def test_the_parabola_holds_for_a_membrane_that_was_far_beyond_rest_before_it_fires() -> None:
    # A strong PMOS of SKY130, over thresholds: what is beyond the second power is 0.1 % at -0.2 and more than that further out.
    x = np.linspace(-0.4, 1.35, 24)

    def current(v: np.ndarray) -> np.ndarray:
        return 1 + 0.45 * v - 0.02 * v**2 + 0.03 * v**3

    def charge_error(path: np.ndarray, window: Window, weight: np.ndarray | None) -> float:
        fit = parabola_within(x, current(x), window, weight)
        return float(np.mean(current(path) - fit.at_zero * (1 + fit.slope * path + fit.curvature * path**2)))

    ways = ((Window(-0.1, 0.95), None), (PARABOLA_THRESHOLDS, dwelling(x, 1.0)))
    beyond_rest = np.concatenate([np.linspace(0, -0.3, 300), np.linspace(-0.3, 0.05, 350)])
    flat, weighted = (abs(charge_error(beyond_rest, *way)) for way in ways)
    assert weighted < flat / 3
    ramps = [np.linspace(0, end, 1000) for end in np.linspace(0.1, 0.9, 9)]
    flat, weighted = (np.sqrt(np.mean([charge_error(path, *way) ** 2 for path in ramps])) for way in ways)
    assert weighted < 1.2 * flat


def test_lambda_is_slope_over_current_at_rest() -> None:
    # docs/physics.md: I(V) = I(V0) [1 + lambda (V - V0)]
    volts = np.linspace(0.2, 1.6, 15)
    current = 1e-7 * (1 + 0.41 * (volts - 1.3) + np.where(volts < 0.45, 1.0, 0.0))
    assert lambda_line(volts, current, 1.3).relative_slope == pytest.approx(0.41), "what lies outside its range does not count"


def test_a_range_in_rest_levels_follows_the_rest_level() -> None:
    window = Window(0.5, 1.0)
    volts = np.array([0.4, 0.45, 0.9, 0.95, 1.3])
    assert list(window.times(0.9).holds(volts)) == [False, True, True, False, False]
    assert list(window.times(1.3).holds(volts)) == [False, False, True, True, True]


def test_the_discharger_bias_is_found_between_its_points() -> None:
    biases = np.linspace(0.45, 0.75, 9)
    spikes = 1e-6 * np.exp(-(biases - 0.561) / 0.04)
    assert discharger.bias_for_phase(biases, spikes, 1e-6) == pytest.approx(0.561, abs=1e-4)
    with pytest.raises(InputError, match="discharger_bias_v: no bias between"):
        discharger.bias_for_phase(biases, spikes, 1e-3)


def test_capacitance_is_charge_over_voltage() -> None:
    charge = np.linspace(0, 2e-13, 50)
    table = pd.DataFrame({"synapses": 5, "charge_c": charge, "membrane_v": 1.3 - charge / 140e-15})
    assert membrane.capacitance_f(table, 5, 1.3, 0.43) == pytest.approx(140e-15, rel=1e-9)


def test_switching_charges_are_recovered() -> None:
    """Of each of three synapses that are switched together."""
    capacitance, current, reversal, reference, count = 140e-15, 6e-8, 2.4, 0.5e-6, 3
    on, off, tail, drift = 2e-17, 8e-16, 6e-17, -2e-17
    membranes = switching.MembraneCapacitance(capacitance, 1.05 * capacitance, 1.02 * capacitance)

    def pulled(before: float, time: float) -> float:
        """A line in closed form, of which the extraction knows the points."""
        rate = current * time / (membranes.on_f * reversal)
        return reversal + (before - reversal) * np.exp(-rate) + count * on / membranes.off_f

    responses = []
    for before, spike in ((0.6, 0.2e-6), (0.3, 0.45e-6), (0.1, 0.8e-6)):
        at_end, at_off = pulled(before, 0.4e-6), pulled(before, 0.404e-6)
        charge = count * (off + tail * np.log(spike / reference) + drift * (spike / reference - 1))
        # What had left comes back empty.
        kick = charge / membranes.off_f - at_off * (1 - membranes.on_f / membranes.off_f)
        responses.append(
            {
                "before_v": before,
                "end_v": at_end,
                "measured_on_s": 0.4e-6,
                "on_s": 0.404e-6,
                "spike_s": spike,
                "fired": at_off + kick,
            }
        )
    fired = {response["spike_s"]: response["fired"] for response in responses}
    found = switching.switching_charges(
        responses,
        lambda v: v,
        fired.__getitem__,
        lambda u: current * (1 - u / reversal),
        membranes,
        reference,
        count,
    )
    assert astuple(found) == pytest.approx((on, off, tail, drift), rel=1e-6)


def test_a_larger_membrane_takes_longer_to_its_threshold_and_the_logic_behind_it_does_not() -> None:
    """90 ns of logic, and a discharger that is a current source: 1 us in all from rest, on 1.2 times the capacitance 1.182."""
    u = np.linspace(-0.1, 1.2, 27)
    spikes = 90e-9 + 910e-9 * np.clip(1 - u, 0.0, None)
    curve = Curve(x=tuple(u), y=tuple(spikes), x_name="displacement", x_unit="V", y_name="spike", y_unit="s")
    for slower in (1.0, 1.2):
        fired_from = firing.inverse(curve, slower)
        for displacement in (0.0, 0.4, 0.9):
            assert fired_from(90e-9 + slower * 910e-9 * (1 - displacement)) == pytest.approx(displacement, abs=1e-4)


def test_as_many_synapses_are_switched_together_as_their_membrane_bears() -> None:
    """A tenth of a millivolt is little to measure, a membrane beyond its range is no measurement."""
    for weight in (0.0, 0.01, 0.3, 3.0, 20.0):
        count = switching.at_once(weight, 64)
        on = switching.on_time_s(count * weight, 1.0)
        assert 1 <= count <= 64 and count * weight * on <= switching.LARGEST_DISPLACEMENT * (1 + 1e-12)
        assert count == 1 or on >= switching.LEAST_ON_PHASES * (1 - 1e-12)
    assert (switching.at_once(0.0, 64), switching.at_once(0.3, 64), switching.at_once(0.3, 5)) == (64, 6, 5)


def test_a_spike_is_timed_from_the_start_of_firing() -> None:
    time = np.linspace(0, 2e-6, 2001)
    waveforms = Waveforms(
        time, {"v(column_membrane_0)": 1.3 - 0.5e6 * time, "v(column_spike_0)": np.where(time > 1.5e-6, 1.8, 0.0)}
    )
    row = firing_time.first_spike(waveforms, 1.1e-6, 0.9, static_threshold_v=0.6)
    assert row["spike_s"] == pytest.approx(0.4e-6, abs=1e-9)
    assert row["passed_s"] == pytest.approx(0.3e-6, abs=1e-9)
    assert row["at_spike_v"] == pytest.approx(0.55, abs=1e-3)


def test_charges_are_known_over_the_whole_range_of_currents_or_it_is_said_where_not() -> None:
    """A model whose curves end at different currents could not be used."""
    fits = pd.DataFrame({"sign": [1] * 4 + [-1] * 4, "code": [0.4, 0.5, 0.6, 0.7] * 2, "current_a": [1e-9, 1e-8, 1e-7, 1e-4] * 2})
    check_switched(fits.drop(index=[1, 6]), fits)
    with pytest.raises(CharacterizationError, match=r"sign \+1: none for code 0\.7 \(0\.0001 A at rest\)"):
        check_switched(fits.drop(index=[3]), fits)
    with pytest.raises(CharacterizationError, match=r"sign -1: none for code 0\.4 \(1e-09 A at rest\)"):
        check_switched(fits.drop(index=[4]), fits)


def test_a_characterisation_that_is_given_up_leaves_its_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that says so names the file."""

    def hopeless(bench: Bench, progress: Callable[[str], None]) -> Characterization:
        deck = Deck("hopeless", "r1 a 0 1k", "", OperatingPoint(), ("v(a)",))
        failed = SimulationError(Reason.NO_CONVERGENCE, "no convergence", deck.text())
        bench.failures.append(Outcome(Point({"bias_v": 0.5}, deck, static_threshold), None, failed))
        raise CharacterizationError("discharger bias: 9 of 9 simulations failed; see characterization/failures.parquet")

    monkeypatch.setattr("cosim.characterize.extract.characterize", hopeless)
    space = Workspace(_small(), RunDirectory(tmp_path), Monitor(), command="cosim run x.toml")
    with pytest.raises(CharacterizationError):
        characterize_stage.work(space)
    table = pd.read_parquet(tmp_path / "characterization/failures.parquet")
    (row,) = table.to_dict("records")
    assert (row["condition"], row["corner"], row["reason"]) == ("bias_v=0.5", "tt", "no_convergence")
    assert "r1 a 0 1k" in row["deck"] and row["rerun"] == "cosim run x.toml"


def _small(**changes: object) -> Design:
    """The reference design with few points per sweep."""
    design = load_design(REFERENCE)
    coarse = design.characterization.model_copy(update={"codes": 6, "membrane_points": 16, "firing_points": 20})
    accuracy = design.accuracy.model_copy(update={"reltol": 1e-5, "max_step_s": 2e-8})
    return design.model_copy(update={"characterization": coarse, "accuracy": accuracy, **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("points") / "points.sqlite")


@pytest.fixture(scope="module")
def reference(store: Store) -> Characterization:
    design = _small()
    return characterize(Bench(design, find_pdk(design.process.model_set), store))


@pytest.mark.slow
def test_the_reference_circuit_has_its_published_parameters(reference: Characterization) -> None:
    table = reference.tables["published"].set_index("quantity")
    for quantity in ("lambda_N", "E+", "lambda_P", "E-", "lambda_dis", "E_dis"):
        assert table.measured[quantity] == pytest.approx(table.published[quantity], rel=0.15), quantity
    assert table.measured["membrane capacitance"] == pytest.approx(140e-15, rel=0.01)


@pytest.mark.slow
def test_the_currents_are_those_of_the_reference_page(reference: Characterization) -> None:
    # measured: NMOS 2.1 nA at 0.40 V, 30 nA at 0.50 V; PMOS 2.0 nA at 1.30 V, 27.6 nA at 1.15 V
    fits = reference.tables["synapse_fit"].set_index(["sign", "code"]).current_a
    for sign, code, current in ((1, 0.40, 2.1e-9), (1, 0.50, 30e-9), (-1, 1.30, 2.0e-9), (-1, 1.15, 27.6e-9)):
        near = fits.loc[sign].iloc[np.argmin(np.abs(fits.loc[sign].index.to_numpy() - code))]
        assert near == pytest.approx(current, rel=0.05), (sign, code)


@pytest.mark.slow
def test_the_model_that_comes_with_the_library_is_of_this_circuit(reference: Characterization) -> None:
    shipped, found = HardwareModel.reference(), reference.hardware
    assert shipped.origin.startswith("cosim ") and f"designs/{REFERENCE.name}" in shipped.origin
    assert found.origin.startswith("cosim ") and found.origin.endswith(" characterize")
    assert shipped.neuron.capacitance_f == pytest.approx(found.neuron.capacitance_f, rel=1e-3)
    assert shipped.neuron.v_th_v == pytest.approx(found.neuron.v_th_v, rel=1e-3)
    for sign in (1, -1):
        assert shipped.weight_range(sign) == pytest.approx(found.weight_range(sign), rel=5e-3)
        middle = np.sqrt(np.prod(found.synapse(sign).current_range_a))
        assert shipped.synapse(sign).reversal(middle) == pytest.approx(found.synapse(sign).reversal(middle), rel=5e-3)
    start = np.linspace(0.0, 0.8, 9) * found.neuron.v_th_v
    assert np.abs(shipped.neuron.firing(start) - found.neuron.firing(start)).max() < 1e-9


@pytest.mark.slow
def test_a_parabola_leaves_a_tenth_of_what_a_line_does(reference: Characterization) -> None:
    fits = reference.tables["synapse_fit"].set_index("sign")
    assert fits.residual_rms.max() < 3e-4
    # PMOS, weakest first: 0.032 .. 0.005 /V^2; the line is off by up to 0.3 % there.
    curvature = fits.loc[-1].curvature_per_v2.to_numpy()
    assert (np.diff(curvature) < 0).all() and 0.028 < curvature[0] < 0.037 and 0.003 < curvature[-1] < 0.008
    assert fits.loc[-1].residual_fraction.iloc[0] > 2e-3


@pytest.mark.slow
def test_an_idle_column_droops_as_its_leakages_say(reference: Characterization, store: Store) -> None:
    """Measured each by itself on a held membrane, and all together on one that floats."""
    design, neuron = _small(), reference.hardware.neuron
    assert neuron.leakage is not None and neuron.idle_leakage is not None
    bench = Bench(design, find_pdk(design.process.model_set), store, discharger_bias_v=neuron.discharger_bias.value)
    (rest,) = bench.run(resting_neuron.points(bench)).alive
    leaking = neuron.leakage.value + design.network.inputs * neuron.idle_leakage.value
    assert -rest.row["droop_v_per_s"] * neuron.capacitance_f == pytest.approx(leaking, rel=0.03)
    assert 3e-13 < neuron.leakage.value < 4e-13
    by_code = reference.tables["leakage"].set_index("sign").leakage_a
    assert by_code.loc[1].between(1.4e-13, 2.0e-13).all() and by_code.loc[-1].between(-2e-14, 4e-14).all()


@pytest.mark.slow
def test_switching_off_pulls_as_on_the_reference_page(reference: Characterization) -> None:
    # with edges of 1 ns NMOS +4 .. 6 mV, PMOS -2 .. -3 mV; the circuit's own, faster drivers give more
    table, capacitance = reference.tables["switching"], reference.hardware.neuron.capacitance_f
    kicks = table.assign(kick_v=table.charge_off_c / capacitance)
    assert kicks[kicks.sign > 0].kick_v.between(3e-3, 12e-3).all()
    assert kicks[kicks.sign < 0].kick_v.between(-9e-3, -2e-3).all()
    assert kicks[kicks.sign > 0].kick_v.is_monotonic_increasing


@pytest.mark.slow
def test_a_resting_membrane_fires_at_the_end_of_its_phase(reference: Characterization) -> None:
    neuron = reference.hardware.neuron
    assert float(neuron.firing(np.array(0.0))) == pytest.approx(reference.hardware.phase_s, rel=2e-3)
    # the published law holds above a tenth of the phase
    table = reference.tables["firing"]
    regular = table[(table.spike_s > 0.15e-6) & (table.spike_s < 1e-6)]
    assert np.abs(regular.spike_s - regular.law_s).max() < 6e-9


@pytest.mark.slow
def test_neither_network_nor_data_enter_the_characterisation(reference: Characterization, store: Store) -> None:
    design = _small()
    other = _small(
        training=design.training.model_copy(update={"seed": 7, "epochs": 1}),
        network=design.network.model_copy(update={"split_seed": 3, "test_samples": 30}),
    )
    bench = Bench(other, find_pdk(other.process.model_set), store)
    again = characterize(bench)
    assert again.hardware == reference.hardware
    assert bench.cpu_s == 0.0, "every deck must be one that was already known"


@pytest.mark.slow
def test_a_bias_that_is_given_is_not_looked_for(reference: Characterization, store: Store) -> None:
    """Nor does the range in which it would be looked for have to hold it."""
    bias_v = reference.hardware.neuron.discharger_bias.value
    elsewhere = _small().neuron.model_copy(update={"discharger_bias_v": (0.30, 0.40)})
    seen: list[str] = []
    bench = Bench(
        _small(neuron=elsewhere), find_pdk(_small().process.model_set), store, discharger_bias_v=bias_v,
        on_outcome=lambda outcome: seen.append(outcome.point.deck.title),
    )  # fmt: skip
    neuron = characterize(bench).hardware.neuron
    assert seen and not [title for title in seen if title.startswith("resting column")]
    assert neuron.discharger_bias.value == bias_v
    assert float(neuron.firing(np.array(0.0))) == pytest.approx(reference.hardware.phase_s, rel=2e-3)
    assert neuron.capacitance_f == pytest.approx(reference.hardware.neuron.capacitance_f, rel=1e-4)


@pytest.mark.slow
def test_a_wire_on_the_membrane_is_measured(reference: Characterization, store: Store) -> None:
    design = _small()
    neuron = design.neuron.model_copy(update={"wire_capacitance_f": design.neuron.wire_capacitance_f + 50e-15})
    bench = Bench(_small(neuron=neuron), find_pdk(design.process.model_set), store)
    table = membrane.charge_table(bench.run(membrane_ramp.points(bench, 5)).alive)
    model = reference.hardware.neuron
    rest, threshold = model.rest.value, model.threshold.value
    assert membrane.capacitance_f(table, 5, rest, threshold) - model.capacitance_f == pytest.approx(50e-15, rel=2e-3)


@pytest.mark.slow
def test_a_column_follows_from_two_smaller_ones(store: Store) -> None:
    design = _small()
    bench = Bench(design, find_pdk(design.process.model_set), store)
    model = characterize(bench, sizes=[ColumnSize(synapses, 5, 5) for synapses in (5, 8, 16)]).hardware
    off = {figure.name: abs(figure.value) for figure in compared(model, 16)}
    assert off["columns.capacitance_off_share"] < 1e-3
    assert off["columns.threshold_off_v"] < 0.2e-3
    assert max(off[f"columns.{kind}_off_share"] for kind in ("charge_off", "idle_charge")) < 0.05
    # Of the weakest code 11 aC, known to half an aC at this tolerance; the line through columns of 5 and 8 makes four of it.
    assert off["columns.charge_on_off_share"] < 0.3
    assert off["columns.firing_off_s"] < 1e-9
    # And not because columns do not differ.
    assert model.at(16).neuron.capacitance_f > 1.09 * model.at(5).neuron.capacitance_f


@pytest.mark.slow
def test_alike_devices_are_one_device_of_so_many_units() -> None:
    class Apart(Bench):
        nominal = False

    design = load_design(REFERENCE)
    size, pulse = ColumnSize(5, 4, 3), switching.Pulse(SynapseSetting(1, 0.5), 0.125, 2)
    rows = []
    for kind in (Bench, Apart):
        bench = kind(design, find_pdk(design.process.model_set), None)
        point = next(switching.points(bench, with_bias(bench.cells(), 0.56), size, pulse, 1.2e-13))
        (measured,) = bench.run([point]).alive
        calls = [line for line in point.deck.netlist.splitlines() if line.startswith("X") and "synapse_current_source" in line]
        rows.append((len(calls), measured.row))
    (merged, one), (apart, each) = rows
    # Two are switched, the rest of column and rows stands in two kinds; the first of each kind on a membrane is a call by itself.
    assert (merged, apart) == ((1 + 1) + (1 + 1 + 1) + 2 + 2, 5 + 2 * 2 + 4)
    assert one["end_v"] == pytest.approx(each["end_v"], abs=1e-8)
    assert one["spike_s"] == pytest.approx(each["spike_s"], abs=1e-12)


@pytest.mark.slow
def test_an_image_leaves_something_behind_that_is_small_and_that_a_reset_does_not_take_away() -> None:
    (shift,) = history.figures(quick=True)
    assert -2e-9 < shift.value < -0.5e-9


@pytest.mark.slow
def test_a_resistor_takes_its_far_half_off_the_membrane() -> None:
    design = load_design(RESISTIVE)
    coarse = design.characterization.model_copy(update={"codes": 5, "membrane_points": 16, "firing_points": 20})
    bench = Bench(design.model_copy(update={"characterization": coarse}), design.process.pdk(), None)
    hardware = characterize(bench).hardware
    plus, minus = hardware.plus, hardware.minus
    for synapse in (plus, minus):
        assert synapse.capacitance_off is not None and synapse.capacitance_on is not None
        # 300 um and 30 um of 0.29 um at 0.106 fF/um2; half of it at either end, the drain of the switch at the far one.
        for end, length in ((0, 300.0), (-1, 30.0)):
            assert synapse.capacitance_on.y[end] == pytest.approx(0.5 * 0.294 * (length + 2.08) * 0.106e-15, rel=0.01)
        drain = 1.0 if synapse is plus else 1.8
        assert 2 * synapse.capacitance_on.y[0] < synapse.capacitance_off.y[0] < 2 * synapse.capacitance_on.y[0] + drain * 1e-15
    # Five resistors, of which four switch on one after the other.
    cells, phase = bench.cells(hardware), hardware.phase_s
    settings = [SynapseSetting(sign, length) for sign, length in ((1, 280.0), (1, 150.0), (-1, 120.0), (1, 200.0), (-1, 290.0))]
    spikes = np.array([0.1, 0.25, 0.3, 0.5, 1.0])
    window = PhaseWindow.regular(0.1 * phase, cells.timing)
    lines = [(window.accumulate_s + float(t) * phase, window.fire_s) if t < 1.0 else None for t in spikes]
    netlist = column(cells, settings, lines, window, window.fire_s, fan_out=hardware.neuron.fan_out)
    deck = bench.deck("resistors", netlist, Transient(window.fire_s, phase / 100, bench.fine.max_step_s), [MEMBRANE])
    (measured,) = bench.run([Point({}, deck, partial(last_membrane, window=window))]).alive
    weights = np.array([[weight_of_setting(setting, hardware) for setting in settings]])
    bare = replace(normalise(hardware), **{
        side: replace(one, load=0 * one.load, lift=0 * one.lift)
        for side, one in (("plus", normalise(hardware).plus), ("minus", normalise(hardware).minus))
    })  # fmt: skip
    off = [
        float(hardware.neuron.membrane(v * hardware.neuron.v_th_v)) - measured.row["membrane_v"]
        for v in (accumulation(model, weights, spikes, np.ones(1))[0, 0] for model in (normalise(hardware), bare))
    ]
    assert abs(off[0]) < 0.3e-3 and abs(off[1]) > 2e-3, off


def last_membrane(waveforms: Waveforms, window: PhaseWindow) -> dict[str, float]:
    return {"membrane_v": end_of_accumulation(waveforms, MEMBRANE, window, 2e-9)}
