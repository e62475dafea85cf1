"""The membranes of some samples through the cells of a DSTD grid, and their adjoint back through it (`training.solvers.dstd`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TypeAlias

import torch
from torch import Tensor

from training.solvers import cells
from training.solvers.connection import Connection

# Mean drive and mean conductance of a cell side by side, [rows, 2 outputs], and their first moments likewise or None. A row is a
# sample, or a position of an image; inputs too have their channels last, which is what convolutions are fastest in.
Drives: TypeAlias = tuple[Tensor, Tensor | None]
# Drives of so many cells are kept for the way back, the others are computed anew: a few cells cost little memory.
_KEPT_CELLS = 4


@dataclass
class Synapses:
    """What stands between spikes and membranes: `both` is weight and beta weight, stacked along the outputs.

    `reduced` is the type in which the products are taken, where it is not that of the weights.
    """

    both: Tensor
    kick: Tensor | None
    bias: Tensor | None
    leak: Tensor | None
    connection: Connection
    moment: bool
    reduced: torch.dtype | None

    def __post_init__(self) -> None:
        self.both = self._ready(self.both)
        self.kick = None if self.kick is None else self._ready(self.kick)

    def _ready(self, weight: Tensor) -> Tensor:
        weight = weight if self.reduced is None else weight.to(self.reduced)
        return weight.contiguous(memory_format=torch.channels_last) if weight.dim() == 4 else weight

    def drives(self, on: Tensor) -> Drives:
        """Of a cell in which the inputs are on for the share `on`."""
        drives = self.through(on, self.both)
        for half, constant in zip(drives.chunk(2, 1), (self.bias, self.leak), strict=True):
            if constant is not None:
                half.add_(constant)
        return drives, self.through(moment(on), self.both) if self.moment else None

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


def forwards(t: Tensor, synapses: Synapses, points: Sequence[float], v: Tensor, keep: bool) -> deque[Drives]:
    """Take the membranes `v` [rows, outputs] from 0 to 1; returns the drives of the last cells for the way back."""
    kept: deque[Drives] = deque(maxlen=_KEPT_CELLS if keep else 0)
    before = torch.zeros_like(t)
    for start, end in pairwise(points):
        on = cells.occupancy(t, start, end)
        if synapses.kick is not None:
            v += synapses.through(on - before, synapses.kick)
            before = on
        drives = synapses.drives(on)
        kept.append(drives)
        cells.advance(v, _effective(drives, end - start), end - start)
    if synapses.kick is not None:
        v += synapses.through((t < 1.0).to(t.dtype) - before, synapses.kick)
    return kept


class Gradients:
    """Gradients gathered on the way back. `t` and `kick` are None where not wanted."""

    def __init__(self, given: Synapses, t: Tensor | None, interpolated: bool) -> None:
        full = torch.float32 if given.reduced is not None else given.both.dtype
        self.given, self.interpolated = given, interpolated
        self.t = None if t is None else torch.zeros_like(t)
        self.synapses = torch.zeros_like(given.both, dtype=full)
        self.kick = None if given.kick is None else torch.zeros_like(given.kick, dtype=full)
        self.constant = self.synapses.new_zeros(len(self.synapses))

    def sweep(self, t: Tensor, at: slice, v: Tensor, v_grad: Tensor, points: Sequence[float], kept: deque[Drives]) -> None:
        """Add what the samples `at`, with spike times `t`, contribute."""
        sweep = _Sweep(self, t, None if self.t is None else self.t[at], v_grad.contiguous().clone(), v)
        later, later_cell = (t < 1.0).to(t.dtype), None
        for cell, drives in zip_longest(list(pairwise(points))[::-1], reversed(kept)):
            on = cells.occupancy(t, *cell)
            if self.given.kick is not None:
                sweep.unkick(later - on, later_cell, cell)
                later, later_cell = on, cell
            sweep.cell(on, drives or self.given.drives(on), *cell)
        sweep.unkick(later, later_cell, None)


class _Sweep:
    """Some samples on their way back: lam = dL/dv and y = lam v."""

    def __init__(self, total: Gradients, t: Tensor, t_grad: Tensor | None, v_grad: Tensor, v: Tensor) -> None:
        self.total, self.given, self.t, self.t_grad = total, total.given, t, t_grad
        self.lam, self.y = v_grad, v_grad * v
        self.slope: Tensor | None = None

    def cell(self, on: Tensor, drives: Drives, start: float, end: float) -> None:
        """Back through one cell."""
        given, total, width = self.given, self.total, end - start
        if self.t_grad is not None and total.interpolated and self.slope is None:
            self.slope = self._slope(on)
        grad = _effective(drives, width, copy=True)
        cells.retreat(self.lam, self.y, grad, width)
        moments_grad = _moment_gradients(grad, drives, width)
        total.constant += grad.sum(0)
        if self.t_grad is not None and self.slope is None:
            on_grad = given.to_both(grad, on, given.both, total.synapses)
            if moments_grad is not None:
                on_grad += given.to_both(moments_grad, moment(on), given.both, total.synapses) * (0.5 - on)
            cells.add_time_gradient(self.t_grad, self.t, start, end, on_grad)
            return
        given.add_to_weight(grad, on, given.both, total.synapses)
        if moments_grad is not None:
            given.add_to_weight(moments_grad, moment(on), given.both, total.synapses)
        if self.t_grad is not None and self.slope is not None:
            slope_at_end, self.slope = self.slope, self._slope(on)
            # `on` is 1 for a spike at the start of the cell and 0 for one at its end.
            self.t_grad -= torch.lerp(slope_at_end, self.slope, on) * cells.inside(self.t, start, end)

    def _slope(self, on: Tensor) -> Tensor:
        """sum over neurons of (lam - y beta) w for every input, shaped as `on`."""
        return self.given.to_inputs(torch.cat([self.lam, -self.y], 1), on, self.given.both)

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


def _effective(drives: Drives, width: float, *, copy: bool = False) -> Tensor:
    """g + d (f a - g b) beside f; the plain drives, copied if asked for, where there are no moments."""
    plain, moments = drives
    if moments is None:
        return plain.clone() if copy else plain
    (g, f), (a, b) = plain.chunk(2, 1), moments.chunk(2, 1)
    return torch.cat([g + width * (f * a - g * b), f], 1)


def _moment_gradients(grads: Tensor, drives: Drives, width: float) -> Tensor | None:
    """Adjoint of `_effective`: `grads` becomes the gradient to the plain drives; returns that to the moments."""
    plain, moments = drives
    if moments is None:
        return None
    (g_grad, f_grad), (g, f), (a, b) = grads.chunk(2, 1), plain.chunk(2, 1), moments.chunk(2, 1)
    held = width * g_grad
    f_grad += held * a
    g_grad -= held * b
    return torch.cat([held * f, -held * g], 1)
