"""What a bench does with points beyond handing them on, with a pool that simulates nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from installed import ROOT

from cosim.bench.monitored import MonitoredBench
from cosim.design import load_design
from cosim.mapping.columns import simulate_columns
from cosim.mapping.network import NetworkRun, map_network
from cosim.runs.progress import Monitor
from cosim.simulator import OperatingPoint, Outcome, Point, Reason, SimulationError, Waveforms
from training.hardware import HardwareModel


class StuckWhereLoose:
    """A pool in which points of more than a tolerance find no step to go on with, and some fail for another reason."""

    version = "none"

    def __init__(self, tolerance: float, missing: str = "") -> None:
        self.tolerance, self.missing, self.tried = tolerance, missing, list[float]()

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        for k, point in enumerate(points):
            reltol = point.deck.options.reltol
            self.tried.append(reltol)
            reason = Reason.MISSING_VECTOR if point.condition.get("name") == self.missing else Reason.NO_CONVERGENCE
            if reltol > self.tolerance or reason is Reason.MISSING_VECTOR:
                yield Outcome(point, None, SimulationError(reason, "failed"), index=k)
            else:
                yield Outcome(point, {"reltol": reltol}, None, index=k)


def bench_and_points(pool: StuckWhereLoose) -> tuple[MonitoredBench, list[Point]]:
    design = load_design(ROOT / "designs" / "iris_5_5_5.toml")
    bench = MonitoredBench(design, design.process.pdk(), None, pool=pool, monitor=Monitor())
    decks = {
        name: bench.deck(name, "Vone one 0 1.0\n", OperatingPoint(), ["v(one)"], accuracy)
        for name, accuracy in (("coarse", bench.coarse), ("working", bench.working))
    }
    return bench, [Point({"name": name}, deck, Waveforms.last) for name, deck in decks.items()]


def test_a_coarse_point_that_is_stuck_is_tried_at_the_tolerance_of_the_design() -> None:
    """One of forty die simulations in GF180 found its time step too small, and the whole run ended with exit code 3."""
    bench, points = bench_and_points(pool := StuckWhereLoose(1e-5))
    results = bench.run(points)
    assert [results.row(point) for point in points] == [{"reltol": 1e-6}, {"reltol": 1e-6}]
    assert pool.tried == pytest.approx([1e-4, 1e-6, 1e-6])
    assert bench.failures == [] and (bench.effort.points, bench.effort.failed_points) == (3, 0)


def test_a_point_that_is_stuck_at_the_tolerance_of_the_design_is_tried_at_half_of_it() -> None:
    """One of 500 columns of the reference network found its time step too small at 1e-6, and its sample was lost."""
    bench, points = bench_and_points(pool := StuckWhereLoose(6e-7))
    assert [bench.run([point]).row(point) for point in points[1:]] == [{"reltol": 5e-7}]
    assert pool.tried == pytest.approx([1e-6, 5e-7]) and bench.failures == []


def test_what_fails_twice_or_for_another_reason_has_failed() -> None:
    bench, points = bench_and_points(pool := StuckWhereLoose(1e-9))
    results = bench.run(points)
    assert [results.row(point) for point in points] == [None, None] and len(bench.failures) == 2
    assert bench.effort.failed_points == 2 and pool.tried == pytest.approx([1e-4, 1e-6, 1e-6, 5e-7])
    bench, points = bench_and_points(pool := StuckWhereLoose(1e-5, missing="coarse"))
    assert [results_row is None for results_row in map(bench.run(points).row, points)] == [True, False]
    assert len(pool.tried) == 2 and bench.effort.failed_points == 1


def test_networks_have_a_tolerance_of_their_own_and_what_judges_them_a_tenth_of_it() -> None:
    design = load_design(ROOT / "designs" / "digits_64_32_10.toml")
    bench = MonitoredBench(design, design.process.pdk(), None, monitor=Monitor())
    assert (bench.fine.reltol, bench.working.reltol, bench.network.reltol) == (3e-6, 3e-6, 3e-5)
    assert bench.judging == bench.network._replace(reltol=pytest.approx(3e-6))
    reference = load_design(ROOT / "designs" / "iris_5_5_5.toml")
    bench = MonitoredBench(reference, design.process.pdk(), None, monitor=Monitor())
    assert bench.network == bench.working


def test_drivers_of_inputs_are_simulated_no_more_roughly_than_cells() -> None:
    """At 3e-5 they alone moved every spike of the digits by 0.1 ns."""
    bench, _ = bench_and_points(pool := StuckWhereLoose(0.0))
    cells, hardware = [bench.cells()] * 2, HardwareModel.reference()
    mapped = map_network("ones", [np.ones((3, 5)), np.ones((2, 3))], [hardware] * 2)
    for reltol, asked in ((1e-4, 1e-6), (1e-7, 1e-7)):
        pool.tried.clear()
        run = NetworkRun(mapped, np.full(5, 0.3), {"name": "ones"}, bench.working._replace(reltol=reltol))
        assert simulate_columns(bench, cells, [run]) == [None]
        assert pool.tried[0] == pytest.approx(asked)
