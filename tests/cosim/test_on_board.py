"""What the model expects of a network on its board, against the firing curve and codes on steps; and when it says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.calibration.conditions import Biases
from cosim.calibration.nominal import Nominal
from cosim.calibration.on_board import BoardError, lateness, spikes_on_board
from cosim.design import Design
from cosim.design.condition import parse
from cosim.pipeline.validate_at import _Place
from cosim.simulator import Point
from netlists.board import Environment
from training.calibration.chip import ideal
from training.calibration.circuit import DischargerCurve, LayerCircuit
from training.calibration.reach import Freedom
from training.hardware import HardwareModel, normalise
from training.hardware_aware.variation import Mismatch

HARDWARE = HardwareModel.reference()
BIAS = HARDWARE.neuron.discharger_bias.value
CURVE = DischargerCurve(BIAS + np.array([-0.045, 0.0, 0.03, 0.06]), np.log([0.367, 1.0, 1.906, 3.558]), BIAS)
PHASE, THRESHOLD_V = HARDWARE.phase_s, HARDWARE.neuron.v_th_v
CIRCUITS = [
    LayerCircuit(normalise(HARDWARE), CURVE, Mismatch(), 3, 2),
    LayerCircuit(normalise(HARDWARE), CURVE, Mismatch(), 2, 0),
]
WEIGHTS = (np.array([[0.4, 0.3, -0.2], [0.2, 0.5, 0.3]]), np.array([[0.4, 0.4]]))
PROGRAM = tuple(circuit.program(weight, BIAS) for circuit, weight in zip(CIRCUITS, WEIGHTS, strict=True))
PATTERNS = np.random.default_rng(3).random((8, 3))
LATE_S = 6.5e-9
"""Of a resting column behind an impedance."""


class Fired(Bench):
    """A bench whose resting columns fire after a phase, and so much later on a board."""

    rows: Sequence[float] = (1e-6, 1e-6 + LATE_S)

    def run(self, points: Sequence[Point]) -> Fired:  # type: ignore[override]
        assert len(points) == 2 and len({point.deck.base for point in points}) == 2
        self.decks = [point.deck.text() for point in points]
        return self

    def row(self, point: Point) -> dict[str, float]:
        return {"spike_s": self.rows[self.decks.index(point.deck.text())]}


def bench(**environment: float) -> Fired:
    return Fired(Design.model_validate({"name": "x", "environment": environment}), None, None)  # type: ignore[arg-type]


def expected(monkeypatch: pytest.MonkeyPatch | None = None, **environment: float) -> list[np.ndarray]:
    found = spikes_on_board(bench(**environment), CIRCUITS, PROGRAM, PATTERNS, THRESHOLD_V)
    assert found is not None
    return found


def test_an_ideal_board_changes_nothing() -> None:
    for found, wanted in zip(expected(), ideal(CIRCUITS, PROGRAM, PATTERNS), strict=True):
        assert np.array_equal(found, wanted)


def test_membranes_start_where_the_rest_level_is() -> None:
    """Between two rest levels, 20 and 40 mV nearer to its threshold, a resting column fires as the curve of its membrane says."""
    resting = tuple(replace(layer, sign=0 * layer.sign, code_v=0 * layer.code_v) for layer in PROGRAM)
    fired, model = [], CIRCUITS[0].model
    for shift in (-0.02, -0.04):
        found = spikes_on_board(bench(rest_shift_v=shift), CIRCUITS, resting, np.ones_like(PATTERNS), THRESHOLD_V)
        assert found is not None
        fired.append(found[0])
    start = model.v_reset + np.array([0.02, 0.04]) / THRESHOLD_V
    assert fired[1] - fired[0] == pytest.approx(np.diff(np.interp(start, model.firing_v, model.firing_t))[0], abs=1e-4)
    later = expected(rest_shift_v=0.005)[1] - ideal(CIRCUITS, PROGRAM, PATTERNS)[1]
    assert (later[later != 0] > 0).all() and 2e-3 < later.max() < 2e-2  # of a phase: 0.87 V take one


def test_codes_and_biases_are_on_the_steps_of_their_converters() -> None:
    found = expected(bias_step_v=5e-3)
    stepped = tuple(
        replace(layer, code_v=5e-3 * np.round(layer.code_v / 5e-3), bias_v=5e-3 * np.round(layer.bias_v / 5e-3))
        for layer in PROGRAM
    )
    for own, wanted in zip(found, ideal(CIRCUITS, stepped, PATTERNS), strict=True):
        assert own == pytest.approx(wanted, abs=1e-9)
    assert np.abs(found[1] - ideal(CIRCUITS, PROGRAM, PATTERNS)[1]).max() > 1e-3


def test_every_neuron_is_late_by_what_a_resting_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bench, "deck", deck)
    hidden, output = expected(source_resistance_ohm=1e6, source_capacitance_f=1e-13)
    before = ideal(CIRCUITS, PROGRAM, PATTERNS)
    fires = hidden < 1.0
    assert hidden[fires] - before[0][fires] == pytest.approx(LATE_S / PHASE, abs=5e-5) and fires.sum() > 8
    assert np.abs(output - before[1] - LATE_S / PHASE).max() > 1e-4  # what came later drove less, besides
    assert expected(line_load_f=5e-14)[0][fires] == pytest.approx(hidden[fires])
    outputs = expected(output_load_f=5e-14)
    assert np.array_equal(outputs[0], before[0]) and outputs[1] - before[1] == pytest.approx(LATE_S / PHASE, abs=5e-5)
    heavy = expected(line_load_f=8e-10, output_load_f=8e-10)  # each as much as may be asked for, the two together more
    assert heavy[1] == pytest.approx(expected(line_load_f=8e-10)[1])
    silent = bench(line_load_f=5e-14)
    silent.rows = (1e-6, np.nan)
    with pytest.raises(BoardError, match=r"a resting column does not fire on the board, its discharger at 0\.5"):
        lateness(silent, BIAS, silent.design.environment, 1)


@pytest.mark.parametrize(("neurons", "impedance"), [(1, ("1000000.0", "1e-13")), (5, ("5000000.0", "2e-14"))])
def test_a_column_has_its_share_of_a_line(neurons: int, impedance: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bench, "deck", deck)
    fired = bench(source_resistance_ohm=1e6, source_capacitance_f=1e-13, line_load_f=5e-14, rest_shift_v=0.1)
    assert lateness(fired, BIAS, fired.design.environment, neurons) == pytest.approx(LATE_S / PHASE)
    alone, shared = fired.decks
    ohm, farad = impedance
    for card in (
        f"Rdischarger_bias discharger_bias_source discharger_bias {ohm}",
        f"Cdischarger_bias discharger_bias 0 {farad}",
        "Ccolumn_spike_0_load column_spike_0 0 5e-14",
        "Vrest rest 0 1.3",
    ):
        assert card in shared.splitlines(), card
    assert "_bias_source" not in alone and "_load " not in alone


def deck(own: Bench, title: str, netlist: str, analysis: object, *_: object) -> object:
    """Of a column, without the models of a process."""
    from cosim.simulator import Deck

    return Deck(title, netlist, "", analysis, ("v(out)",))  # type: ignore[arg-type]


def test_a_model_is_asked_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spikes_on_board(bench(ripple_v=0.01), CIRCUITS, PROGRAM, PATTERNS, THRESHOLD_V) is None
    nominal = Nominal(CIRCUITS, PROGRAM, PATTERNS, PATTERNS, np.zeros(8, int), ideal(CIRCUITS, PROGRAM, PATTERNS), 1, PHASE)
    ideal_bench = bench()

    def place(words: str, characterised: bool = False) -> _Place:
        condition, _ = parse(words, ideal_bench.design)
        return _Place(ideal_bench, nominal, HARDWARE, condition, Freedom(), characterised)  # type: ignore[arg-type]

    assert place("environment.bias_step_v=5e-3").is_here and not place("temperature_c=30").is_here
    assert not place("neuron.rest_v=1.2").is_here
    assert place("temperature_c=30").expected(Biases.FIXED, ideal_bench, PROGRAM) is None
    assert place("temperature_c=30", characterised=True).expected(Biases.REPLICA, ideal_bench, PROGRAM) is None
    stepped = place("environment.bias_step_v=5e-3")
    found = stepped.expected(Biases.FIXED, bench(bias_step_v=5e-3), PROGRAM)
    assert found is not None
    beside = stepped._beside([spikes + 0.001 for spikes in found], found)
    assert beside["unexpected_rmse_s"] == pytest.approx(0.001 * PHASE) and 1e-9 < beside["model_rmse_s"] < 1e-7
    assert all(np.isnan(value) for value in stepped._beside(found, None).values())


def test_a_converter_has_whole_steps() -> None:
    assert Environment(bias_step_v=5e-3).on_step(0.5123) == 0.51 and Environment().on_step(0.5123) == 0.5123
