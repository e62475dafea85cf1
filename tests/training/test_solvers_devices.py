"""The walks for other devices, run here: torch operations on the CPU, Triton kernels in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.solvers import event_walk
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
    monkeypatch.setattr(torch.Tensor, "is_cpu", False)
    monkeypatch.setattr(event_walk, "find_spec", lambda name: None)
    for a, b in zip(found(), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


INTERPRETED = """
from test_solvers_devices import compare
from training.solvers import triton_walk
triton_walk._BLOCK = 4
compare(triton_walk.TritonWalk, False)
compare(triton_walk.TritonWalk, True)
"""

# To the machine code of an H100 or H200, which needs no GPU; Triton makes a constant of a size of 1.
COMPILED = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from training.solvers import triton_kernels

for kernel in (triton_kernels.walk, triton_kernels.walk_back):
    for type_name, outputs, kicked in (("fp32", "i32", False), ("fp32", "constexpr", True), ("fp64", "i32", True)):
        constants = {"KICKED": kicked, "TERMS": 12, "BLOCK": 128, **({"outputs": 1} if outputs == "constexpr" else {})}
        types = {**dict.fromkeys(constants, "constexpr"), "order": "*i64", "inputs": "i32", "outputs": outputs}
        signature = {name: types.get(name, "*" + type_name) for name in kernel.arg_names}
        source = ASTSource(kernel, signature, constexprs={(kernel.arg_names.index(name),): x for name, x in constants.items()})
        assert compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"]
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="torch for CPUs alone brings no triton")
@pytest.mark.parametrize(("code", "interpret"), [(INTERPRETED, "1"), (COMPILED, "0")], ids=["interpreted", "compiled"])
def test_triton_kernels_are_the_compiled_walk_and_compile(code: str, interpret: str) -> None:
    paths = [str(Path(__file__).parent), str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "TRITON_INTERPRET": interpret, "PYTHONPATH": os.pathsep.join(paths)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_exact_layer_on_a_gpu_is_that_of_the_cpu() -> None:
    t, weight, conductance, kick, bias, leak = (x if x is None else x.detach().float() for x in phase(True))
    assert t is not None and weight is not None and conductance is not None
    expected = event_walk.accumulate(t, weight, conductance / weight, kick, bias=bias, leak=leak)
    arguments = [None if x is None else x.cuda() for x in (t, weight, conductance / weight, kick, bias, leak)]
    found = event_walk.accumulate(*arguments[:4], bias=arguments[4], leak=arguments[5])  # type: ignore[arg-type]
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-5)
