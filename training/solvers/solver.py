"""The solvers of one layer behind one interface: `Accumulation` says which equation is solved, a `Solver` how."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from training.solvers import autograd_walk, curved_walk, dstd, event_walk, image_walk
from training.solvers.connection import AnyConnection, Connection, Convolution, Dense, Each, Wired
from training.solvers.reversal import Beta, BySign, beta_of


@dataclass(frozen=True)
class Accumulation:
    """The accumulation phase of a layer: time in phases, membranes in thresholds.

    dv/dt = bias - leak v + bend v^2 + sum_j w_j (1 - beta_j v + curvature_j v^2) step(t - t_j) + sum_j leakage_j step(t_j - t),
    v(0) = v_reset, and v jumps by kick_j at t_j. With `lift` what moves v, currents and kicks, is divided by
    1 - sum_j lift_j step(t - t_j).

    Attributes:
        t: input spike times, [batch, in] or, behind a `Convolution`, [batch, in, height, width]. At t >= 1 an input never
            arrives, t < 0 counts as 0.
        weight: [out, in] or [out, in, kernel, kernel].
        beta: 1/E with the sign of the weight: `BySign`, a pair per layer or per neuron, or a tensor that broadcasts to weight.
        kick: shaped as the weight, or None.
        v_reset: membrane at t = 0.
        lift: share of the membrane's capacitance that leaves it as input j arrives, shaped as the weight, or None.
        bias, leak: drive and conductance from t = 0 on, [out], or None. A bias spike is a bias, and its beta times it a leak.
        connection: how the inputs meet the synapses.
        curvature: gamma, of the current of each synapse over its membrane, shaped as the weight; None: straight lines.
        leakage: drive of each synapse until its input arrives, shaped as the weight, or None.
        bend: from t = 0 on, [out], or None: gamma of a bias spike times it.
        mixing: [out, out], what a charge that reaches one membrane moves every membrane by, or None: each its own alone. Behind
            `Dense` only.
    """

    t: Tensor
    weight: Tensor
    beta: Beta
    kick: Tensor | None = None
    v_reset: float = 0.0
    bias: Tensor | None = None
    leak: Tensor | None = None
    connection: AnyConnection = field(default_factory=Dense)
    lift: Tensor | None = None
    curvature: Tensor | None = None
    leakage: Tensor | None = None
    bend: Tensor | None = None
    mixing: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mixing is not None and not isinstance(self.connection, Dense):
            raise ValueError("mixing: only membranes of one dense crossbar couple")

    @property
    def is_curved(self) -> bool:
        """Whether any current is no straight line."""
        return self.curvature is not None or self.bend is not None

    @property
    def conductance(self) -> Tensor:
        """beta w of every synapse."""
        return (beta_of(self.beta, self.weight) * self.weight).to(self.weight.dtype)

    @property
    def switched(self) -> Tensor:
        """What an arriving input adds to the drive: its weight, and its leakage ends."""
        return self.weight if self.leakage is None else self.weight - self.leakage

    @property
    def drive(self) -> Tensor | None:
        """From t = 0 on, [out]: bias, and what leaks before any input has arrived. Inputs beyond an image's border leak too."""
        if self.leakage is None:
            return self.bias
        leaking = self.leakage.flatten(1).sum(1)
        return leaking if self.bias is None else self.bias + leaking

    @property
    def quadratic(self) -> Tensor | None:
        """gamma w of every synapse; None where there is no curvature."""
        if self.curvature is None:
            return None if self.bend is None else torch.zeros_like(self.weight)
        return self.curvature * self.weight

    @property
    def walked(self) -> Connection | Each:
        """How inputs meet synapses; neurons with lines of their own are walked block by block. Raises ValueError for these."""
        if isinstance(self.connection, Wired):
            raise ValueError("connection: neurons with lines of their own are walked block by block")
        return self.connection

    def blocks(self, connection: Wired) -> Iterator[tuple[Tensor, Accumulation]]:
        """The dense crossbars that a layer with lines of its own for every neuron is made of: which neurons, and their phase."""
        names = ("weight", "kick", "bias", "leak", "lift", "curvature", "leakage", "bend")
        beta = beta_of(self.beta, self.weight).expand_as(self.weight)
        for neurons, lines in connection.blocks():
            own: dict[str, Any] = {name: None if (x := getattr(self, name)) is None else x[neurons] for name in names}
            yield neurons, replace(self, **own, t=self.t[:, lines], beta=beta[neurons], connection=Dense())

    def by_patches(self) -> Accumulation:
        """The same neurons behind a dense crossbar each, one row of `t` per position: a convolution's input grows by its taps."""
        beta = self.beta if isinstance(self.beta, BySign) else self.beta.expand_as(self.weight).flatten(1)
        return replace(
            self,
            t=self.walked.patches(self.t, self.weight),
            weight=self.weight.flatten(1),
            beta=beta,
            kick=None if self.kick is None else self.kick.flatten(1),
            lift=None if self.lift is None else self.lift.flatten(1),
            curvature=None if self.curvature is None else self.curvature.flatten(1),
            leakage=None if self.leakage is None else self.leakage.flatten(1),
            connection=Dense(),
        )

    def by_sample(self) -> Accumulation:
        """Behind `Each`: the neuron of every sample as a layer of one, with synapses [batch, 1, in]."""
        names = ("weight", "kick", "bias", "leak", "lift", "curvature", "leakage", "bend")
        rows: dict[str, Any] = {name: None if (x := getattr(self, name)) is None else x.unsqueeze(1) for name in names}
        return replace(self, **rows, beta=beta_of(self.beta, self.weight).expand_as(self.weight).unsqueeze(1))


class Solver(Protocol):
    """Solves an accumulation phase: returns v(1) [batch, out] or [batch, out, height', width'], before the synapses switch off.

    Differentiable with respect to every tensor of the phase. `generator` draws what the solver draws.
    """

    def __call__(self, phase: Accumulation, generator: torch.Generator | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Exact:
    """The event walk: exact to rounding at any drive. For evaluation always, for training on a CPU.

    Where the capacitance moves, where membranes couple, where every sample has a neuron of its own, in `torch.export`, and on a
    GPU where currents are curved, it goes through torch's own autograd: exact too, but for coupled membranes (`autograd_walk`),
    some ten times slower. Curved or leaking synapses behind a convolution are walked patch by patch, which takes as many times
    the memory as a window has pixels.
    """

    def __call__(self, phase: Accumulation, generator: torch.Generator | None = None) -> Tensor:
        if isinstance(phase.connection, Wired):
            return _by_blocks(self, phase, phase.connection)
        apart = phase.lift is not None or phase.mixing is not None or isinstance(phase.connection, Each)
        if apart or torch.compiler.is_exporting():
            return _by_autograd(phase, phase.weight.dtype)
        if phase.is_curved or phase.leakage is not None:
            return _curved(phase) if phase.t.is_cpu else _by_autograd(phase, phase.weight.dtype)
        if isinstance(phase.connection, Convolution) and phase.t.is_cpu:
            return image_walk.accumulate(
                phase.t, phase.weight, phase.beta, phase.kick,
                v_reset=phase.v_reset, bias=phase.bias, leak=phase.leak, connection=phase.connection,
            )  # fmt: skip
        rows = phase.by_patches()
        v = event_walk.accumulate(rows.t, rows.weight, rows.beta, rows.kick, v_reset=rows.v_reset, bias=rows.bias, leak=rows.leak)
        return phase.walked.image(v, phase.t, phase.weight)


@dataclass(frozen=True)
class DSTD:
    """Spike times on a grid of `steps` cells, `training.solvers.dstd`: matrix products only, exact as steps^-2.

    Attributes:
        steps: M, cells of the grid.
        random_offset: shift the grid by U(0, 1/steps), drawn anew in every call.
        late: above 1, cells grow narrower towards the end of the phase.
        moment: second Magnus term: an order more for twice the products.
        interpolated_adjoint: second-order time gradients without the moment term, at a low drive.
    """

    steps: int = 10
    random_offset: bool = False
    late: float = 1.0
    moment: bool = False
    interpolated_adjoint: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise ValueError(f"steps: {self.steps!r} must be a whole number of cells, 1 or more")
        if not 1.0 <= self.late < math.inf:
            raise ValueError(f"late: {self.late!r} must be 1, cells of one width, or more")

    def __call__(self, phase: Accumulation, generator: torch.Generator | None = None) -> Tensor:
        if isinstance(phase.connection, Wired):
            return _by_blocks(self, phase, phase.connection)
        if phase.lift is not None:
            raise ValueError("lift: DSTD holds the capacitance of a membrane constant; solve the layer by 'exact'")
        if phase.mixing is not None:
            raise ValueError("mixing: DSTD takes each membrane by itself; solve the layer by 'exact'")
        connection = phase.walked
        if isinstance(connection, Each):
            raise ValueError("connection: DSTD solves layers, not a neuron a sample; solve it by 'exact'")
        return dstd.solve(
            phase.t, phase.switched, phase.conductance, phase.kick, phase.quadratic,
            v_reset=phase.v_reset, bias=phase.drive, leak=phase.leak, bend=phase.bend, connection=connection,
            steps=self.steps, offset=self._offset(phase.t, generator), late=self.late,
            moment=self.moment, interpolated_adjoint=self.interpolated_adjoint,
        )  # fmt: skip

    def _offset(self, t: Tensor, generator: torch.Generator | None) -> Tensor | float:
        """The shift of the grid; on another device a scalar there, so that it does not wait for the host."""
        if not self.random_offset:
            return 0.0
        offset = torch.rand((), generator=generator, device=t.device)
        return float(offset) / self.steps if t.is_cpu else offset / self.steps


@dataclass(frozen=True)
class Reference:
    """The exact solution in float64 by torch's own autograd, a step per spike: slow, and nothing in it is derived by hand."""

    def __call__(self, phase: Accumulation, generator: torch.Generator | None = None) -> Tensor:
        if isinstance(phase.connection, Wired):
            return _by_blocks(self, phase, phase.connection)
        return _by_autograd(phase, torch.float64)


@torch.no_grad()
def reached(phase: Accumulation) -> tuple[Tensor, Tensor]:
    """Lowest and highest membrane of an accumulation phase, each shaped as v(1): between two inputs a membrane is monotonic."""
    visited: list[Tensor] = []
    end = _by_autograd(phase, phase.weight.dtype, visited)
    path = torch.stack([*(phase.walked.image(v, phase.t, phase.weight) for v in visited), end])
    return path.amin(0).clamp_max(phase.v_reset), path.amax(0).clamp_min(phase.v_reset)


def _by_blocks(solver: Solver, phase: Accumulation, connection: Wired) -> Tensor:
    """Every dense crossbar of the layer by itself."""
    connection.output_shape(phase.t.shape, phase.weight.shape)
    numbers, parts = zip(*((neurons, solver(own)) for neurons, own in phase.blocks(connection)), strict=True)
    return torch.cat(parts, 1)[:, torch.cat(numbers).argsort()]


def _curved(phase: Accumulation) -> Tensor:
    """`curved_walk`, on a CPU."""
    rows = phase.by_patches()
    quadratic = torch.zeros_like(rows.weight) if rows.quadratic is None else rows.quadratic
    Dense().output_shape(rows.t.shape, rows.weight.shape)
    v = curved_walk.accumulate(
        rows.t, rows.switched, rows.conductance, quadratic, rows.kick,
        v_reset=rows.v_reset, bias=rows.drive, leak=rows.leak, bend=rows.bend,
    )  # fmt: skip
    return phase.walked.image(v, phase.t, phase.weight)


def _by_autograd(phase: Accumulation, dtype: torch.dtype, visited: list[Tensor] | None = None) -> Tensor:
    """`autograd_walk` in a type of its own."""
    rows = phase.by_sample() if isinstance(phase.connection, Each) else phase.by_patches()
    beta = beta_of(rows.beta, rows.weight).to(dtype)
    names = ("kick", "bias", "leak", "lift", "curvature", "leakage", "bend", "mixing")
    given = {name: None if (x := getattr(rows, name)) is None else x.to(dtype) for name in names}
    v = autograd_walk.accumulate(rows.t.to(dtype), rows.weight.to(dtype), beta, v_reset=rows.v_reset, visited=visited, **given)
    return phase.walked.image(v, phase.t, phase.weight)
