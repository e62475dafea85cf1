"""The membranes of some samples through the cells of a DSTD grid, and their adjoint back through it (`training.solvers.dstd`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from training.solvers import cells
from training.solvers.connection import Connection

# Mean drive, mean conductance and, of curved currents, mean curvature of a cell side by side, [rows, 2 or 3 outputs], and their
# first moments likewise or None. A row is a sample, or a position of an image; inputs too have their channels last, which is what
# convolutions are fastest in.
Drives: TypeAlias = tuple[Tensor, Tensor | None]
# Drives of so many cells are kept for the way back, the others are computed anew: a few cells cost little memory.
_KEPT_CELLS = 4


@dataclass
class Synapses:
    """What stands between spikes and membranes: `all` is weight, beta weight and, of curved currents, gamma weight, stacked along
    the outputs.

    `parts` says which: 2 or 3. `constants` are what there is of each from t = 0 on, [out] or None. `reduced` is the type in which
    the products are taken, where it is not that of the weights.
    """

    all: Tensor
    parts: int
    kick: Tensor | None
    constants: tuple[Tensor | None, ...]
    connection: Connection
    moment: bool
    reduced: torch.dtype | None

    def __post_init__(self) -> None:
        self.all = self._ready(self.all)
        self.kick = None if self.kick is None else self._ready(self.kick)

    def _ready(self, weight: Tensor) -> Tensor:
        weight = weight if self.reduced is None else weight.to(self.reduced)
        return weight.contiguous(memory_format=torch.channels_last) if weight.dim() == 4 else weight

    def drives(self, on: Tensor) -> Drives:
        """Of a cell in which the inputs are on for the share `on`."""
        drives = self.through(on, self.all)
        for part, constant in zip(drives.chunk(self.parts, 1), self.constants, strict=True):
            if constant is not None:
                part.add_(constant)
        return drives, self.through(moment(on), self.all) if self.moment else None

    def through(self, x: Tensor, weight: Tensor) -> Tensor:
        """x [batch, ..., in] through some of the synapses, [rows, out], in the type of x."""
        result = self.connection(x.movedim(-1, 1).to(weight.dtype), weight)
        # Of one sample with one channel torch may give rows that do not lie one after the other.
        return result.movedim(1, -1).reshape(-1, len(weight)).to(x.dtype).contiguous()

    def to_inputs(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Adjoint of `through`: the gradient to x."""
        return self._back(self.connection.input_gradient(*self._forth(grad, x, weight), weight), x)

    def add_to_weight(self, grad: Tensor, x: Tensor, weight: Tensor, weight_grad: Tensor) -> None:
        """Adjoint of `through`: adds the gradient to the weight."""
        self.connection.add_weight_gradient(*self._forth(grad, x, weight), weight_grad)

    def to_both(self, grad: Tensor, x: Tensor, weight: Tensor, weight_grad: Tensor) -> Tensor:
        """`add_to_weight` and `to_inputs`."""
        return self._back(self.connection.both_gradients(*self._forth(grad, x, weight), weight, weight_grad), x)

    def _forth(self, grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient [rows, out] and x as the connection wants them: channels in the second place, in the type of the weight."""
        x = x.movedim(-1, 1)
        batch, outputs, *positions = self.connection.output_shape(x.shape, weight.shape)
        return grad.view(batch, *positions, outputs).movedim(-1, 1).to(weight.dtype), x.to(weight.dtype)

    def _back(self, x_grad: Tensor, x: Tensor) -> Tensor:
        return x_grad.movedim(1, -1).to(x.dtype)


class Kept(NamedTuple):
    """What the way back wants: drives of the last cells and, of curved currents, the membranes at the start of every cell."""

    drives: deque[Drives]
    starts: list[Tensor]


def forwards(t: Tensor, synapses: Synapses, points: Sequence[float], v: Tensor, keep: bool) -> Kept:
    """Take the membranes `v` [rows, outputs] from 0 to 1."""
    kept = Kept(deque(maxlen=_KEPT_CELLS if keep else 0), [])
    before = torch.zeros_like(t)
    for start, end in pairwise(points):
        on = cells.occupancy(t, start, end)
        if synapses.kick is not None:
            v += synapses.through(on - before, synapses.kick)
            before = on
        drives = synapses.drives(on)
        kept.drives.append(drives)
        if keep and synapses.parts == 3:
            kept.starts.append(v.clone())
        cells.advance(v, _effective(drives, end - start, synapses.parts), end - start)
    if synapses.kick is not None:
        v += synapses.through((t < 1.0).to(t.dtype) - before, synapses.kick)
    return kept


class Gradients:
    """Gradients gathered on the way back. `t` and `kick` are None where not wanted."""

    def __init__(self, given: Synapses, t: Tensor | None, interpolated: bool) -> None:
        full = torch.float32 if given.reduced is not None else given.all.dtype
        self.given, self.interpolated = given, interpolated
        self.t = None if t is None else torch.zeros_like(t)
        self.synapses = torch.zeros_like(given.all, dtype=full)
        self.kick = None if given.kick is None else torch.zeros_like(given.kick, dtype=full)
        self.constant = self.synapses.new_zeros(len(self.synapses))

    def sweep(self, t: Tensor, at: slice, v: Tensor, v_grad: Tensor, points: Sequence[float], kept: Kept) -> None:
        """Add what the samples `at`, with spike times `t`, contribute."""
        sweep = _Sweep(self, t, None if self.t is None else self.t[at], v_grad.contiguous().clone(), v)
        later, later_cell = (t < 1.0).to(t.dtype), None
        for cell, drives, start in zip_longest(list(pairwise(points))[::-1], reversed(kept.drives), reversed(kept.starts)):
            on = cells.occupancy(t, *cell)
            if self.given.kick is not None:
                sweep.unkick(later - on, later_cell, cell)
                later, later_cell = on, cell
            sweep.cell(on, drives or self.given.drives(on), start, *cell)
        sweep.unkick(later, later_cell, None)


class _Sweep:
    """Some samples on their way back: lam = dL/dv and y = lam v, and where currents are curved the membranes v themselves."""

    def __init__(self, total: Gradients, t: Tensor, t_grad: Tensor | None, v_grad: Tensor, v: Tensor) -> None:
        self.total, self.given, self.t, self.t_grad = total, total.given, t, t_grad
        self.lam, self.y, self.v = v_grad, v_grad * v, v
        self.slope: Tensor | None = None

    def cell(self, on: Tensor, drives: Drives, v: Tensor | None, start: float, end: float) -> None:
        """Back through one cell, to the membranes v where currents are curved."""
        given, total, width = self.given, self.total, end - start
        grad = _effective(drives, width, given.parts, copy=True)
        if v is not None and self.slope is None:
            self.v = v.clone()
            cells.advance(self.v, grad, width)
            self.y = self.lam * self.v
        if self.t_grad is not None and total.interpolated and self.slope is None:
            self.slope = self._slope(on)
        if v is None:
            cells.retreat(self.lam, self.y, grad, width)
        else:
            cells.retreat_curved(self.lam, v, grad, width)
            self.y, self.v = self.lam * v, v
        moments_grad = _moment_gradients(grad, drives, width, given.parts)
        total.constant += grad.sum(0)
        if self.t_grad is not None and self.slope is None:
            on_grad = given.to_both(grad, on, given.all, total.synapses)
            if moments_grad is not None:
                on_grad += given.to_both(moments_grad, moment(on), given.all, total.synapses) * (0.5 - on)
            cells.add_time_gradient(self.t_grad, self.t, start, end, on_grad)
            return
        given.add_to_weight(grad, on, given.all, total.synapses)
        if moments_grad is not None:
            given.add_to_weight(moments_grad, moment(on), given.all, total.synapses)
        if self.t_grad is not None and self.slope is not None:
            slope_at_end, self.slope = self.slope, self._slope(on)
            # `on` is 1 for a spike at the start of the cell and 0 for one at its end.
            self.t_grad -= torch.lerp(slope_at_end, self.slope, on) * cells.inside(self.t, start, end)

    def _slope(self, on: Tensor) -> Tensor:
        """sum over neurons of lam (1 - beta v + gamma v^2) w for every input, shaped as `on`."""
        parts = [self.lam, -self.y, *([self.y * self.v] if self.given.parts == 3 else [])]
        return self.given.to_inputs(torch.cat(parts, 1), on, self.given.all)

    def unkick(self, share: Tensor, later: tuple[float, float] | None, earlier: tuple[float, float] | None) -> None:
        """Take back the jump between two cells, to which the spikes of either contributed."""
        kick, kick_grad = self.given.kick, self.total.kick
        if kick is None or kick_grad is None:
            return
        self.slope = None
        self.y -= self.lam * self.given.through(share, kick)
        self.given.add_to_weight(self.lam, share, kick, kick_grad)
        if self.t_grad is not None:
            share_grad = self.given.to_inputs(self.lam, share, kick)
            for cell, sign in ((later, 1.0), (earlier, -1.0)):
                if cell is not None:
                    cells.add_time_gradient(self.t_grad, self.t, *cell, sign * share_grad)


def moment(on: Tensor) -> Tensor:
    """q = S (1 - S)/2 of the spikes that are on for the share S of a cell."""
    return (on - on.square()).mul_(0.5)


def _effective(drives: Drives, width: float, parts: int, *, copy: bool = False) -> Tensor:
    """g + d (f a - g b) beside f, or all three with their moments (`training.solvers.dstd`).

    The plain drives, copied if asked for, where there are no moments.
    """
    plain, moments = drives
    if moments is None:
        return plain.clone() if copy else plain
    (g, f, *q), (a, b, *m) = (x.chunk(parts, 1) for x in (plain, moments))
    moved = g + width * (f * a - g * b)
    if not q:
        return torch.cat([moved, f], 1)
    return torch.cat([moved, f + 2 * width * (q[0] * a - g * m[0]), q[0] + width * (q[0] * b - f * m[0])], 1)


def _moment_gradients(grads: Tensor, drives: Drives, width: float, parts: int) -> Tensor | None:
    """Adjoint of `_effective`: `grads` becomes the gradient to the plain drives; returns that to the moments."""
    plain, moments = drives
    if moments is None:
        return None
    (g_grad, f_grad, *q_grad), (g, f, *q), (a, b, *m) = (x.chunk(parts, 1) for x in (grads, plain, moments))
    held = width * g_grad
    if not q:
        f_grad += held * a
        g_grad -= held * b
        return torch.cat([held * f, -held * g], 1)
    held_f, held_q = 2 * width * f_grad, width * q_grad[0]
    g_grad -= held * b + held_f * m[0]
    f_grad += held * a - held_q * m[0]
    q_grad[0].add_(held_f * a + held_q * b)
    return torch.cat([held * f + held_f * q[0], held_q * q[0] - held * g, -held_f * g - held_q * f], 1)
