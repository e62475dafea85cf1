"""The walks for other devices, run here: torch operations on the CPU, Triton kernels in Triton's interpreter."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training import elementwise
from training.hardware import NormalisedModel
from training.models import convolutional
from training.solvers import all_cells, dstd, event_walk
from training.solvers.connection import Convolution, Dense
from training.solvers.solver import DSTD, Accumulation, Exact, Solver
from training.solvers.torch_walk import TorchWalk


def phase(kicked: bool) -> list[Tensor | None]:
    """t, weight, conductance, kick, bias, leak; times at and beyond the ends of the phase, and ties.

    With kicks no ties: the slope then depends on which of the two is taken for the first.
    """
    g = torch.Generator().manual_seed(0)
    t = 1.2 * torch.rand(4, 7, generator=g, dtype=torch.float64)
    t[0, :4] = torch.tensor([0.0, 0.5, 0.6 if kicked else 0.5, 1.0])
    t[1] = torch.inf
    t[2, 0] = -0.1
    weight = 2 * torch.randn(5, 7, generator=g, dtype=torch.float64)
    kick = 0.02 * torch.randn(5, 7, generator=g, dtype=torch.float64)
    bias, leak = torch.rand(2, 5, generator=g, dtype=torch.float64)
    tensors = [t, weight, 0.4 * weight.abs(), kick, bias, leak]
    return [x.requires_grad_() if kicked or i != 3 else None for i, x in enumerate(tensors)]


def as_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of the CPU go the way of other devices', by torch operations.

    Dynamo reads the attributes of a tensor once, as it is imported: it must have done so before one of them is another.
    """
    importlib.import_module("torch._dynamo")
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
    monkeypatch.setattr(event_walk, "find_spec", lambda name: None)


def compare(walk: type[torch.autograd.Function], kicked: bool) -> None:
    """The walk against the compiled one: values and every gradient, whatever the order in memory."""
    tensors = phase(kicked)
    compare_on(walk, tensors)
    compare_on(walk, [x if x is None else x.detach().T.contiguous().T.requires_grad_() for x in tensors[:4]] + tensors[4:])
    for batch, inputs, outputs in ((1, 7, 5), (4, 1, 5), (4, 7, 1), (1, 1, 1)):
        compare_on(walk, [None if x is None else cut(x, outputs if i else batch, inputs) for i, x in enumerate(tensors)])
    t, *others = tensors
    assert t is not None
    broken = torch.where(t == 0.5, torch.nan, t.detach())
    assert walk.apply(broken, *others, 0.03).isnan().all(1).tolist() == [True, False, False, False]  # type: ignore[no-untyped-call]


def cut(x: Tensor, rows: int, columns: int) -> Tensor:
    """The first rows, and of a matrix the first columns, as a leaf of its own."""
    part = x.detach()[:rows] if x.dim() == 1 else x.detach()[:rows, :columns]
    return part.clone().requires_grad_()


def compare_on(walk: type[torch.autograd.Function], tensors: list[Tensor | None]) -> None:
    t, weight, conductance, kick, bias, leak = tensors
    assert t is not None and weight is not None and conductance is not None
    expected = event_walk.accumulate(t, weight, conductance / weight, kick, v_reset=0.03, bias=bias, leak=leak)
    found = walk.apply(*tensors, 0.03)  # type: ignore[no-untyped-call]
    row = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaves = [x for x in tensors if x is not None and x.requires_grad]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    pairs = zip(
        torch.autograd.grad((found * row).sum(), leaves), torch.autograd.grad((expected * row).sum(), leaves), strict=True
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kicked", [False, True])
def test_walk_in_torch_operations_is_the_compiled_one(kicked: bool) -> None:
    compare(TorchWalk, kicked)


@pytest.mark.parametrize("connection", [Dense(), Convolution(stride=2, padding=1)])
@pytest.mark.parametrize("solver", [Exact(), DSTD(3), DSTD(3, moment=True), DSTD(3, interpolated_adjoint=True)])
def test_solvers_of_another_device_are_those_of_the_cpu(
    solver: Solver, connection: Dense | Convolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way that a tensor takes which is not on the CPU, on the CPU: torch operations alone, a convolution by patches."""
    g = torch.Generator().manual_seed(3)
    shapes = ((1, 2, 5, 4), (3, 2, 3, 3)) if isinstance(connection, Convolution) else ((4, 7), (5, 7))
    t = 1.2 * torch.rand(shapes[0], generator=g, dtype=torch.float64)
    weight, kick = (scale * torch.randn(shapes[1], generator=g, dtype=torch.float64) for scale in (1.0, 0.02))
    bias, leak = torch.rand(2, len(weight), generator=g, dtype=torch.float64)
    leaves = [x.requires_grad_() for x in (t, weight, 0.4 * weight.sign(), kick, bias.clone(), leak.clone())]

    def found() -> tuple[Tensor, ...]:
        t, weight, beta, kick, bias, leak = leaves
        v = solver(Accumulation(t, weight, beta, kick, 0.03, bias, leak, connection))
        return v, *torch.autograd.grad(v.square().sum(), leaves)

    expected = found()
    as_on_another_device(monkeypatch)
    for a, b in zip(found(), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


INTERPRETED = """
from unittest import mock
from test_solvers_devices import compare, compare_all_cells, compare_elementwise
from training import elementwise, elementwise_kernels
from training.solvers import all_cells, all_cells_kernels, devices, triton_walk

triton_walk._BLOCK = 4
compare(triton_walk.TritonWalk, False)
compare(triton_walk.TritonWalk, True)
all_cells.BLOCK = elementwise.BLOCK = devices.BLOCK = 8
all_cells.kernels = lambda x, name: all_cells_kernels
compare_all_cells()
elementwise.kernels = lambda x, name: elementwise_kernels
compare_elementwise()
"""

# To the machine code of an H100 or H200, which needs no GPU; Triton makes a constant of a size of 1.
COMPILED = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from training import elementwise_kernels
from training.solvers import all_cells_kernels, triton_kernels

REDUCED = {"on", "on_grad", "drives", "moments", "jumps", "drives_grad", "moments_grad", "jumps_grad"}
SCALARS = {"most_minus", "least_minus", "least_plus", "most_plus", "t_min", "t_max", "leak_slope", "sigma"}


def machine_code(kernel, full, reduced, constants):
    constants = {name: x for name, x in constants.items() if name in kernel.arg_names}
    kinds = {**dict.fromkeys(constants, "constexpr"), **dict.fromkeys(SCALARS, "fp32"), "order": "*i64"}
    kinds |= {name: kinds.get(name, "i32") for name in ("inputs", "outputs", "n", "segments")}
    signature = {name: kinds.get(name, "*" + (reduced if name in REDUCED else full)) for name in kernel.arg_names}
    at = {(kernel.arg_names.index(name),): x for name, x in constants.items()}
    assert compile(ASTSource(kernel, signature, constexprs=at), target=GPUTarget("cuda", 90, 32)).asm["cubin"]


for kernel in (triton_kernels.walk, triton_kernels.walk_back):
    for full, one, kicked in (("fp32", {}, False), ("fp32", {"outputs": 1}, True), ("fp64", {}, True)):
        machine_code(kernel, full, full, {"KICKED": kicked, "TERMS": 12, "BLOCK": 128, **one})
for name in ("occupancy", "occupancy_back", "walk", "walk_back"):
    for reduced, more in (("bf16", False), ("fp32", True)):
        flags = dict.fromkeys(("MOMENT", "KICKED", "BIASED", "LEAKS"), more)
        machine_code(getattr(all_cells_kernels, name), "fp32", reduced, {**flags, "CELLS": 3, "TERMS": 12, "BLOCK": 256})
for name in ("clipped", "fired", "fired_back", "jittered"):
    machine_code(getattr(elementwise_kernels, name), "fp32", "fp32", {"BLOCK": 256, "LEVELS": 9})
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="torch for CPUs alone brings no triton")
@pytest.mark.parametrize(("code", "interpret"), [(INTERPRETED, "1"), (COMPILED, "0")], ids=["interpreted", "compiled"])
def test_triton_kernels_are_the_compiled_walk_and_compile(code: str, interpret: str) -> None:
    paths = [str(Path(__file__).parent), str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "TRITON_INTERPRET": interpret, "PYTHONPATH": os.pathsep.join(paths)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


def compare_all_cells() -> None:
    """All cells at once against the cells one by one: values and every gradient, with spikes on grid points and at the ends."""
    for connection, moment, whole in itertools.product((Dense(), Convolution(2, 1)), (False, True), (False, True)):
        g = torch.Generator().manual_seed(1)
        of_t, of_weight = ((2, 2, 5, 4), (3, 2, 3, 3)) if isinstance(connection, Convolution) else ((4, 7), (5, 7))
        t = 1.2 * torch.rand(of_t, generator=g, dtype=torch.float64)
        t.view(-1)[:4] = torch.tensor([0.0, 1 / 3, -0.1, 1.0], dtype=torch.float64)
        weight, kick = (scale * torch.randn(of_weight, generator=g, dtype=torch.float64) for scale in (1.0, 0.02))
        constants = torch.rand(2, len(weight), generator=g, dtype=torch.float64).unbind()
        leaves = [x.clone().requires_grad_() for x in (t, weight, 0.4 * weight.abs(), *((kick, *constants) if whole else ()))]
        t, weight, conductance, kick, bias, leak = [*leaves, *[None] * (6 - len(leaves))]
        offset, settings = (0.07 if whole else 0.0), {"v_reset": 0.03, "moment": moment, "connection": connection}
        expected = dstd.solve(t, weight, conductance, kick, None, bias=bias, leak=leak, steps=3, offset=offset, **settings)
        points = all_cells.grid(3, torch.tensor(offset, dtype=torch.float64) if whole else 0.0, weight)
        stacked = torch.cat([weight, conductance])
        found = all_cells.solve(t, stacked, kick, bias, leak, points, reduced=None, **settings)
        pairs = zip(
            (found, *torch.autograd.grad(found.square().sum(), leaves)),
            (expected, *torch.autograd.grad(expected.square().sum(), leaves)),
            strict=True,
        )
        for a, b in pairs:
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_all_cells_at_once_are_the_cells_one_by_one() -> None:
    compare_all_cells()


def test_a_grid_whose_last_cell_has_no_width_is_the_grid_without_it() -> None:
    """An offset on the device may be drawn as 0, and nobody looks."""
    g = torch.Generator().manual_seed(2)
    t, weight = torch.rand(4, 7, generator=g).requires_grad_(), torch.randn(5, 7, generator=g)
    settings = {"v_reset": 0.0, "moment": False, "connection": Dense(), "reduced": None}
    synapses = torch.cat([weight, 0.3 * weight.abs()])
    results = []
    for offset in (0.0, torch.tensor(0.0)):
        v = all_cells.solve(t, synapses, None, None, None, all_cells.grid(4, offset, weight), **settings)
        results.append((v, *torch.autograd.grad(v.square().sum(), t)))
    torch.testing.assert_close(results[0], results[1])


def compare_elementwise() -> None:
    """What is one operation elsewhere against what the CPU does: the layer's own code on either side of a fork."""
    g = torch.Generator().manual_seed(4)
    v = (2.4 * torch.rand(3, 4, 5, 5, generator=g) - 0.7).requires_grad_()
    curve_v, curve_t = torch.tensor([-0.2, 0.1, 0.5, 1.1]), torch.tensor([1.2, 0.9, 0.6, 0.1])
    slope = curve_t.diff() / curve_v.diff()
    fired = elementwise.fire(v, curve_v, curve_t, slope, 0.15, 1.0, 0.2)
    (v_grad,) = torch.autograd.grad(fired.square().sum(), v)
    by_hand = np.interp(v.detach().numpy(), curve_v, curve_t)
    np.testing.assert_allclose(fired.detach().numpy(), by_hand.clip(0.15, 1.0), rtol=1e-6)
    on = (by_hand > 0.15) & (by_hand < 1.0)
    steep = np.where(on, slope.numpy()[np.searchsorted(curve_v.numpy()[1:-1], v.detach().numpy(), side="right")], 0.0)
    expected = 2 * fired.detach().numpy() * np.minimum(steep, -0.2)
    np.testing.assert_allclose(v_grad.numpy(), expected, rtol=1e-5)

    noise = torch.randn(fired.shape, generator=g)
    moved = elementwise.jitter(fired, noise, 0.3)
    silent = fired >= 1.0
    assert silent.any() and bool((moved[silent] == fired[silent]).all())
    torch.testing.assert_close(moved[~silent], (fired + 0.3 * noise)[~silent].clamp(0.0, 1.0))
    assert bool((torch.autograd.grad(moved.sum(), fired)[0] == 1.0).all())

    weight = torch.tensor([-3.0, -0.5, -0.01, 0.0, 0.02, 0.4, 9.0, torch.nan], requires_grad=True)
    clipped = elementwise.clip_weight(weight, -2.0, -0.1, 0.1, 3.0)
    torch.testing.assert_close(clipped, torch.tensor([-2.0, -0.5, 0.0, 0.0, 0.0, 0.4, 3.0, torch.nan]), equal_nan=True)
    assert bool((torch.autograd.grad(clipped.sum(), weight)[0] == 1.0).all())


def test_elementwise_operations_do_what_their_definition_says() -> None:
    compare_elementwise()


@pytest.mark.parametrize("reversal", [3.3, 0.8])
def test_a_layer_of_another_device_is_that_of_the_cpu(reversal: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spikes and every gradient of a network, but for the rounding of the offset, drawn in single precision."""
    network = convolutional((2, 6, 6), 3, NormalisedModel.constant(reversal, -reversal), channels=[[4]], hidden=[5],
        solver="dstd", steps=3, random_offset=True, normalise=True)  # fmt: skip
    network.double().reset_parameters(torch.Generator().manual_seed(5))
    t = torch.rand(4, 2, 6, 6, generator=torch.Generator().manual_seed(6), dtype=torch.float64)

    def found() -> list[Tensor]:
        spikes = network(t, torch.Generator().manual_seed(7))[-1].spike_times
        return [spikes, *torch.autograd.grad(spikes.square().sum(), list(network.parameters()))]

    expected = found()
    as_on_another_device(monkeypatch)
    torch.testing.assert_close(found(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_a_training_network_is_one_graph_for_a_compiler() -> None:
    """No part of it is Python to a compiler; on meta tensors, which go the way of a GPU's."""
    network = convolutional((2, 4, 4), 3, NormalisedModel.constant(3.3, -3.3), channels=[[3]], hidden=[],
        solver="dstd", steps=2, random_offset=True, spike_time_noise=0.01, normalise=True).to("meta")  # fmt: skip
    compiled = torch.compile(lambda t: network(t)[-1].spike_times, backend="eager", fullgraph=True)
    assert compiled(torch.empty(4, 2, 4, 4, device="meta")).shape == (4, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_exact_layer_on_a_gpu_is_that_of_the_cpu() -> None:
    t, weight, conductance, kick, bias, leak = (x if x is None else x.detach().float() for x in phase(True))
    assert t is not None and weight is not None and conductance is not None
    expected = event_walk.accumulate(t, weight, conductance / weight, kick, bias=bias, leak=leak)
    arguments = [None if x is None else x.cuda() for x in (t, weight, conductance / weight, kick, bias, leak)]
    found = event_walk.accumulate(*arguments[:4], bias=arguments[4], leak=arguments[5])  # type: ignore[arg-type]
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-5)
