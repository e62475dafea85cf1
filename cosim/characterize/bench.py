"""What every measurement needs: the cells of a design, its device models, and a way to run decks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from cosim.design import Design
from cosim.simulator import Deck, Outcome, Point, SolverOptions, Store, simulate
from cosim.simulator.deck import Analysis
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting, synapse_cell
from netlists.testbenches import column
from sky130_models.pdk import Pdk
from sky130_models.pruning import device_uses, prune

Row = dict[str, Any]


def design_cells(design: Design, discharger_bias_v: float | None = None) -> Cells:
    """The cells of a design; without a bias the dischargers sit in the middle of their range."""
    low, high = design.neuron.discharger_bias_v
    bias = (low + high) / 2 if discharger_bias_v is None else discharger_bias_v
    cell = synapse_cell(design.synapse, design.process.supply_v)
    return Cells(cell, design.neuron, design.timing, design.process.supply_v, bias)


@dataclass
class Bench:
    """Runs decks of one design at its corner, through the store."""

    design: Design
    pdk: Pdk
    store: Store | None
    jobs: int = 2
    on_outcome: Callable[[Outcome], None] | None = None
    failures: list[Outcome] = field(default_factory=list)
    cpu_s: float = 0.0

    def options(self, reltol: float | None = None) -> SolverOptions:
        accuracy = self.design.accuracy
        return SolverOptions(reltol=reltol or accuracy.reltol, temperature_c=self.design.process.temperature_c)

    def deck(
        self,
        title: str,
        netlist: str,
        analysis: Analysis,
        save: Iterable[str],
        reltol: float | None = None,
        mismatch_seed: int | None = None,
    ) -> Deck:
        """A stand-alone deck: netlist, pruned models of the design's corner, solver options."""
        process = self.design.process
        library = prune(self.pdk, process.corner, device_uses(netlist), mismatch=mismatch_seed is not None)
        return Deck(title, netlist, library.text, analysis, tuple(save), self.options(reltol), mismatch_seed)

    def run(self, points: Iterable[Point]) -> list[Row | None]:
        """Simulate points (from the store where they are known). A failed point is None and is kept in `failures`."""
        outcomes = simulate(
            list(points), self.store, jobs=self.jobs, timeout_s=self.design.accuracy.timeout_s, on_outcome=self.on_outcome
        )
        self.failures += [outcome for outcome in outcomes if outcome.error is not None]
        self.cpu_s += sum(outcome.cpu_s for outcome in outcomes if not outcome.cached)
        return [outcome.row for outcome in outcomes]

    @property
    def model_digest(self) -> str:
        """Digest of the device models that a neuron and its synapses use."""
        cells = self.cells()
        setting = SynapseSetting(1, float(cells.synapse.codes(1, 2)[0]))
        window = PhaseWindow.regular(0.0, cells.timing)
        netlist = column(cells, [setting], [None], window, window.end_s)
        return prune(self.pdk, self.design.process.corner, device_uses(netlist)).digest

    def cells(self, discharger_bias_v: float | None = None) -> Cells:
        return design_cells(self.design, discharger_bias_v)


def with_bias(cells: Cells, discharger_bias_v: float) -> Cells:
    """The same cells with another bias on their dischargers."""
    return replace(cells, discharger_bias_v=discharger_bias_v)
