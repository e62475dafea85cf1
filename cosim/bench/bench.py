"""What every measurement needs: the cells of a design, its device models, and a way to run decks."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from cosim.bench.post_layout import post_layout
from cosim.bench.results import Results
from cosim.design import Design
from cosim.design.cells import cells_of
from cosim.design.condition import Condition
from cosim.errors import InputError, InputRemark
from cosim.simulator import Deck, Outcome, Point, Pool, Reason, SolverOptions, Store, simulate
from cosim.simulator.deck import Analysis, flat_deck, undrawable
from netlists.crossbar import Cells
from netlists.errors import LibraryError
from netlists.models.pdk import Pdk
from netlists.models.pruning import device_uses, prune
from netlists.spice_text import definitions, statements
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import column, standing
from training.hardware import HardwareModel, columns_of_layers
from training.shapes import NetworkShape

ABSTOL_A = 1e-13
"""Far below the nanoamperes of the smallest weight; a tighter one makes gate-bias branches fail to converge."""

CHARGE_TOLERANCE_V = 8e-3
"""Times the drawn capacitance of a membrane it is ngspice's charge tolerance of networks: 1 fC for the reference neuron.
It loosens the small charges of devices, whose errors have one sign in all columns: with 3 fC output spikes are 0.02 ns off, and
with 1 fC 0.01."""

GMIN_S = 1e-13
"""ngspice's default of 1e-12 across every junction would leak 0.3 mV off a membrane in a phase; with 1e-14 the operating point of
a whole network takes twenty times as long."""


class ColumnSize(NamedTuple):
    """Synapses on a membrane, on the output line, and on each input line (as many as on the output line where None); whether
    neurons send its input lines, in some layer that has such columns."""

    synapses: int
    fan_out: int
    rows: int | None = None
    sent: bool = False

    @classmethod
    def in_use(cls, shape: NetworkShape) -> list[Self]:
        """The columns of a network, that of its first layer first; layers that differ in what they drive share one.

        It is measured with the most that it drives; the outputs, which drive nothing, as if they drove such a layer again.
        """
        driven: dict[tuple[int, int], int] = {}
        for layer, fan_out in zip(shape.crossbars, shape.fan_outs, strict=True):
            size = layer.synapses, layer.rows
            driven[size] = max(fan_out, driven.get(size, 0))
        sent = {(layer.synapses, layer.rows) for layer in shape.crossbars[1:]}
        return [cls(synapses, fan_out or rows, rows, (synapses, rows) in sent) for (synapses, rows), fan_out in driven.items()]

    @property
    def name(self) -> str:
        """Such as 14x8: synapses on the membrane, and on an input line."""
        return f"{self.synapses}x{self.fan_out if self.rows is None else self.rows}"

    def standing(self, cells: Cells) -> tuple[list[SynapseSetting | None], list[None]]:
        """Settings and spikes of a column at which nothing arrives."""
        return standing(cells, self.synapses), [None] * self.synapses


class Accuracy(NamedTuple):
    """How accurately ngspice integrates: relative tolerance, charge tolerance (C), longest step (s)."""

    reltol: float
    chgtol_c: float
    max_step_s: float


QUICK = Accuracy(1e-4, 1e-15, 50e-9)
"""Of transients of single neurons; `cosim sweep --check-accuracy` says what a tenth of the tolerance changes."""


@dataclass
class Bench:
    """Runs decks of one design at its corner, through the store."""

    design: Design
    pdk: Pdk
    store: Store | None
    jobs: int = 2
    on_outcome: Callable[[Outcome], None] | None = None
    statistics: bool = False
    """Whether decks draw process and mismatch for the seed that they are given later."""
    pool: Pool | None = None
    """Workers to use instead of new ones for each batch."""
    discharger_bias_v: float | None = None
    """What the dischargers are set to; the middle of the range in which characterisation looks where None."""
    failures: list[Outcome] = field(default_factory=list)
    cpu_s: float = 0.0

    @classmethod
    def at(cls, condition: Condition, design: Design, pdk: Pdk, store: Store | None, **settings: Any) -> Self:
        """The bench of a design at a condition. Raises `InputError` as `Condition.applied`."""
        return cls(condition.applied(design), pdk, store, discharger_bias_v=condition.discharger_bias_v, **settings)

    @property
    def nominal(self) -> bool:
        """Whether devices that are alike are one device, because no die tells them apart."""
        return not self.statistics

    @property
    def working(self) -> Accuracy:
        """For networks: spike times of the reference circuit within 0.01 ns of a second simulator's, as one circuit; column by
        column within 0.02 ns of those."""
        accuracy = self.design.accuracy
        return Accuracy(accuracy.reltol, CHARGE_TOLERANCE_V * self._drawn_capacitance_f, accuracy.max_step_s)

    @property
    def network(self) -> Accuracy:
        """For networks that are validated: `working` at a tolerance of their own, where the design has one."""
        return self.working._replace(reltol=self.design.validation.reltol or self.design.accuracy.reltol)

    @property
    def _drawn_capacitance_f(self) -> float:
        """Of a membrane, without its synapses."""
        return self.cells().neuron.drawn_capacitance_f

    @property
    def fine(self) -> Accuracy:
        """For single columns, whose parameters everything else rests on."""
        accuracy = self.design.accuracy
        return Accuracy(accuracy.reltol, 1e-15, accuracy.max_step_s)

    @property
    def judging(self) -> Accuracy:
        """A tenth of the tolerance: tells the numerical error of `network`."""
        return self.network._replace(reltol=self.network.reltol / 10)

    @property
    def coarse(self) -> Accuracy:
        """A quarter of the time of `working`, within 5 ns of it: for circuits that are tens of nanoseconds off their model."""
        accuracy = self.design.accuracy
        return Accuracy(100 * accuracy.reltol, 1e-14, 2 * accuracy.max_step_s)

    def deck(
        self,
        title: str,
        netlist: str,
        analysis: Analysis,
        save: Iterable[str],
        accuracy: Accuracy | None = None,
        mismatch_seed: int | None = None,
    ) -> Deck:
        """A stand-alone deck: netlist, pruned models of the design's corner, solver options (`fine` where none are given)."""
        process, accuracy = self.design.process, accuracy or self.fine
        if process.layout:
            netlist = post_layout(self.design).in_cells(netlist)
        options = SolverOptions(
            reltol=accuracy.reltol, chgtol=accuracy.chgtol_c, abstol=ABSTOL_A, gmin=GMIN_S, temperature_c=process.temperature_c
        )
        mismatch = self.statistics or mismatch_seed is not None
        uses = device_uses(netlist, self.pdk.names)
        library = prune(self.pdk, process.corner, uses, mismatch=mismatch, process=self.statistics)
        deck = Deck(
            title, netlist, library.text, analysis, tuple(save), options, mismatch_seed, setup=self.design.technology.setup
        )
        own_cell = self.design.synapse.kind == "netlist"
        if own_cell:
            _check_parameters(netlist, library.text, self.pdk.source)
        if mismatch and (own_cell or self.pdk.own):
            _check_draws(deck, self.pdk)
        return deck

    def run(self, points: Iterable[Point]) -> Results:
        """Simulate points (from the store where they are known). What failed is also kept in `failures`.

        A point that finds no step to go on with is tried once more, more accurately: at the design's tolerance, or where it has
        that, at half of it. What stops one sequence of steps hardly ever stops another.
        """
        outcomes = self._simulated(points)
        stuck = {one.point: self._tightened(one.point) for one in outcomes if self._is_stuck(one)}
        if stuck:
            again = {one.point: one for one in self._simulated(stuck.values())}
            outcomes = [replace(again[stuck[one.point]], point=one.point) if one.point in stuck else one for one in outcomes]
        results = Results(outcomes)
        self.failures += results.failed
        self.cpu_s += sum(outcome.cpu_s for outcome in results if not outcome.cached)
        return results

    def _simulated(self, points: Iterable[Point]) -> list[Outcome]:
        return simulate(points, self.store, self.jobs, self.design.accuracy.timeout_s, on_outcome=self.on_outcome, pool=self.pool)

    @staticmethod
    def _is_stuck(outcome: Outcome) -> bool:
        return outcome.error is not None and outcome.error.reason is Reason.NO_CONVERGENCE

    def _tightened(self, point: Point) -> Point:
        tolerance, own = self.design.accuracy.reltol, point.deck.options.reltol
        return replace(point, deck=point.deck.with_reltol(tolerance if own > tolerance * (1 + 1e-9) else own / 2))

    @property
    def model_digest(self) -> str:
        """Digest of the device models that a neuron and its synapses use."""
        cells = self.cells()
        setting = SynapseSetting(1, float(cells.synapse.codes(1, 2)[0]))
        window = PhaseWindow.regular(0.0, cells.timing)
        netlist = column(cells, [setting], [None], window, window.end_s)
        return prune(self.pdk, self.design.process.corner, device_uses(netlist, self.pdk.names)).digest

    def cells(self, hardware: HardwareModel | None = None) -> Cells:
        """The cells of the design, set as characterisation found; without it, with the bench's own bias."""
        bias = hardware.neuron.discharger_bias.value if hardware else self.discharger_bias_v
        return cells_of(self.design, bias, hardware.neuron.input_delay.value if hardware else 0.0)

    def cells_of_layers(self, hardware: HardwareModel) -> list[Cells]:
        """Those of every layer of the design's network, as it is wired and on its board, which cells by themselves are not on.

        Raises `HardwareModelError` as `columns_of_layers`.
        """
        columns, board = columns_of_layers(hardware, self.design.shape.crossbars), self.design.environment
        return [
            replace(self.cells(column), environment=board.of_layer(layer == len(columns)))
            for layer, column in enumerate(columns, 1)
        ]


def _check_draws(deck: Deck, pdk: Pdk) -> None:
    """Raises `InputError` where a seed would be no die, `LibraryError` for a user's library whose random numbers come to nothing.

    Where nothing of the deck draws, though the library does, that is an `InputRemark`: another deck's devices may draw.
    """
    if why := undrawable(deck.with_seed(1)):
        raise InputError(f"{deck.title}: {why}; write what it cannot read in numbers, or run without seeds")
    flat = flat_deck(deck.base)
    if flat is None or flat.numbers({}, 1) != flat.numbers({}, 2):
        return
    if pdk.own:
        raise LibraryError(
            f"{pdk.source}: a seed changes nothing: the random numbers of the devices in use are switched off; switch them on in "
            "the library, or run without seeds"
        )
    warnings.warn("a seed changes nothing of some measurements: their devices draw no random number", InputRemark, stacklevel=1)


@functools.lru_cache(maxsize=64)
def _check_parameters(netlist: str, library: str, source: str) -> None:
    """Raises `InputError` for a parameter of a user's cell that is one of the model library: it would change the devices."""
    ours, theirs = (
        {item.name for item in definitions(statements(text.splitlines())) if item.is_parameter} for text in (netlist, library)
    )
    if both := sorted(ours & theirs):
        raise InputError(f"synapse.file: .param {both[0]}: is a parameter of {source}, which the design sets; leave it out")


def with_bias(cells: Cells, discharger_bias_v: float) -> Cells:
    """The same cells with another bias on their dischargers."""
    return replace(cells, discharger_bias_v=discharger_bias_v)
