"""The conventional mapping's two gains, searched in SPICE as published: coarse to fine, on training samples.

The conventional network knows nothing of reversal potentials. One gain for its positive and one for its negative weights bring
the circuit as near to it as two numbers can. The ODE-aware mapping searches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.errors import CosimError
from cosim.mapping.circuit import output_spikes
from cosim.mapping.codes import with_gains
from cosim.mapping.engine import engine_of, simulate_networks
from cosim.mapping.network import NetworkRun, map_network
from netlists.crossbar import Cells
from training.data.spikes import SpikeData
from training.hardware import HardwareModel
from training.network import RCSpikeNetwork
from training.wiring import Lines

FloatArray = NDArray[np.float64]

COARSE_GRID = 3
REFINEMENTS = 2
FARTHEST = 8
"""So many refinements, with a range that is widened where the optimum lies at its edge, and the search is given up."""
NEAR_EDGE = 0.02
"""An optimum within this share of a range's logarithm counts as at its edge."""
FINE_STEP = 1.04
"""The last points lie this factor around the optimum: they show that the search has arrived."""


class GainSearchError(CosimError):
    """No optimum inside the range, or too many simulations failed; `table` holds the points that there are."""

    exit_code = 3

    def __init__(self, problem: str, table: pd.DataFrame) -> None:
        super().__init__(problem)
        self.table = table


@dataclass(frozen=True)
class GainSearch:
    """The gains, and one row per point: stage, gain_plus, gain_minus, rmse_s, samples."""

    gain_plus: float
    gain_minus: float
    table: pd.DataFrame


@dataclass
class _Search:
    """Points that were simulated: gains [n, 2] and the error of every output spike [n, samples * outputs] (s)."""

    bench: Bench
    cells: Sequence[Cells]
    columns: Sequence[HardwareModel]
    weights: Sequence[FloatArray]
    lines: Sequence[Lines]
    inputs: FloatArray
    wanted_s: FloatArray
    stages: list[str] = field(default_factory=list)
    gains: list[tuple[float, float]] = field(default_factory=list)
    errors: list[FloatArray] = field(default_factory=list)

    def simulate(self, stage: str, gains: Sequence[tuple[float, float]]) -> None:
        """Simulate all training samples at several pairs of gains."""
        runs = [run for pair in gains for run in self._runs(pair)]
        rows = simulate_networks(self.bench, self.cells, runs, engine_of(self.bench.design))
        for k, pair in enumerate(gains):
            mine = rows[k * len(self.inputs) : (k + 1) * len(self.inputs)]
            alive = [row for row in mine if row is not None]
            if len(alive) < len(mine):
                continue
            self.stages.append(stage)
            self.gains.append(pair)
            spikes = np.concatenate([row[output_spikes(len(self.cells))] for row in alive])
            self.errors.append(spikes - self.wanted_s.ravel())

    def _runs(self, pair: tuple[float, float]) -> list[NetworkRun]:
        """Every training sample at one pair of gains."""
        mapped = map_network("conventional", with_gains(self.weights, *pair, self.columns), self.columns, self.lines)
        told = {"gain_plus": pair[0], "gain_minus": pair[1]}
        return [NetworkRun(mapped, t, {"training_sample": k, **told}, self.bench.coarse) for k, t in enumerate(self.inputs)]

    @property
    def rmse_s(self) -> FloatArray:
        return np.array([rms(error) for error in self.errors])

    @property
    def best(self) -> int:
        return int(np.argmin(self.rmse_s))

    def table(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.gains, columns=["gain_plus", "gain_minus"])
        frame = frame.assign(stage=self.stages, rmse_s=self.rmse_s, samples=len(self.inputs))
        return frame.assign(refinement_gain=float("nan"))


def search_gains(
    bench: Bench,
    cells: Sequence[Cells],
    columns: Sequence[HardwareModel],
    network: RCSpikeNetwork,
    data: SpikeData,
    progress: Callable[[str], None] = lambda _: None,
) -> GainSearch:
    """Find the two gains of the conventional mapping: a coarse grid, minima of a fitted surface, then a last check around it.

    A range at whose edge the optimum lies is widened there, and searched on. `cells` and `columns` are those of each layer.
    Raises `GainSearchError` if the coarse grid could not be simulated, or the optimum runs away; its table has no gain of a
    last refinement.
    """
    settings = bench.design.validation.gain_search
    rows = _stratified_rows(data.train_labels.numpy(), settings.samples)
    with torch.no_grad():
        wanted = network.eval()(data.train_t[rows])[-1].spike_times.numpy() * columns[0].phase_s
    lines = [layer.lines for layer in network]
    search = _Search(bench, cells, columns, network.effective_weights(), lines, data.train_t[rows].numpy(), wanted)
    ranges = [settings.gain_plus, settings.gain_minus]
    plus, minus = (np.linspace(*span, COARSE_GRID) for span in ranges)
    progress("gain search for the conventional mapping: coarse grid")
    search.simulate("coarse", [(float(p), float(m)) for p in plus for m in minus])
    if len(search.gains) < 6:
        raise GainSearchError("gain search: fewer than 6 points of the coarse grid could be simulated", search.table())
    for refinement in range(FARTHEST):
        before = ranges
        ranges = _widened(ranges, search) if refinement >= REFINEMENTS else ranges
        if refinement >= REFINEMENTS and ranges == before:
            break
        progress(f"gain search: refinement {refinement + 1}")
        search.simulate("fine", [_minimum(search, *ranges)])
    else:
        raise GainSearchError(
            f"gain search: after {FARTHEST} refinements the best gains still lie at the edge of "
            + " and ".join(f"{low:.3g} .. {high:.3g}" for low, high in ranges),
            search.table(),
        )
    refined_s = float(search.rmse_s.min())
    p, m = search.gains[search.best]
    progress("gain search: check around the optimum")
    search.simulate("check", [(p * FINE_STEP, m), (p, m * FINE_STEP), (p / FINE_STEP, m / FINE_STEP)])
    p, m = search.gains[search.best]
    table = search.table()
    return GainSearch(p, m, table.assign(refinement_gain=1 - float(search.rmse_s.min()) / refined_s))


def _widened(ranges: Sequence[tuple[float, float]], search: _Search) -> list[tuple[float, float]]:
    """The ranges, each twice as far at an edge that the best gain lies on or beyond."""
    wider = []
    for (low, high), best in zip(ranges, search.gains[search.best], strict=True):
        step, near = high / low, (high / low) ** NEAR_EDGE
        wider.append((low / step if best <= low * near else low, high * step if best >= high / near else high))
    return wider


def _stratified_rows(labels: NDArray[np.int64], count: int) -> list[int]:
    """The first samples of each class in turn."""
    by_class = [list(np.flatnonzero(labels == k)) for k in np.unique(labels)]
    return [int(by_class[k % len(by_class)][k // len(by_class)]) for k in range(count)]


def _minimum(search: _Search, plus: tuple[float, float], minus: tuple[float, float]) -> tuple[float, float]:
    """Where a quadratic surface for every single spike error, fitted to the points near the best, has its least mean square."""
    gains = np.log(np.array(search.gains))
    errors = np.array(search.errors)
    centre = gains[search.best]
    distance = np.linalg.norm(gains - centre, axis=1)
    weight = 1.0 / (np.sort(distance)[min(5, len(distance) - 1)] ** 2 + distance**2)
    root = np.sqrt(weight)[:, None]
    surface, *_ = np.linalg.lstsq(root * _quadratic(gains - centre), root * errors, rcond=None)
    p, m = np.meshgrid(*[np.log(np.geomspace(*span, 121))[1:-1] for span in (plus, minus)], indexing="ij")
    candidates = np.column_stack([p.ravel(), m.ravel()])
    predicted = np.square(_quadratic(candidates - centre) @ surface).mean(1)
    found = np.exp(candidates[int(np.argmin(predicted))])
    return float(found[0]), float(found[1])


def _quadratic(x: FloatArray) -> FloatArray:
    a, b = x.T
    return np.column_stack([np.ones_like(a), a, b, a * a, a * b, b * b])
