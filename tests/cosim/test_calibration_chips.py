"""Programs as netlists take them: signs and codes, and a bias for every discharger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.calibration import conditions
from cosim.calibration.circuit_chip import CircuitChip, DieFailedError, mapped_program
from cosim.calibration.conditions import WIDER_V, Elsewhere, carried_over, with_wider_codes
from cosim.calibration.dies import Judged, Moved, Yield, loop_table
from cosim.calibration.nominal import Nominal, check_programmable
from cosim.calibration.replica import Replicas
from cosim.cost.figures import bias_lines
from cosim.design import Design
from cosim.errors import InputError
from netlists.crossbar import Cells
from netlists.network import network_bench
from netlists.synapse import SynapseSetting
from training.calibration.calibrate import Calibrated
from training.calibration.chip import ModelDie, ideal
from training.calibration.circuit import DischargerCurve, LayerCircuit
from training.calibration.identify import Estimate
from training.calibration.program import LayerProgram
from training.calibration.reach import Freedom
from training.hardware import HardwareModel, normalise
from training.hardware_aware.variation import Mismatch

PROGRAM = (
    LayerProgram(np.array([[1, -1], [0, 1]]), np.array([[0.5, 1.2], [0.0, 0.45]]), np.array([0.56, 0.57])),
    LayerProgram(np.array([[1, 1]]), np.array([[0.5, 0.6]]), np.array([0.55])),
)


def cells(**neuron: Any) -> Cells:
    return Bench(Design.model_validate({"name": "x", "neuron": neuron}), None, None).cells()  # type: ignore[arg-type]


def test_a_program_is_settings_and_biases() -> None:
    mapped = mapped_program(PROGRAM)
    assert mapped.settings[0] == ((SynapseSetting(1, 0.5), SynapseSetting(-1, 1.2)), (None, SynapseSetting(1, 0.45)))
    assert mapped.biases_v == ((0.56, 0.57), (0.55,))


def test_each_discharger_has_a_line_of_its_own_where_the_design_or_a_program_says_so() -> None:
    mapped = mapped_program(PROGRAM)
    shared = network_bench([cells()] * 2, mapped.settings, [0.1, 0.2])
    own = network_bench([cells(own_discharger_bias=True)] * 2, mapped.settings, [0.1, 0.2])
    programmed = network_bench([cells()] * 2, mapped.settings, [0.1, 0.2], own_biases_v=mapped.biases_v)
    lines = [f"Vlayer_{layer}_neuron_{k}_discharger_bias" for layer, k in ((1, 0), (1, 1), (2, 0))]
    assert not any(line in shared.netlist for line in lines)
    for bench in (own, programmed):
        assert all(f"\n{line} " in bench.netlist for line in lines) and set(lines) <= set(bench.sources.bias)
    assert "layer_1_neuron_1_discharger_bias 0 0.57" in programmed.netlist
    assert f"layer_1_neuron_1_discharger_bias 0 {cells().discharger_bias_v}" in own.netlist


def test_lines_with_a_bias_are_counted() -> None:
    assert bias_lines(cells(), neurons=5, synapses=25) == 50 + 2
    assert bias_lines(cells(own_discharger_bias=True), neurons=5, synapses=25) == 50 + 2 + 4


def test_cells_that_nothing_programs_are_refused() -> None:
    hardware = HardwareModel.reference()
    other = hardware.plus.model_copy(update={"code_unit": "um", "code_name": "resistor_length"})
    with pytest.raises(InputError, match=r"synapse.kind: .*no gate bias that sets its weights \(resistor_length\)"):
        check_programmable(hardware.model_copy(update={"plus": other, "cell": "resistive"}), Design(name="x"))
    unrolled = {"dataset": "digits", "convolutions": [{"channels": 2, "kernel": 3}], "layers": [10], "bias": False}
    with pytest.raises(InputError, match=r"network\.convolutions: the neurons of a channel share their codes"):
        check_programmable(hardware, Design.model_validate({"name": "x", "network": unrolled}))
    wired = {"dataset": "digits", "layers": [32, 10], "bias": False}
    left_out = {"name": "x", "network": wired, "structure": {"kind": "masks", "links": 0.5}}
    with pytest.raises(InputError, match=r"structure\.kind: masks leaves out links, and a die is programmed over all"):
        check_programmable(hardware, Design.model_validate(left_out))
    for design in (Design(name="x"), Design.model_validate(left_out | {"structure": {"kind": "ternary"}})):
        check_programmable(hardware, design)


def test_a_failed_simulation_costs_its_die(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"layer_1_spike_s": np.array([4e-7, 5e-7]), "layer_2_spike_s": np.array([1e-6])}, None]
    monkeypatch.setattr("cosim.calibration.circuit_chip.simulate_networks", lambda *_: rows)
    bench = Bench(Design(name="x"), None, None)  # type: ignore[arg-type]
    chip = CircuitChip(bench, [cells()] * 2, 7, bench.working)
    with pytest.raises(DieFailedError, match="die 7: 1 of 2 patterns"):
        chip.observe(PROGRAM, np.array([[0.1, 0.2], [0.3, 0.4]]))
    monkeypatch.setattr("cosim.calibration.circuit_chip.simulate_networks", lambda *_: rows[:1])
    hidden, output = chip.observe(PROGRAM, np.array([[0.1, 0.2]]))
    assert hidden == pytest.approx(np.array([[0.4, 0.5]])) and output == pytest.approx(np.array([[1.0]]))


def test_a_die_is_judged_by_spikes_and_labels() -> None:
    wanted = [np.array([[0.5, 0.5], [0.4, 0.6]]), np.array([[0.3, 0.6], [0.7, 0.2]])]
    nominal = Nominal([], (), np.zeros(0), np.zeros((2, 1)), np.array([0, 0]), wanted, 2, 1e-6)
    off = [wanted[0] + 0.01, np.array([[0.3, 0.6], [0.1, 0.2]])]
    judged = Judged.of(off, nominal)
    assert (judged.labels, judged.accuracy) == (0.5, 1.0)
    assert judged.hidden_rmse_s == pytest.approx(10e-9) and judged.rmse_s == pytest.approx(0.3e-6)
    assert Judged.of(wanted, replace(nominal, labels=np.array([1, 1]))).accuracy == 0.5


def test_codes_follow_the_supply_and_reach_further_in_the_same_steps() -> None:
    design = Design(name="x")
    wider = with_wider_codes(design, 0.18)
    low, high = design.synapse.nmos_bias_v
    assert wider.synapse.nmos_bias_v == pytest.approx((low - WIDER_V, high))
    weak, strong = design.synapse.pmos_bias_v
    assert wider.synapse.pmos_bias_v == pytest.approx((weak + 0.18 + WIDER_V, strong + 0.18))
    step = (high - low) / (design.characterization.codes - 1)
    assert (high - low + WIDER_V) / (wider.characterization.codes - 1) <= step * 1.01


def test_elsewhere_a_resting_neuron_is_biased_near_where_its_current_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a wide search, whose steps of 60 mV are two e-folds of current: at 60 C it had one bias that fires and was slow."""
    bench, asked = Bench(Design(name="x"), None, None), list[tuple[object, float]]()  # type: ignore[arg-type]
    there = replace(bench)
    bias = np.linspace(0.0, 1.8, 37)
    kept = {id(bench): 0.0, id(there): -0.02}
    monkeypatch.setattr(
        conditions, "curves_of", lambda own: {"discharger": (bias, np.exp((bias - kept[id(own)]) / 0.05) * 1e-12)}
    )
    monkeypatch.setattr(conditions, "fires_after_a_phase", lambda *given: asked.append(given) or 0.53)
    curve = DischargerCurve(np.array([0.53, 0.56, 0.59]), np.array([-0.7, 0.0, 0.65]), 0.56)
    circuit = LayerCircuit(normalise(HardwareModel.reference()), curve, Mismatch(), 3, 0)
    nominal = Nominal([circuit], (), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1, int), [], 1, 1e-6)
    assert conditions._resting_bias(bench, there, nominal) == 0.53
    assert asked[0][0] is there and asked[0][1] == pytest.approx(0.54, abs=1e-5)


def test_a_die_keeps_its_shifts_and_the_network_its_weights_at_another_condition() -> None:
    """There the same currents need codes 20 mV lower, and dies spread half as much over their unknowns."""
    hardware = HardwareModel.reference()
    own = hardware.plus.code
    shifted = hardware.plus.model_copy(update={"code": own.model_copy(update={"y": tuple(y - 0.02 for y in own.y)})})
    bias = hardware.neuron.discharger_bias.value
    curve = DischargerCurve(bias + np.array([-0.03, 0.0, 0.03]), np.array([-0.7, 0.0, 0.65]), bias)
    here = LayerCircuit(normalise(hardware), curve, Mismatch(), 3, 0)
    there = replace(
        here, model=normalise(hardware.model_copy(update={"plus": shifted})), mismatch=Mismatch(0.16, 0.19, 0.0095, 0.16)
    )
    program = (here.program(np.array([[0.5, 0.1, -0.2]]), bias),)
    nominal = Nominal([here], program, np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1, int), [np.zeros((1, 1))], 1, 1e-6)
    moved = nominal.at([there])
    assert moved.program[0].code_v == pytest.approx(program[0].code_v - [[0.02, 0.02, 0.0]], abs=2e-4)
    assert nominal.missed_by(moved).weights == 0
    estimate = Estimate.prior(here, 1, 1)
    known = replace(estimate, unknown=np.ones_like(estimate.unknown))
    (carried,) = carried_over([known], [here], [there])
    assert carried.unknown * there.sigma == pytest.approx(known.unknown * here.sigma)
    assert np.diagonal(carried.covariance[0, 0]) == pytest.approx((here.sigma / there.sigma) ** 2)


def test_weights_that_cells_elsewhere_do_not_have_are_counted() -> None:
    """Where the weakest code gives a weight of 0.2, one of 0.1 becomes that and is twice what it should be."""
    hardware, curve = HardwareModel.reference(), DischargerCurve(np.array([0.5, 0.53, 0.56]), np.array([-0.7, 0.0, 0.65]), 0.53)
    here = LayerCircuit(normalise(hardware), curve, Mismatch(), 4, 0)
    wanted, there = ((here.program(np.array([[0.5, weight, -0.2, 0.0]]), 0.53),) for weight in (0.1, 0.2))
    nominal = Nominal([here], wanted, np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(1, int), [np.zeros((1, 1))], 1, 1e-6)
    missed = nominal.missed_by(replace(nominal, program=there))
    assert (missed.weights, missed.of) == (1, 3) and missed.factor == pytest.approx(2.0, rel=1e-6)
    assert str(missed).startswith("1 of 3 weights are out of the range of the cells there") and "2 times as large" in str(missed)


def test_a_die_that_moved_is_set_by_replicas_or_for_its_own_devices() -> None:
    """Replicas move what the calibrated die is set to, and know nothing of it."""
    hardware = HardwareModel.reference()
    bias = hardware.neuron.discharger_bias.value
    curve = DischargerCurve(bias + np.array([-0.03, 0.0, 0.03]), np.array([-0.7, 0.0, 0.65]), bias)
    circuit = LayerCircuit(normalise(hardware), curve, Mismatch(), 3, 0)
    program = (circuit.program(np.array([[0.5, 0.1, -0.2]]), bias),)
    samples = np.random.default_rng(3).random((8, 3))
    nominal = Nominal([circuit], program, samples, samples, np.zeros(8, int), ideal([circuit], program, samples), 1, 1e-6)
    own = (replace(program[0], code_v=program[0].code_v + 0.01),)
    estimate = replace(Estimate.prior(circuit, 1, 1), unknown=np.full((1, 1, circuit.unknowns), 0.5))
    found = Calibrated(tuple(layer.of_dies(1) for layer in own), [estimate], [], [])
    bench = Bench(Design(name="x"), None, None)  # type: ignore[arg-type]
    chip = ModelDie([circuit], [estimate.unknown[0]])
    held = Moved(Replicas(bench, [], 0.002, -0.003, 0.001), chip, chip).program(own, found, nominal, Freedom())
    assert held[0].code_v - own[0].code_v == pytest.approx(np.array([[0.002, 0.002, -0.003]]))
    set_anew = Moved(Elsewhere(bench, [], nominal, 0.87), chip, chip).program(own, found, nominal, Freedom())
    assert np.abs(chip.observe(set_anew, samples)[0] - nominal.wanted[0]).max() < 2e-3


def test_the_steps_of_a_loop_have_a_row_each() -> None:
    nominal = Nominal([], (), np.zeros(0), np.zeros((2, 1)), np.array([0, 0]), [], 2, 1e-6)
    looped = Calibrated((), [], [], [], [(0.1, 0.02)])
    rows = loop_table(7, "own biases", looped, nominal)
    assert rows.step.tolist() == [0, 1] and rows.seen_rmse_s.tolist() == pytest.approx([1e-7, 2e-8])
    assert loop_table(7, "own biases", replace(looped, loop_rmse=()), nominal).empty


def test_a_yield_comes_with_its_interval() -> None:
    found = Yield.of([True] * 24)
    assert (found.passed, found.dies) == (24, 24)
    assert found.low == pytest.approx(0.025 ** (1 / 24)) and found.high == 1.0
