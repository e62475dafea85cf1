"""DSTD with all cells of the grid at once, for devices that are no CPU: one product of cells x samples, one walk.

Equations as in `dstd`. What a CPU does cell by cell, so that it stays in the cache, is launched here as few operations, and the
grid itself may lie on the device: nothing waits for the host. The shares of the cells and the walk are operators of torch
(`torch.library`), of which compilers and captured graphs know the shapes; on a GPU they are kernels of `all_cells_kernels`, and
torch operations where there is no Triton.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from training.solvers.connection import Connection
from training.solvers.devices import BLOCK, kernels, programs
from training.solvers.phi import phi1_phi2, phi1_value

_KERNELS = "training.solvers.all_cells_kernels"
# Of a cell: an offset drawn as 0 leaves one of no width, in which no spike lies.
_NARROWEST = 1e-30


def grid(steps: int, offset: Tensor | float, like: Tensor, late: float = 1.0) -> Tensor:
    """The grid points of `dstd.grid` on the device of `like` and in its type: [steps + 1], and with an offset [steps + 2].

    An offset on the device is not looked at: with one of 0 the last cell has no width.
    """
    if isinstance(offset, float) and offset == 0.0:
        points = torch.arange(steps + 1, device=like.device, dtype=like.dtype) / steps
    else:
        points = (torch.arange(steps + 2, device=like.device, dtype=like.dtype) / steps - offset).clamp(0.0, 1.0)
    return points if late == 1.0 else 1.0 - (1.0 - points) ** late


def solve(
    t: Tensor,
    synapses: Tensor,
    kick: Tensor | None,
    bias: Tensor | None,
    leak: Tensor | None,
    points: Tensor,
    *,
    v_reset: float,
    moment: bool,
    connection: Connection,
    reduced: torch.dtype | None,
) -> Tensor:
    """v(1) of straight currents, as `dstd.solve` has it. Differentiable, once, to every tensor but the grid.

    Args:
        t: spike times in phases, [batch, in, ...].
        synapses: weight and conductance stacked, [2 out, in, ...]; kick [out, in, ...], bias and leak [out], or None.
        points: grid points, [cells + 1], in the type of the membranes.
        reduced: the type of the products, where it is not that of the synapses.
    """
    kind = reduced or synapses.dtype
    shape = connection.output_shape(t.shape, synapses[: len(synapses) // 2].shape)
    t = t.movedim(1, -1).contiguous()
    on = occupancy(t, points, kind)
    drives = _through(on, synapses.to(kind), connection)
    moments = _through((on - on.square()) * 0.5, synapses.to(kind), connection) if moment else None
    jumps = None if kick is None else _through(_arriving(t, on), kick.to(kind), connection)
    v: Tensor = walk(drives, moments, jumps, bias, leak, points, v_reset)
    return v.view(len(t), *shape[2:], shape[1]).movedim(-1, 1)


def _arriving(t: Tensor, on: Tensor) -> Tensor:
    """What is on more at the start of each cell, and at the end of the last: [cells + 1, *t.shape]."""
    arrived = (t < 1.0).to(on.dtype)[None]
    return torch.cat([on, arrived]) - torch.cat([torch.zeros_like(arrived), on])


def _through(x: Tensor, weight: Tensor, connection: Connection) -> Tensor:
    """x [cells, batch, ..., in] through synapses, [cells, batch positions, out], both with the channels last in memory."""
    if weight.dim() == 4:
        weight = weight.contiguous(memory_format=torch.channels_last)
    result = connection(x.flatten(0, 1).movedim(-1, 1), weight)
    return result.movedim(1, -1).reshape(len(x), -1, len(weight)).contiguous()


@torch.library.custom_op("cosim::occupancy", mutates_args=())
def occupancy(t: Tensor, points: Tensor, kind: torch.dtype) -> Tensor:
    """Share of every cell for which each spike is on, [cells, *t.shape]."""
    on = t.new_empty((len(points) - 1, *t.shape), dtype=kind)
    if (own := kernels(t, _KERNELS)) is not None:
        with torch.cuda.device_of(t):  # type: ignore[no-untyped-call]
            own.occupancy[programs(t)](t, points, on, t.numel(), CELLS=len(on), BLOCK=BLOCK)
        return on
    for cell, start, end in zip(on, points, points[1:], strict=False):
        cell.copy_(((end - t) / (end - start).clamp_min(_NARROWEST)).clamp(0.0, 1.0))
    return on


@occupancy.register_fake
def _(t: Tensor, points: Tensor, kind: torch.dtype) -> Tensor:
    return t.new_empty((len(points) - 1, *t.shape), dtype=kind)


@torch.library.custom_op("cosim::occupancy_back", mutates_args=())
def occupancy_back(t: Tensor, points: Tensor, on_grad: Tensor) -> Tensor:
    """Adjoint of `occupancy`. A spike on a grid point belongs to the cell that ends there, one at t = 0 to the first cell."""
    t_grad = torch.zeros_like(t)
    if (own := kernels(t, _KERNELS)) is not None:
        with torch.cuda.device_of(t):  # type: ignore[no-untyped-call]
            own.occupancy_back[programs(t)](t, points, on_grad, t_grad, t.numel(), CELLS=len(on_grad), BLOCK=BLOCK)
        return t_grad
    for m, (grad, start, end) in enumerate(zip(on_grad, points, points[1:], strict=False)):
        inside = (t > start if m else t >= start) & (t <= end)
        t_grad -= torch.where(inside, grad.to(t.dtype) / (end - start).clamp_min(_NARROWEST), 0.0)
    return t_grad


@occupancy_back.register_fake
def _(t: Tensor, points: Tensor, on_grad: Tensor) -> Tensor:
    return torch.empty_like(t)


def _keep_spikes(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])


def _to_spikes(ctx: Any, on_grad: Tensor) -> tuple[Tensor | None, None, None]:
    t, points = ctx.saved_tensors
    return occupancy_back(t, points, on_grad.contiguous()), None, None


occupancy.register_autograd(_to_spikes, setup_context=_keep_spikes)


@torch.library.custom_op("cosim::cell_walk", mutates_args=())
def walk(
    drives: Tensor,
    moments: Tensor | None,
    jumps: Tensor | None,
    bias: Tensor | None,
    leak: Tensor | None,
    points: Tensor,
    v_reset: float,
) -> Tensor:
    """Membranes at t = 1, [rows, out], in the type of the grid.

    Args:
        drives: mean drive and conductance of every cell side by side, [cells, rows, 2 out]; moments alike, or None.
        jumps: of the membranes at the start of each cell and at the end, [cells + 1, rows, out], or None.
        bias, leak: drive and conductance of all cells, [out], or None.
    """
    v = _membranes(drives, points).fill_(v_reset)
    if (own := kernels(v, _KERNELS)) is not None:
        given = (x if x is not None else v for x in (moments, jumps, bias, leak))
        with torch.cuda.device_of(v):  # type: ignore[no-untyped-call]
            own.walk[programs(v)](
                drives, *given, points, v, v.numel(), v.shape[1], **_which(v, drives, moments, jumps, bias, leak)
            )
        return v
    for m, (g, f, moved) in enumerate(_cells(drives, moments, bias, leak, points)):
        d = points[m + 1] - points[m]
        v += 0.0 if jumps is None else jumps[m].to(v.dtype)
        v += d * phi1_value(f * d) * (g + moved - f * v)
    return v if jumps is None else v + jumps[-1].to(v.dtype)


@walk.register_fake
def _(
    drives: Tensor, moments: Tensor | None, jumps: Tensor | None, bias: Tensor | None, leak: Tensor | None, points: Tensor,
    v_reset: float,
) -> Tensor:  # fmt: skip
    return _membranes(drives, points)


@torch.library.custom_op("cosim::cell_walk_back", mutates_args=())
def walk_back(
    drives: Tensor,
    moments: Tensor | None,
    jumps: Tensor | None,
    bias: Tensor | None,
    leak: Tensor | None,
    points: Tensor,
    v: Tensor,
    v_grad: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Adjoint of `walk`: gradients to drives, moments and jumps; of no element where there are none."""
    found = _gradients(drives, moments, jumps)
    drives_grad, moments_grad, jumps_grad = found
    if (own := kernels(v, _KERNELS)) is not None:
        given = (x if x is not None else v for x in (moments, jumps, bias, leak))
        with torch.cuda.device_of(v):  # type: ignore[no-untyped-call]
            own.walk_back[programs(v)](
                drives, *given, points, v, v_grad, *found, v.numel(), v.shape[1],
                **_which(v, drives, moments, jumps, bias, leak),
            )  # fmt: skip
        return found
    lam, y = v_grad.clone(), v_grad * v
    if jumps is not None:
        jumps_grad[-1] = lam
        y -= lam * jumps[-1].to(lam.dtype)
    for m, (g, f, moved) in reversed(list(enumerate(_cells(drives, moments, bias, leak, points)))):
        d = points[m + 1] - points[m]
        first, second = phi1_phi2(f * d)
        held = lam * d
        g_grad = held * first
        f_grad = d * ((g + moved) * held * second - y)
        y -= (g + moved) * g_grad
        lam -= f * g_grad
        if moments is not None:
            a, b = moments[m].to(lam.dtype).chunk(2, 1)
            held = d * g_grad
            moments_grad[m] = torch.cat([held * f, -held * g], 1)
            f_grad, g_grad = f_grad + held * a, g_grad - held * b
        drives_grad[m] = torch.cat([g_grad, f_grad], 1)
        if jumps is not None:
            jumps_grad[m] = lam
            y -= lam * jumps[m].to(lam.dtype)
    return found


@walk_back.register_fake
def _(
    drives: Tensor, moments: Tensor | None, jumps: Tensor | None, bias: Tensor | None, leak: Tensor | None, points: Tensor,
    v: Tensor, v_grad: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return _gradients(drives, moments, jumps)


def _keep_drives(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:6], output)


def _to_drives(ctx: Any, v_grad: Tensor) -> tuple[Tensor | None, ...]:
    drives, moments, jumps, bias, leak, points, v = ctx.saved_tensors
    to_drives, to_moments, to_jumps = walk_back(drives, moments, jumps, bias, leak, points, v, v_grad.contiguous())
    synapses = to_drives, None if moments is None else to_moments, None if jumps is None else to_jumps
    if bias is None and leak is None:
        return *synapses, None, None, None, None
    to_bias, to_leak = to_drives.sum((0, 1), dtype=points.dtype).chunk(2)
    return *synapses, None if bias is None else to_bias, None if leak is None else to_leak, None, None


walk.register_autograd(_to_drives, setup_context=_keep_drives)


def _membranes(drives: Tensor, points: Tensor) -> Tensor:
    return drives.new_empty((drives.shape[1], drives.shape[2] // 2), dtype=points.dtype)


def _gradients(drives: Tensor, moments: Tensor | None, jumps: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    moments_grad, jumps_grad = (drives.new_empty(0) if x is None else torch.empty_like(x) for x in (moments, jumps))
    return torch.empty_like(drives), moments_grad, jumps_grad


def _cells(
    drives: Tensor, moments: Tensor | None, bias: Tensor | None, leak: Tensor | None, points: Tensor
) -> list[tuple[Tensor, Tensor, Tensor | float]]:
    """Drive and conductance of every cell, and what the second Magnus term adds to the drive."""
    found: list[tuple[Tensor, Tensor, Tensor | float]] = []
    for m, cell in enumerate(drives):
        g, f = cell.to(points.dtype).chunk(2, 1)
        g, f = g if bias is None else g + bias, f if leak is None else f + leak
        moved: Tensor | float = 0.0
        if moments is not None:
            a, b = moments[m].to(points.dtype).chunk(2, 1)
            moved = (points[m + 1] - points[m]) * (f * a - g * b)
        found.append((g, f, moved))
    return found


def _which(
    v: Tensor, drives: Tensor, moments: Tensor | None, jumps: Tensor | None, bias: Tensor | None, leak: Tensor | None
) -> dict[str, Any]:
    """What the kernels are compiled for."""
    return {
        "CELLS": len(drives), "MOMENT": moments is not None, "KICKED": jumps is not None, "BIASED": bias is not None,
        "LEAKS": leak is not None, "TERMS": 19 if v.dtype == torch.float64 else 12, "BLOCK": BLOCK,
    }  # fmt: skip
