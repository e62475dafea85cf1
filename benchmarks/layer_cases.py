"""What the layer benchmark measures: steps of forward and backward, their CPU time, and their memory.

Memory is the peak of the resident set over what the inputs hold, in a process of its own, after a first run of the same kind that
fills caches and compiles; freed memory goes back to the system at once (MALLOC_MMAP_THRESHOLD_). The process is
`python -m benchmarks.layer_cases CASE SIZE`, which prints bytes.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from training.solvers.connection import Convolution
from training.solvers.reversal import BySign
from training.solvers.solver import DSTD, Accumulation, Exact, Solver

Step = Callable[[], object]


def dense(inputs: int, outputs: int, batch: int, reversal: float = 2.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spikes U(0, 1), weights N(0, 1/inputs), 1/E+ and 1/E-: leaves that want gradients."""
    g = torch.Generator().manual_seed(0)
    t = torch.rand(batch, inputs, generator=g)
    weight = torch.randn(outputs, inputs, generator=g) / inputs**0.5
    return tuple(x.requires_grad_() for x in (t, weight, torch.tensor(1 / reversal), torch.tensor(-1 / reversal)))  # type: ignore[return-value]


def dense_step(solver: Solver | None, inputs: int, outputs: int, batch: int) -> Step:
    """Forward and backward to t, weights, E+ and E-; the published form where there is no solver."""
    from benchmarks.peers import published_exact

    t, weight, plus, minus = leaves = dense(inputs, outputs, batch)
    grad = torch.randn(batch, outputs)

    def step() -> None:
        beta = BySign(plus, minus)
        v = published_exact.accumulate(t, weight, beta.of(weight)) if solver is None else solver(Accumulation(t, weight, beta))
        v.backward(grad)  # type: ignore[no-untyped-call]
        _drop_gradients(leaves)

    return step


def convolution_step(solver: Solver | None, channels: int, size: int, batch: int) -> Step:
    """Forward and backward of 3x3 windows; an ordinary convolution where there is no solver."""
    g = torch.Generator().manual_seed(0)
    t = torch.rand(batch, channels, size, size, generator=g).requires_grad_()
    weight = (torch.randn(channels, channels, 3, 3, generator=g) / (9 * channels) ** 0.5).requires_grad_()
    plus, minus = torch.tensor(0.5), torch.tensor(-0.5)
    grad = torch.randn(batch, channels, size, size, generator=g)

    def step() -> None:
        if solver is None:
            v = torch.nn.functional.conv2d(t, weight, padding=1)
        else:
            v = solver(Accumulation(t, weight, BySign(plus, minus), connection=Convolution(padding=1)))
        v.backward(grad)  # type: ignore[no-untyped-call]
        _drop_gradients((t, weight))

    return step


def _drop_gradients(leaves: tuple[Tensor, ...]) -> None:
    for leaf in leaves:
        leaf.grad = None


CASES: dict[str, Callable[..., Step]] = {
    "published": lambda **size: dense_step(None, **size),
    "exact": lambda **size: dense_step(Exact(), **size),
    "dstd10": lambda **size: dense_step(DSTD(10), **size),
    "conv": lambda **size: convolution_step(None, **size),
    "conv_dstd10": lambda **size: convolution_step(DSTD(10), **size),
    "conv_exact": lambda **size: convolution_step(Exact(), **size),
}


def peak_in_fresh_process(case: str, size: dict[str, int]) -> float:
    """Peak of a case in bytes, in a process of its own with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-m", "benchmarks.layer_cases", case, json.dumps(size)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(result.stdout)


def cpu_seconds(step: Step) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peak_bytes(step: Step) -> int:
    """Peak of the resident set during a step, over what is held before it. Linux only."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    step()
    return _resident("VmHWM") - before


def main() -> None:
    case, size = sys.argv[1], json.loads(sys.argv[2])
    torch.set_num_threads(1)
    # The first run compiles and fills caches; one sample is enough for that.
    CASES[case](**{**size, "batch": 1})()
    sys.stdout.write(str(peak_bytes(CASES[case](**size))))


if __name__ == "__main__":
    main()
