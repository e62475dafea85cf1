"""A network column by column: recorded lines, and the whole network as one circuit beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from cosim.bench.bench import Bench
from cosim.bench.results import Results
from cosim.design import Design
from cosim.mapping import columns
from cosim.mapping.codes import to_range
from cosim.mapping.columns import lumped, simulate_columns, typical_row
from cosim.mapping.engine import engine_of, is_small, simulate_networks
from cosim.mapping.network import MappedNetwork, NetworkRun, map_network
from cosim.mapping.recorded import (
    can_be_moved,
    fitted,
    knots,
    line_waveform,
    moved_rise,
    on_common_falls,
    on_common_knots,
    recorded,
)
from cosim.simulator import Outcome, Point, Row, Store
from cosim.simulator.workers import WorkerPool
from netlists.columns import LineWaveform, Place, column_bench
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from training.hardware import HardwareModel

N, P = (lambda code: SynapseSetting(1, code)), (lambda code: SynapseSetting(-1, code))


@given(st.lists(st.floats(-1.0, 2.0), min_size=3, max_size=60), st.floats(1e-3, 0.5))
def test_straight_lines_between_knots_stay_close_to_the_curve(volts: list[float], within_v: float) -> None:
    times, curve = np.arange(len(volts), dtype=float), np.array(volts)
    kept = knots(times, np.stack([curve, -curve]), np.full(len(volts), within_v))
    assert kept[0] == 0 and kept[-1] == len(volts) - 1
    assert np.abs(np.interp(times, times[kept], curve[kept]) - curve).max() <= within_v * (1 + 1e-9)


@given(st.integers(0, 10_000))
def test_fitted_levels_are_closer_to_the_curve_than_the_curve_s_own_at_the_knots(seed: int) -> None:
    random = np.random.default_rng(seed)
    times = np.sort(random.uniform(0.0, 1.0, 60))
    curve = np.cumsum(random.normal(size=60))
    at = times[np.unique([0, *random.integers(1, 59, 5), 59])]
    levels = fitted(at, times, curve, np.full(60, 0.1))

    def cost(values: np.ndarray) -> float:
        return float((np.gradient(times) * (np.interp(times, at, values) - curve) ** 2).sum())

    assert cost(levels) <= cost(np.interp(at, times, curve)) * (1 + 1e-9)
    assert levels[0] == curve[0] and levels[-1] == curve[-1]
    assert all(cost(levels) <= cost(levels + 1e-3 * step) for step in np.eye(len(at))[1:-1]), "the least squares"


def _edge(times: np.ndarray, at_s: float, width_s: float) -> np.ndarray:
    return 1.8 * expit((times - at_s) / width_s)


def _line(rise_s: float, fall_s: float = 1e-6) -> Row:
    edges = [edge_s + np.linspace(-5e-9, 5e-9, 200) for edge_s in (rise_s, fall_s)]
    times = np.unique(np.concatenate([np.linspace(0, 2e-6, 400), *edges]))
    true = _edge(times, rise_s, 3e-10) - _edge(times, fall_s, 2e-10)
    return recorded(times, true, 1.8 - true, 0.0, 0.99e-6)


def _edges(times: np.ndarray, volts: np.ndarray) -> list[np.ndarray]:
    """The two points around each zero of a line, the lower one first."""
    found = np.nonzero(np.diff(np.sign(volts)))[0]
    assert len(found) == 2
    return [np.array([k, k + 1])[np.argsort(volts[k : k + 2])] for k in found]


def test_the_line_of_a_later_spike_is_that_of_an_earlier_one_moved() -> None:
    template, later = _line(0.5e-6), _line(0.7e-6)
    between = 0.75e-6
    assert can_be_moved(template, 0.2e-6, between) and not can_be_moved(template, 0.4995e-6, between)
    moved, own = moved_rise(template, 0.2e-6, between), line_waveform(later)
    times = np.linspace(0, 2e-6, 40_001)
    for mine, theirs in ((moved.true, own.true), (moved.bar, own.bar)):
        a, b = (np.interp(times, *np.array(one).T) for one in (mine, theirs))
        assert np.abs(a - b).max() < 0.35, "both are straight lines close to the same curve"
    assert [one for one in moved.true if one[0] > between] == [one for one in line_waveform(template).true if one[0] > between]


def test_lines_of_a_die_that_switch_together_share_their_knots_and_each_keeps_its_own_edges() -> None:
    late = 13e-12 * np.arange(6)
    apart = [_line(0.5e-6 + each, 1e-6 - 2 * each) for each in late]
    together = on_common_knots([{**row, "energy_j": 1.0} for row in apart], 0.99e-6)
    assert {tuple(row["line_s"]) for row in together} == {tuple(together[0]["line_s"])}
    assert len(together[0]["line_s"]) < 2 * len(apart[0]["line_s"]), "and not six times as many as one has by itself"
    assert len(np.unique(np.concatenate([row["line_s"] for row in apart]))) > 2 * len(together[0]["line_s"])
    for row, each in zip(together, late, strict=True):
        own = row["true_v"] - 0.9
        crossings = [np.interp(0.0, own[part], row["line_s"][part]) for part in _edges(row["line_s"], own)]
        assert np.abs(np.array(crossings) - [0.5e-6 + each, 1e-6 - 2 * each]).max() < 20e-12, "50 mV of the rise are 37 ps"
        assert row["energy_j"] == 1.0


@pytest.mark.parametrize(("loosely", "within_s"), [(1.0, 5e-12), (6.0, 30e-12)])
def test_lines_that_rise_each_at_its_time_share_the_knots_of_their_fall(loosely: float, within_s: float) -> None:
    late, fall_s = 7e-12 * np.arange(6), 0.99e-6
    apart = [_line(0.3e-6 + 0.1e-6 * k, 1e-6 - each) for k, each in enumerate(late)]
    together = on_common_falls([{**row, "energy_j": 1.0} for row in apart], fall_s, loosely)
    falls = [row["line_s"][row["line_s"] >= fall_s] for row in together]
    assert {tuple(own) for own in falls} == {tuple(falls[0])} and falls[0][0] == fall_s
    every = np.concatenate([row["line_s"][row["line_s"] >= fall_s] for row in apart])
    assert len(np.unique(every)) > 2 * loosely**0.5 * len(falls[0])
    for row, own, each in zip(together, apart, late, strict=True):
        assert row["energy_j"] == 1.0
        rises = own["line_s"] < fall_s
        assert np.array_equal(row["line_s"][: rises.sum()], own["line_s"][rises])
        assert np.array_equal(row["bar_v"][: rises.sum()], own["bar_v"][rises])
        volts = row["true_v"] - 0.9
        down = _edges(row["line_s"], volts)[1]
        assert np.interp(0.0, volts[down], row["line_s"][down]) == pytest.approx(1e-6 - each, abs=within_s)


def test_a_line_that_hardly_moves_is_a_level_and_all_such_lines_are_one() -> None:
    times = np.linspace(0, 1e-6, 100)
    lines = {line_waveform(recorded(times, 1e-3 * np.sin(k * times * 1e7), 1.8 + 0 * times, 0.0, 1e-6)) for k in range(4)}
    assert lines == {LineWaveform(((0.0, 0.0),), ((0.0, 1.8),))}


def test_rows_are_lumped_by_sign_and_the_typical_row_has_as_many_of_each_as_all_on_average() -> None:
    cells = _cells()
    n, p = N(0.525), P(1.175)
    assert lumped(cells, [N(0.4), None, N(0.6), P(1.2)]) == (n, None, n, p)
    assert lumped(cells, []) == ()
    assert typical_row([(n, n, None), (n, p, None), (n, None, p)]) == (n, p, None)
    assert typical_row([(None, None)]) == (None, None)


def test_the_deck_of_an_input_is_made_once_for_all_samples_that_it_is_the_same_in(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Simulator:
        def run(self, points: Iterable[Point]) -> Results:
            return Results(Outcome(point, {"cost": 1.0}, None) for point in points)

    def point(bench: object, cells: object, asked: str) -> Point:
        made.append(asked)
        return Point({"input": asked}, asked, len)  # type: ignore[arg-type]

    monkeypatch.setattr(columns, "_input_point", point)
    found = columns._driven(Simulator(), None, [["early", "late"], ["early"], ["never", "late"]])  # type: ignore[arg-type,list-item]
    assert made == ["early", "late", "never"] and set(found) == {*made}


def test_columns_are_the_choice_where_the_design_leaves_it() -> None:
    assert engine_of(Design(name="x")) == "columns"
    assert engine_of(Design.model_validate({"name": "x", "validation": {"engine": "flat"}})) == "flat"
    assert is_small(Design(name="x"))
    assert not is_small(Design.model_validate({"name": "x", "network": {"dataset": "digits", "layers": [32, 10]}}))


def _cells() -> Cells:
    return Bench(Design(name="x"), None, None).cells()  # type: ignore[arg-type]


def test_synapses_on_lines_of_one_waveform_are_units_of_one_device_and_on_a_die_each_is_there() -> None:
    cells, level = _cells(), LineWaveform(((0.0, 0.0),), ((0.0, 1.8),))
    window = PhaseWindow.regular(0.0, cells.timing)
    settings = [N(0.5), None, None, P(1.2)]
    merged = column_bench(cells, settings, [level] * 4, [], window, window.end_s).netlist
    assert "synapse_current_source_n copies={(3)}" in merged, "three N pairs are off"
    assert "synapse_current_source_p copies={(3)}" in merged
    assert sum(line.startswith("Xsynapse") for line in merged.splitlines()) == 4
    apart = column_bench(
        cells, settings, [level] * 4, [N(0.5)] * 2, window, window.end_s, Place(2, 7, (0, 1, 2, 3), (0, 1))
    ).netlist
    names = {line.split()[0] for line in apart.splitlines() if line.startswith("X")}
    assert {*(f"Xlayer_2_synapse_7_{j}" for j in range(4)), "Xlayer_2_neuron_7", "Xlayer_3_synapse_1_7"} <= names


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    design = Design(name="x")
    with WorkerPool(jobs=2, timeout_s=300.0) as pool:
        yield Bench(design, design.process.pdk(), None, pool=pool)


INPUTS = np.array([0.0, 0.31, 0.62, 0.995, 1.0])
"""An input at the very start, one that fires as its line falls again, one that never does."""


def _mapped(hardware: HardwareModel) -> MappedNetwork:
    random = np.random.default_rng(5)
    weights = [to_range(random.normal(0.4, 0.5, (3, 5)), hardware), to_range(random.normal(0.6, 0.4, (2, 3)), hardware)]
    return map_network("random", weights, [hardware, hardware])


def _windows(hardware: HardwareModel) -> MappedNetwork:
    """A first layer whose neurons hang on three lines each, one further on from neuron to neuron."""
    random = np.random.default_rng(5)
    weights = [to_range(random.normal(0.8, 0.4, (3, 3)), hardware), to_range(random.normal(0.6, 0.4, (2, 3)), hardware)]
    lines = [np.arange(3) + np.arange(3)[:, None], np.tile(np.arange(3), (2, 1))]
    return map_network("windows", weights, [hardware, hardware], lines)


def _spikes(row: Row | None) -> np.ndarray:
    assert row is not None
    return np.concatenate([row["layer_1_spike_s"], row["layer_2_spike_s"]])


@pytest.mark.slow
def test_columns_are_the_whole_network(bench: Bench) -> None:
    hardware = HardwareModel.reference()
    cells, mapped = [bench.cells(hardware)] * 2, _mapped(hardware)
    flat, columns = (
        simulate_networks(bench, cells, [NetworkRun(mapped, INPUTS, {}, bench.working)], engine)[0]
        for engine in ("flat", "columns")
    )
    spikes = _spikes(flat)
    assert (spikes < 0.98e-6).sum() >= 3, "the network says something"
    assert np.abs(_spikes(columns) - spikes).max() < 50e-12
    assert flat and columns
    for layer in (1, 2):
        assert np.abs(flat[f"layer_{layer}_membrane_v"] - columns[f"layer_{layer}_membrane_v"]).max() < 0.1e-3
        waveforms = [row[f"layer_{layer}_waveform_v"] for row in (flat, columns)]
        assert waveforms[0].shape == waveforms[1].shape
    for group in ("supply", "spike_lines"):
        assert columns[f"{group}_energy_j"] == pytest.approx(flat[f"{group}_energy_j"], rel=0.03)


@pytest.mark.slow
def test_what_is_known_to_be_silent_is_not_simulated_and_changes_nothing_else(bench: Bench) -> None:
    hardware = HardwareModel.reference()
    cells, mapped = [bench.cells(hardware)] * 2, _mapped(hardware)
    late = np.array([0.9, 0.8, 1.0, 1.0, 1.0])
    whole = simulate_columns(bench, cells, [NetworkRun(mapped, late, {}, bench.coarse)])[0]
    assert whole is not None
    silent = [whole[f"layer_{layer}_spike_s"] >= 1e-6 for layer in (1, 2)]
    assert silent[0].any() and not silent[0].all()
    part = simulate_columns(bench, cells, [NetworkRun(mapped, late, {}, bench.coarse, silent=silent)])[0]
    assert part is not None
    assert np.abs(_spikes(part) - _spikes(whole)).max() < 20e-12
    for layer, own in enumerate(silent, 1):
        assert np.array_equal(np.isnan(part[f"layer_{layer}_membrane_v"]), own)
    assert np.isnan(part["supply_energy_j"]), "nobody knows what the others drew"


def test_what_never_switches_is_set_alike_by_halves_of_its_sign() -> None:
    cells, level, window = _cells(), LineWaveform(((0.0, 0.0),), ((0.0, 1.8),)), PhaseWindow.regular(0.0, _cells().timing)
    settings = [N(0.40), N(0.41), N(0.5), N(0.51), P(1.2), None]
    assert list(cells.synapse.while_off(settings)) == [N(0.41), N(0.41), N(0.51), N(0.51), P(1.2), None]
    rises = LineWaveform(((0.0, 0.0), (1e-7, 1.8)), ((0.0, 1.8), (1e-7, 0.0)))
    off, on = (column_bench(cells, settings, [line] * 6, [], window, window.end_s).netlist for line in (level, rises))
    assert [text.count("_n copies={(2)}") for text in (off, on)] == [3, 1], "two halves and what is off, or what is off alone"


@pytest.mark.slow
def test_a_seed_makes_the_same_die_of_the_columns_and_of_the_whole_network(bench: Bench) -> None:
    hardware = HardwareModel.reference()
    cells, mapped = [bench.cells(hardware)] * 2, _windows(hardware)
    runs = [NetworkRun(mapped, INPUTS, {}, bench.coarse, die) for die in (None, 3)]
    (nominal, flat), by_columns = (simulate_networks(bench, cells, runs, engine) for engine in ("flat", "columns"))
    moved = np.abs(_spikes(flat) - _spikes(nominal)).max()
    apart = [np.abs(_spikes(one) - _spikes(other)).max() for one, other in zip(by_columns, (nominal, flat), strict=True)]
    assert moved > 20e-9 and max(apart) < 5e-9, (moved, apart)
    loose = simulate_columns(bench, cells, [replace(runs[1], loosely=6.0)])[0]
    assert 0.0 < np.abs(_spikes(loose) - _spikes(by_columns[1])).max() < 1e-9


@pytest.mark.slow
def test_a_changed_weight_costs_what_it_touches(bench: Bench, tmp_path: Path) -> None:
    hardware = HardwareModel.reference()
    cells, mapped = [bench.cells(hardware)] * 2, _mapped(hardware)
    first, (output, other) = mapped.settings
    assert output[0] is not None
    moved = SynapseSetting(output[0].sign, output[0].code + 0.01)
    changed = MappedNetwork("random", (first, ((moved, *output[1:]), other)))
    asked: list[tuple[str, Any, Any]] = []

    def note(one: Outcome) -> None:
        told = one.point.condition
        asked.extend([] if one.cached else [(told["measurement"], told.get("layer"), told.get("neuron"))])

    with Store(tmp_path / "points.sqlite") as store:
        stored = Bench(bench.design, bench.pdk, store, pool=bench.pool, on_outcome=note)
        for network, expected in ((mapped, 2 + 3 + 2), (mapped, 0), (changed, 1)):
            asked.clear()
            assert simulate_columns(stored, cells, [NetworkRun(network, INPUTS, {}, stored.coarse)])[0] is not None
            assert len(asked) == expected, asked
    assert asked == [("column", 2, 0)]
