"""What a solver misses and what it costs, on random layers: w ~ N(0, 1/N), t ~ U(0, 1), E+ = -E-."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor

from training.solvers import dstd, event_walk
from training.study.plan import SolverPlan

# Of the membranes that are drawn, and of the layer whose cost is measured.
SHOWN_INPUTS, SHOWN_POINTS, COST_OUTPUTS, COST_BATCH, REPETITIONS = 50, 200, 256, 16, 3


def random_layer(inputs: int, outputs: int, samples: int, reversal: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Spike times [samples, inputs], weights and beta [outputs, inputs] in float64."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.rand(samples, inputs, generator=generator, dtype=torch.float64)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64) / inputs**0.5
    return t, weight, weight.sign() / reversal


def errors(plan: SolverPlan) -> pd.DataFrame:
    """RMS error of v(1) under DSTD: one row a (inputs, reversal, steps), with the drive, the mean of sum|w|/|E|."""
    rows = []
    for inputs in plan.inputs:
        for reversal in plan.reversal:
            t, weight, beta = random_layer(inputs, 32, plan.samples, reversal, plan.seed)
            exact = event_walk.accumulate(t, weight, beta)
            drive = float((weight * beta).sum(1).mean())
            for steps in plan.steps:
                error = dstd.accumulate(t, weight, beta, steps=steps) - exact
                rms = float(error.square().mean().sqrt())
                rows.append({"inputs": inputs, "e_rev": reversal, "steps": steps, "drive": drive, "rms_error": rms})
    return pd.DataFrame(rows)


def membranes(plan: SolverPlan) -> pd.DataFrame:
    """One membrane over the accumulation: exactly (steps 0) at many times, and under DSTD at its grid points."""
    rows: list[dict[str, float]] = []
    for reversal in plan.reversal:
        t, weight, beta = random_layer(SHOWN_INPUTS, 1, 1, reversal, plan.seed)
        for steps in (0, *plan.steps):
            count = steps or SHOWN_POINTS
            for m in range(count + 1):
                v = _membrane_at(m, count, steps, t, weight, beta)
                rows.append({"e_rev": reversal, "steps": steps, "t": m / count, "v": v})
    return pd.DataFrame(rows)


def _membrane_at(m: int, count: int, steps: int, t: Tensor, weight: Tensor, beta: Tensor) -> float:
    """v at m/count: the phase cut off there and stretched to 1, which multiplies all currents by m/count."""
    if m == 0:
        return 0.0
    share = m / count
    if steps:
        return float(dstd.accumulate(t / share, weight * share, beta, steps=m))
    return float(event_walk.accumulate(t / share, weight * share, beta))


def costs(plan: SolverPlan) -> Iterator[dict[str, object]]:
    """CPU time of forward and backward, and bytes held between them: one row a (solver, steps, inputs), in float32.

    The row "mac" is an ordinary linear layer of the same size.
    """
    for inputs in plan.inputs:
        t, weight, beta = (x.float() for x in random_layer(inputs, COST_OUTPUTS, COST_BATCH, 2.0, plan.seed))
        yield {"solver": "mac", "steps": 0, "inputs": inputs, **_cost(t, weight, beta, None)}
        for steps in (0, *plan.steps):
            solver = "dstd" if steps else "exact"
            yield {"solver": solver, "steps": steps, "inputs": inputs, **_cost(t, weight, beta, steps)}


def _cost(t: Tensor, weight: Tensor, beta: Tensor, steps: int | None) -> dict[str, float]:
    held: dict[int, int] = {}

    def hold(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    t, weight = t.clone().requires_grad_(), weight.clone().requires_grad_()
    given = {tensor.untyped_storage().data_ptr() for tensor in (t, weight, beta)}
    seconds = []
    for _ in range(REPETITIONS):
        held.clear()
        started = time.process_time()
        with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
            v = _solve(t, weight, beta, steps)
        v.sum().backward()  # type: ignore[no-untyped-call]
        seconds.append(time.process_time() - started)
    own = sum(size for pointer, size in held.items() if pointer not in given)
    return {"seconds": statistics.median(seconds), "held_bytes": own}


def _solve(t: Tensor, weight: Tensor, beta: Tensor, steps: int | None) -> Tensor:
    if steps is None:
        return (1.0 - t) @ weight.T
    return dstd.accumulate(t, weight, beta, steps=steps) if steps else event_walk.accumulate(t, weight, beta)
