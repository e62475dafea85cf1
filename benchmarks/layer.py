"""One layer of neurons, forward and backward: our solvers, the published exact form, an ODE solver, an ordinary convolution.

Everything on one thread and in CPU time. Sizes and ways of measuring stand in each figure's detail; cases in `layer_cases`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor

from benchmarks.figure import Figure
from benchmarks.layer_cases import Step, convolution_step, cpu_seconds, dense, dense_step, peak_in_fresh_process
from training.solvers.reversal import BySign
from training.solvers.solver import DSTD, Accumulation, Exact, Solver

PACKAGES = ("torch", "numba", "torchdiffeq")

DRIVES = (1, 5, 15, 50)
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6)
REVERSALS = (10, 2, 1)
WAYS = {
    "plain": DSTD(10),
    "moment": DSTD(10, moment=True),
    "interpolated": DSTD(10, interpolated_adjoint=True),
}


@dataclass(frozen=True)
class _Plan:
    """Sizes and repetitions."""

    neurons: int
    batch: int
    dstd_batch: int
    repeat: int
    channels: int = 64
    size: int = 32
    images: int = 8

    @property
    def of_exact(self) -> dict[str, int]:
        return {"inputs": self.neurons, "outputs": self.neurons, "batch": self.batch}

    @property
    def of_dstd(self) -> dict[str, int]:
        return {**self.of_exact, "batch": self.dstd_batch}

    @property
    def of_convolution(self) -> dict[str, int]:
        return {"channels": self.channels, "size": self.size, "batch": self.images}


FULL = _Plan(neurons=1000, batch=64, dstd_batch=100, repeat=9)
QUICK = _Plan(neurons=200, batch=16, dstd_batch=16, repeat=3, channels=16, size=16, images=4)


def figures(quick: bool = False) -> Iterator[Figure]:
    """Every figure of the layer, as it is measured; `quick` takes small sizes, for trying the benchmark out."""
    torch.set_num_threads(1)
    plan = QUICK if quick else FULL
    yield from _exact_against_published(plan)
    yield from _dstd_against_published(plan)
    yield _against_ode_solver(plan)
    yield from _moment_gain(plan)
    yield from _convolution(plan)
    yield from _gradient_errors(plan)
    yield _single_precision(plan)


def _against_published(case: str, solver: Solver, plan: _Plan, size: dict[str, int], least: tuple[int, int]) -> Iterator[Figure]:
    """Speed and memory. The published form runs once, because it takes long, and ours before and after it."""
    what = f"{plan.neurons} inputs and neurons, batch {size['batch']}, forward and backward"
    step, published = dense_step(solver, **size), dense_step(None, **size)
    step()
    before = [cpu_seconds(step) for _ in range(plan.repeat)]
    theirs = cpu_seconds(published)
    ours = median(before + [cpu_seconds(step) for _ in range(plan.repeat)])
    detail = f"{what}: {ours * 1e3:.0f} ms against {theirs * 1e3:.0f} ms CPU, median of {2 * plan.repeat} around one run"
    yield Figure(f"{case}_speedup_vs_published", theirs / ours, "x", f"at least {least[0]}", detail)
    ours, theirs = (peak_in_fresh_process(one, size) for one in (case, "published"))
    detail = (
        f"{what}: {ours / 2**20:.1f} MiB against {theirs / 2**20:.0f} MiB, peak resident set of a fresh process over its inputs"
    )
    yield Figure(f"{case}_memory_ratio_vs_published", theirs / ours, "x", f"at least {least[1]}", detail)


def _exact_against_published(plan: _Plan) -> Iterator[Figure]:
    yield from _against_published("exact", Exact(), plan, plan.of_exact, (150, 150))
    exact, dstd = (dense_step(solver, **plan.of_exact) for solver in (Exact(), DSTD(10)))
    ours, theirs = _in_turns(exact, dstd, plan.repeat)
    detail = f"{plan.neurons} inputs and neurons, batch {plan.batch}: {ours * 1e3:.0f} ms against {theirs * 1e3:.0f} ms CPU"
    yield Figure("exact_time_vs_dstd10", ours / theirs, "x", "below 1", f"{detail}, medians of {plan.repeat} in turns")


def _dstd_against_published(plan: _Plan) -> Iterator[Figure]:
    yield from _against_published("dstd10", DSTD(10), plan, plan.of_dstd, (20, 100))


def _in_turns(one: Step, other: Step, repeat: int) -> tuple[float, float]:
    """Median CPU seconds of two steps that take turns, so that a busy machine slows both."""
    steps = (one, other)
    for step in steps:
        step()
    times = [[cpu_seconds(step) for step in steps] for _ in range(repeat)]
    return median(pair[0] for pair in times), median(pair[1] for pair in times)


def _against_ode_solver(plan: _Plan) -> Figure:
    """Forward only. The solver's tolerance is the loosest that reaches our error; at the last one it may still miss it."""
    from benchmarks.peers import ode_solver

    t, weight, plus, minus = (x.detach() for x in dense(plan.neurons, plan.neurons, 16))
    by_sign = BySign(plus, minus)
    beta = by_sign.of(weight)
    exact = Exact()(Accumulation(t.double(), weight.double(), by_sign))

    def ours() -> Tensor:
        return Exact()(Accumulation(t, weight, by_sign))

    our_error = _rms(ours() - exact)
    our_time = median(cpu_seconds(ours) for _ in range(plan.repeat))
    for tolerance in TOLERANCES:
        error = _rms(ode_solver.accumulate(t, weight, beta, tolerance) - exact)
        if error <= our_error:
            break
    their_time = cpu_seconds(lambda: ode_solver.accumulate(t, weight, beta, tolerance))
    detail = (
        f"{plan.neurons} inputs and neurons, batch 16, forward: {our_time * 1e3:.1f} ms at an rms error of {our_error:.1e}, "
        f"against {their_time * 1e3:.0f} ms at {error:.1e}, dopri5 with tolerance {tolerance:g}"
    )
    return Figure("exact_speedup_vs_dopri5", their_time / our_time, "x", "at least 100", detail)


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())


def _moment_gain(plan: _Plan) -> Iterator[Figure]:
    """rms error of v(1) with M = 20, over that of M = 10 with the moment term: as many matrix products."""
    for drive in DRIVES:
        phase = _phase_of_drive(plan, drive)
        exact = Exact()(phase)
        plain, moment = (_rms(solver(phase) - exact) for solver in (DSTD(20), DSTD(10, moment=True)))
        detail = (
            f"{plan.neurons} inputs, sum|w|/|E| = {drive}: rms error {plain:.2e} with M = 20, {moment:.2e} with M = 10 and moment"
        )
        name, target = ("moment_error_gain", "at least 5") if drive == 5 else (f"moment_error_gain_drive_{drive}", "")
        yield Figure(name, plain / moment, "x", target, detail)


def _phase_of_drive(plan: _Plan, drive: float) -> Accumulation:
    """In float64; E+ = -E- so that the mean of sum|w|/|E| is the drive."""
    t, weight, _, _ = (x.detach().double() for x in dense(plan.neurons, 100, plan.batch))
    beta = drive / weight.abs().sum(1).mean()
    return Accumulation(t, weight, BySign(beta, -beta))


def _convolution(plan: _Plan) -> Iterator[Figure]:
    what = f"{plan.channels} to {plan.channels} channels, 3x3, {plan.size}x{plan.size}, batch {plan.images}, forward and backward"
    ordinary = convolution_step(None, **plan.of_convolution)
    baseline = peak_in_fresh_process("conv", plan.of_convolution)
    solvers: dict[str, tuple[Solver, str, str]] = {
        "conv": (DSTD(10), "at most 30", "at most 4"),
        "conv_exact": (Exact(), "", ""),
    }
    for name, (solver, time_target, memory_target) in solvers.items():
        ours, theirs = _in_turns(convolution_step(solver, **plan.of_convolution), ordinary, plan.repeat)
        case = "conv_dstd10" if name == "conv" else name
        label = "DSTD M = 10" if name == "conv" else "event walk"
        detail = f"{label}, {what}: {ours * 1e3:.0f} ms against {theirs * 1e3:.1f} ms CPU, medians of {plan.repeat} in turns"
        yield Figure(f"{name}_time_vs_conv", ours / theirs, "x", time_target, detail)
        peak = peak_in_fresh_process(case, plan.of_convolution)
        detail = f"{label}, {what}: {peak / 2**20:.1f} MiB against {baseline / 2**20:.1f} MiB, peak resident set over the inputs"
        yield Figure(f"{name}_memory_vs_conv", peak / baseline, "x", memory_target, detail)


def _gradient_errors(plan: _Plan) -> Iterator[Figure]:
    """Relative rms error of the gradients of M = 10 against the exact ones, for a random functional of v(1)."""
    row = torch.randn(16, 100, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for reversal in REVERSALS:
        t, weight, plus, minus = (x.detach().double() for x in dense(plan.neurons, 100, 16, float(reversal)))
        phase = Accumulation(t.requires_grad_(), weight.requires_grad_(), BySign(plus, minus))
        exact = _gradients(Exact(), phase, row)
        drive = float(weight.detach().abs().sum(1).mean()) / reversal
        for way, solver in WAYS.items():
            detail = f"M = 10, {way}, {plan.neurons} inputs, |E| = {reversal} (drive {drive:.1f})"
            for name, found, expected in zip(("time", "weight"), _gradients(solver, phase, row), exact, strict=True):
                error = float((found - expected).norm() / expected.norm())
                yield Figure(f"{name}_gradient_error_{way}_e{reversal}", error, "", "", detail)


def _gradients(solver: Solver, phase: Accumulation, row: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad((solver(phase) * row).sum(), (phase.t, phase.weight))


def _single_precision(plan: _Plan) -> Figure:
    phase = _phase_of_drive(plan, 12.6)
    single = Exact()(replace(phase, t=phase.t.float(), weight=phase.weight.float()))
    exact = Exact()(phase)
    error = float((single - exact).norm() / exact.norm())
    return Figure("exact_float32_error", error, "", "at most 1e-5", f"relative rms, {plan.neurons} inputs, drive 12.6")
