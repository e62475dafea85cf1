"""What a training step asks of a GPU: operations, bytes moved and waits of the host, counted on meta tensors.

The network is the published one of eight layers, the step that of `training.learner`. Meta tensors have shapes and no numbers, so
a processor counts in seconds what it would compute in minutes; they take the way of a GPU's tensors, all but what is compiled.

An operation is one call that torch dispatches and that computes something: views and allocations are none, a kernel of ours is
one. Its bytes are those of all that it reads and of all that it writes, an expanded axis counted once: no cache saves any. A wait
is an operation whose result the host asks for, or numbers that it brings: the GPU has nothing to do meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.accuracy_rows import CIFAR
from benchmarks.figure import Figure
from training.data.spikes import SpikeData
from training.hardware import NormalisedModel
from training.learner import Learner
from training.models import PUBLISHED_CHANNELS, convolutional
from training.recipe import Recipe

PACKAGES = ("torch",)
IMAGE, CLASSES, BATCH, CELLS = (3, 32, 32), 10, 128, 4
STAGES = ("batch", "forward", "loss", "backward", "optimiser", "projection")

# They compute nothing, as views do.
_NOTHING = {"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "detach", "_unsafe_view"}
# They bring numbers from the host.
_BRINGING = {"tensor", "as_tensor", "new_tensor"}
_ANSWER = 0.25
"""What the host is told that asks for a number: meta tensors have none."""

_SHOWN = 6


@dataclass
class Tally:
    """What a stage of a training step does."""

    operations: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    bytes_moved: Counter[str] = field(default_factory=Counter)


@dataclass
class Tallies:
    """What each stage of a training step does; `stage` is the one at hand, but for what runs backward."""

    stages: dict[str, Tally] = field(default_factory=lambda: {stage: Tally() for stage in STAGES})
    stage: str = STAGES[0]

    @property
    def now(self) -> Tally:
        in_backward = torch._C._current_graph_task_id() != -1
        return self.stages["backward" if in_backward else self.stage]

    @property
    def operations(self) -> int:
        return sum(tally.operations.total() for tally in self.stages.values())

    @property
    def waits(self) -> int:
        return sum(tally.waits.total() for tally in self.stages.values())

    @property
    def bytes_moved(self) -> int:
        return sum(tally.bytes_moved.total() for tally in self.stages.values())


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is dispatched on meta tensors."""

    def __init__(self, tallies: Tallies) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tallies = tallies

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, given = func.overloadpacket.__name__, _tensors((args, kwargs))
        asked = name == "_local_scalar_dense" and given[0].is_meta
        result: Any = _ANSWER if asked else func(*args, **(kwargs or {}))
        if name == "convolution":
            result = _as_laid_out(result, *given[:2])
        made = _tensors(result)
        if not any(x.is_meta for x in (*given, *made)) or func.is_view or name in _NOTHING:
            return result
        tally = self.tallies.now
        tally.operations[name] += 1
        tally.waits[name] += asked or any(x.is_cpu and x.dim() for x in given)
        read = given[1:] if _lends_its_shape(name) else given
        tally.bytes_moved[name] += sum(map(_bytes, [*read, *made, *_overwritten(func, args, kwargs, made)]))
        return result


class _Brought(TorchFunctionMode):
    """Counts numbers of the host that become meta tensors, which no dispatcher sees."""

    def __init__(self, tallies: Tallies) -> None:
        super().__init__()
        self.tallies = tallies

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (name := getattr(func, "__name__", "")) in _BRINGING and result.is_meta:
            self.tallies.now.waits[name] += 1
        return result


def _tensors(of: Any) -> list[Tensor]:
    return [x for x in tree_leaves(of) if isinstance(x, Tensor)]


def _as_laid_out(result: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The result of a convolution as a device lays it out: channels last where those of the image or of the weight are."""
    if any(one.is_contiguous(memory_format=torch.channels_last) for one in (x, weight)):
        return result.to(memory_format=torch.channels_last)
    return result


def _lends_its_shape(name: str) -> bool:
    """Whether the operation does not read its first tensor, or what it overwrites."""
    return name.startswith("new_") or name.endswith("_like") or name in {"copy_", "fill_", "zero_", "uniform_", "normal_"}


def _overwritten(func: Any, args: Any, kwargs: Any, made: list[Tensor]) -> list[Tensor]:
    """Arguments that the operation writes to and does not give back: those of the optimiser's one call for all weights."""
    named = {argument.name: argument.alias_info for argument in func._schema.arguments}
    given = {**dict(zip(named, args, strict=False)), **(kwargs or {})}
    written = _tensors([value for name, value in given.items() if named[name] and named[name].is_write])
    return [x for x in written if not any(x is one for one in made)]


def _bytes(x: Tensor) -> int:
    """Of the elements that there are, an expanded axis counted once."""
    shape = [size for size, stride in zip(x.shape, x.stride(), strict=True) if stride]
    return torch.Size(shape).numel() * x.element_size() if x.numel() else 0


@contextmanager
def counted(tallies: Tallies) -> Iterator[None]:
    """Adds to the tallies what is done on meta tensors while the context lasts."""
    with _Brought(tallies), _Operations(tallies):
        yield


def count_step(
    recipe: Recipe, cells: int = CELLS, batch: int = BATCH, channels: Sequence[Sequence[int]] = PUBLISHED_CHANNELS
) -> Tallies:
    """The second training step of the published network on the GPU's way, DSTD of so many cells with random offset."""
    meta, circuit = torch.device("meta"), NormalisedModel.constant(3.3, -3.3)
    network = convolutional(IMAGE, CLASSES, circuit, channels=channels, solver="dstd", steps=cells, random_offset=True)
    tallies = Tallies()
    with ExitStack() as stack:
        _allow_meta(stack)
        learner = Learner(network.to(meta).train(), _samples(batch).to(meta), recipe, torch.Generator())
        rows = torch.empty(batch, dtype=torch.long, device=meta)
        with counted(Tallies()):
            learner._step(rows)
        for hook in _stages_told(tallies, network):
            stack.callback(hook.remove)
        with counted(tallies):
            learner._step(rows)
    return tallies


def _allow_meta(stack: ExitStack) -> None:
    """Meta tensors where torch has what is asked for and says that it has not: a fused optimiser, and no autocast."""
    stack.enter_context(mock.patch("torch.optim.optimizer._get_fused_kernels_supported_devices", lambda: ["meta"]))
    stack.enter_context(mock.patch("torch.is_autocast_enabled", lambda device=None: False))
    stack.enter_context(mock.patch("torch.autocast", lambda *_, **settings: nullcontext()))


def _stages_told(tallies: Tallies, network: torch.nn.Module) -> Iterator[Any]:
    """Hooks by which the tallies learn which stage of the step is at hand."""

    def tell(stage: str) -> Any:
        def told(*_: Any) -> None:
            tallies.stage = stage

        return told

    yield network.register_forward_pre_hook(tell("forward"))
    yield network.register_forward_hook(tell("loss"))
    yield register_optimizer_step_pre_hook(tell("optimiser"))
    yield register_optimizer_step_post_hook(tell("projection"))


def _samples(count: int) -> SpikeData:
    t, labels = torch.zeros(count, *IMAGE), torch.arange(count) % CLASSES
    rows = list(range(count))
    return SpikeData(t, labels, t, labels, t[:1, 0, 0, 0].numpy(), t[:1, 0, 0, 0].numpy(), rows, rows, IMAGE)


def figures(quick: bool) -> Iterator[Figure]:
    """Operations, bytes and waits of one step, whole and by its stages; it takes seconds, so `quick` changes nothing."""
    tallies = count_step(Recipe.model_validate(CIFAR))
    what = f"8-layer CNN, M = {CELLS}, batch {BATCH}, meta tensors"
    yield Figure("operations", tallies.operations, "", "at most 400", what)
    yield Figure("bytes_moved", tallies.bytes_moved / 1e9, "GB", "at most 12", what)
    yield Figure("waits", tallies.waits, "", "0", what)
    for stage, tally in tallies.stages.items():
        yield Figure(f"operations.{stage}", tally.operations.total(), "", "", _most(tally.operations))
        yield Figure(f"bytes_moved.{stage}", tally.bytes_moved.total() / 1e9, "GB", "", _most(tally.bytes_moved, 1e9))
        yield Figure(f"waits.{stage}", tally.waits.total(), "", "", _most(tally.waits))


def _most(counts: Counter[str], unit: float = 1) -> str:
    return ", ".join(f"{name} {count / unit:.3g}" for name, count in (+counts).most_common(_SHOWN))
