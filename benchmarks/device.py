"""On a GPU: its kernels against the CPU, one layer against the published method, and what a training step of the CNN costs.

Times are medians of device events, of what is recorded as a CUDA graph and replayed, as training does; memory is the peak that
torch's allocator gave out over what was held before. The share of the chip's peak is that of its largest product in bfloat16,
measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from benchmarks.accuracy_rows import CIFAR
from benchmarks.figure import Figure
from benchmarks.layer_cases import Step, dense
from benchmarks.operations import BATCH, CELLS, CLASSES, IMAGE
from cosim.errors import CosimError
from training.captured import CudaGraphs, Recorder
from training.data.spikes import SpikeData
from training.evaluation import accuracy
from training.hardware import NormalisedModel
from training.learner import Learner
from training.models import PUBLISHED_CHANNELS, convolutional
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.solvers.connection import AnyConnection, Convolution, Dense
from training.solvers.reversal import BySign
from training.solvers.solver import DSTD, Accumulation, Exact, Solver

PACKAGES = ("torch", "triton")
GRID = 10
"""Cells of the layer that is compared with the published method."""
LAYER = {"inputs": 1000, "outputs": 1000, "batch": 100}
PRODUCT = 8192
"""Size of the square product that the chip's peak is taken from."""
EVALUATED, TRAINED, RECORDED = 200, 4, 12
MOST_ERROR = 1e-4
"""Of the kernels in single precision, over the largest value of each result."""


def figures(quick: bool = False) -> Iterator[Figure]:
    """Every figure, as it is measured; `quick` repeats less. Raises `CosimError` where there is no GPU."""
    if not torch.cuda.is_available():
        raise CosimError("device: torch sees no CUDA device; this benchmark measures one")
    torch.manual_seed(0)
    repeat = 5 if quick else 20
    yield from kernels_against_the_cpu()
    peak = _peak(repeat)
    yield Figure("bfloat16_peak", peak / 1e12, "TFLOP/s", "", f"{torch.cuda.get_device_name()}, product of {PRODUCT}^3")
    yield from _layer(repeat, peak)
    yield from _network(repeat, peak)


def kernels_against_the_cpu(device: str = "cuda") -> Iterator[Figure]:
    """Largest error of v(1) and its gradients over the largest of each, in single precision, against float64 on the CPU.

    With products in full single precision, where torch's default for convolutions on a GPU is a shorter one.
    """
    torch.backends.cudnn.allow_tf32 = False
    solvers: dict[str, Solver] = {"dstd": DSTD(CELLS), "dstd_moment": DSTD(CELLS, moment=True), "exact": Exact()}
    for name, solver in solvers.items():
        for kind, connection in (("dense", Dense()), ("convolution", Convolution(padding=1))):
            error = max(_errors(solver, connection, device))
            detail = f"{device} float32 against CPU float64, v(1) and gradients"
            yield Figure(f"{name}_{kind}_error", error, "", f"at most {MOST_ERROR:g}", detail)
    torch.backends.cudnn.allow_tf32 = True


def _errors(solver: Solver, connection: AnyConnection, device: str) -> Iterator[float]:
    found, expected = (_solved(solver, connection, *place) for place in ((device, torch.float32), ("cpu", torch.float64)))
    for one, other in zip(found, expected, strict=True):
        yield ((one.cpu().double() - other).abs().max() / other.abs().max()).item()


def _solved(solver: Solver, connection: AnyConnection, device: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    g = torch.Generator().manual_seed(0)
    convolved = isinstance(connection, Convolution)
    t = torch.rand((4, 8, 9, 9) if convolved else (16, 72), generator=g, dtype=torch.float64)
    weight = torch.randn((16, 8, 3, 3) if convolved else (16, 72), generator=g, dtype=torch.float64) / 6
    kick = 0.01 * torch.randn(weight.shape, generator=g, dtype=torch.float64)
    bias, leak = 0.2 * torch.rand(2, 16, generator=g, dtype=torch.float64)
    leaves = [x.to(device, dtype).requires_grad_() for x in (t, weight, kick, bias, leak)]
    t, weight, kick, bias, leak = leaves
    beta = BySign(weight.new_tensor(0.3), weight.new_tensor(-0.4))
    v = solver(Accumulation(t, weight, beta, kick, bias=bias, leak=leak, connection=connection))
    return v, *torch.autograd.grad(v.square().sum(), leaves)


def _peak(repeat: int) -> float:
    a, b = (torch.randn(PRODUCT, PRODUCT, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * PRODUCT**3 / _seconds(lambda: a @ b, repeat)


def _layer(repeat: int, peak: float) -> Iterator[Figure]:
    """The published exact form on the same GPU, DSTD in single precision and in bfloat16, and the event walk."""
    from benchmarks.peers import published_exact

    t, weight, plus, minus = leaves = [x.detach().cuda().requires_grad_() for x in dense(**LAYER)]
    grad = torch.randn(LAYER["batch"], LAYER["outputs"], device="cuda")

    def step(accumulate: Callable[[BySign], Tensor], reduced: bool = False) -> Step:
        def run() -> None:
            with torch.autocast("cuda", torch.bfloat16, enabled=reduced):
                v = accumulate(BySign(plus, minus))
            torch.autograd.grad(v, leaves, grad)

        return run

    def solved(solver: Solver) -> Callable[[BySign], Tensor]:
        return lambda beta: solver(Accumulation(t, weight, beta))

    published = step(lambda beta: published_exact.accumulate(t, weight, beta.of(weight)))
    theirs, their_memory = _seconds(_recorded(published), 5), _memory(published)
    what = f"{LAYER['inputs']} inputs and neurons, batch {LAYER['batch']}, forward and backward"
    operations = 3 * 2 * 2 * GRID * LAYER["inputs"] * LAYER["outputs"] * LAYER["batch"]
    cases = {
        "dstd10": step(solved(DSTD(GRID))),
        "dstd10_bfloat16": step(solved(DSTD(GRID)), True),
        "exact": step(solved(Exact())),
    }
    for name, run in cases.items():
        ours, memory = _seconds(_recorded(run), repeat), _memory(run)
        least = ("at least 20", "at least 100") if name.startswith("dstd10") else ("", "")
        detail = f"{what}: {ours * 1e3:.3f} ms against {theirs * 1e3:.1f} ms"
        yield Figure(f"layer_{name}_speedup_vs_published", theirs / ours, "x", least[0], detail)
        detail = f"{what}: {memory / 2**20:.1f} MiB against {their_memory / 2**20:.0f} MiB"
        yield Figure(f"layer_{name}_memory_ratio_vs_published", their_memory / memory, "x", least[1], detail)
        if name.startswith("dstd10"):
            yield Figure(f"layer_{name}_share_of_peak", operations / ours / peak, "", "", f"{what}, products alone counted")


def _network(repeat: int, peak: float) -> Iterator[Figure]:
    """Seconds of a training step of the published CNN and what an epoch takes at that, and of its exact evaluation."""
    macs = _products()
    for steps in (1, CELLS):
        for batch in (BATCH, 4 * BATCH):
            learner = _learner(steps, batch, CudaGraphs())
            rows = torch.arange(batch, device="cuda")
            seconds = _seconds(lambda: learner.step(rows), repeat)  # noqa: B023
            cells = steps + (steps > 1)
            share = 3 * 2 * 2 * cells * macs * batch / seconds / peak
            detail = f"8-layer CNN, M = {steps}, batch {batch}: {seconds * 1e3:.2f} ms a step, {share:.0%} of the peak"
            yield Figure(f"epoch_m{steps}_batch{batch}", 50_000 / batch * seconds, "s", "", detail)
    yield from _captured(repeat)
    network = _cnn(CELLS).cuda()
    network.reset_parameters(torch.Generator("cuda").manual_seed(0), 0.7)
    t = torch.rand(EVALUATED, *IMAGE, device="cuda")
    labels = torch.zeros(EVALUATED, dtype=torch.long, device="cuda")
    accuracy(network, t[:100], labels[:100], CLASSES)
    seconds = _seconds(lambda: accuracy(network, t, labels, CLASSES), 1)
    detail = f"8-layer CNN, {EVALUATED} images: {seconds:.2f} s"
    yield Figure("exact_evaluation", seconds / EVALUATED * 10_000, "s", "", f"{detail}; of 10 000 images")


def _captured(repeat: int) -> Iterator[Figure]:
    """What recording a step changes: its seconds, and its loss over the same steps from the same seed."""
    rows = torch.arange(BATCH, device="cuda")
    eager, recorded = _learner(CELLS, BATCH), _learner(CELLS, BATCH, CudaGraphs())
    steps = [(eager.step, recorded.step)] * RECORDED
    losses = [[float(step(rows)[0]) for step in pair] for pair in steps]
    worst = max(abs(one - other) / one for one, other in losses)
    what = f"8-layer CNN, M = {CELLS}, batch {BATCH}"
    yield Figure("captured_difference", worst, "", "at most 1e-2", f"{what}: loss of {RECORDED} steps, CUDA graph against eager")
    alone, replayed = (_seconds(lambda: step(rows), repeat) for step in steps[0])  # noqa: B023
    yield Figure(
        "captured_speedup", alone / replayed, "x", "", f"{what}: {replayed * 1e3:.2f} ms instead of {alone * 1e3:.2f} ms"
    )


def _cnn(steps: int) -> RCSpikeNetwork:
    model = NormalisedModel.constant(3.3, -3.3)
    options = {"solver": "dstd", "steps": steps, "random_offset": steps > 1, "normalise": True}
    return convolutional(IMAGE, CLASSES, model, **options)  # type: ignore[arg-type]


def _learner(steps: int, batch: int, recorder: Recorder | None = None) -> Learner:
    recipe = Recipe.model_validate({**CIFAR, "batch": batch, "epochs": TRAINED, "precision": "bfloat16"})
    t, labels = torch.rand(batch, *IMAGE), torch.arange(batch) % CLASSES
    data = SpikeData(t, labels, t[:CLASSES], labels[:CLASSES], t[0, 0, :1, 0].numpy(), t[0, 0, :1, 0].numpy(), [], [], IMAGE)
    generator = torch.Generator("cuda").manual_seed(0)
    network = _cnn(steps).cuda().train()
    network.reset_parameters(generator, recipe.initial_spread)
    return Learner(network, data.to(torch.device("cuda")), recipe, generator, recorder=recorder)


def _products() -> int:
    """Multiplications of one image through the published CNN."""
    macs, channels, side = 0, IMAGE[0], IMAGE[1]
    for group in PUBLISHED_CHANNELS:
        for outputs in group:
            macs, channels = macs + 9 * channels * outputs * side**2, outputs
        side //= 2
    return macs + channels * side**2 * 512 + 512 * CLASSES


def _recorded(step: Step) -> Step:
    """A step as a CUDA graph."""
    beside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _seconds(run: Callable[[], object], repeat: int) -> float:
    """Median seconds of a run by the device's own events, after some that compile, fill caches and are recorded."""
    for _ in range(5):
        run()
    times: list[float] = []
    for _ in range(repeat):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return median(times)


def _memory(run: Callable[[], object]) -> int:
    """Bytes given out at the peak of a run, over what was held before it."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
