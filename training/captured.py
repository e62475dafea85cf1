"""A training step as one CUDA graph: recorded once and replayed on other samples, so that no GPU waits to be told what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from itertools import chain
from typing import Protocol, TypeAlias

import torch
from torch import Tensor, nn

Results: TypeAlias = tuple[Tensor, Tensor]
Step: TypeAlias = Callable[[Tensor], Results]

WARM_UP = 3
"""Steps of a kind before it is recorded: libraries choose their kernels, and the optimiser makes its state."""


class CaptureRefused(Exception):
    """A step cannot be recorded: something in it asks for a number, or is no operation of the device."""


class Recorder(Protocol):
    """How a device records what it is asked to do."""

    def aside(self, run: Callable[[], Results]) -> Results:
        """Run it as it is run before a recording."""
        ...

    def record(self, run: Callable[[], Results], generator: torch.Generator) -> Callable[[], Results]:
        """What does the same again, and gives the same tensors with new numbers in them; draws go on. Does not run it.

        Raises `CaptureRefused`, and leaves all as it was.
        """
        ...


class CudaGraphs:
    """Records CUDA graphs (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs)."""

    def __init__(self) -> None:
        self._beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def aside(self, run: Callable[[], Results]) -> Results:
        """On another stream than the default one, which no recording may wait for."""
        here = torch.cuda.current_stream()
        self._beside.wait_stream(here)
        with torch.cuda.stream(self._beside):
            results = run()
        here.wait_stream(self._beside)
        for one in results:
            one.record_stream(here)
        return results

    def record(self, run: Callable[[], Results], generator: torch.Generator) -> Callable[[], Results]:
        """See `Recorder`."""
        before, graph = generator.get_state(), torch.cuda.CUDAGraph()
        graph.register_generator_state(generator)
        try:
            # A recording that fails leaves its own stream current; the outer context takes it away.
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
                results = run()
        except Exception as error:
            # ... and the generator in the middle of it.
            fresh = torch.Generator(generator.device)
            fresh.set_state(before)
            generator.graphsafe_set_state(fresh)
            raise CaptureRefused(str(error).partition("\n")[0]) from error

        def replay() -> Results:
            graph.replay()
            return results

        return replay


class CapturedStep:
    """A step that is recorded after a few calls and replayed from then on; recorded anew where what it holds fixed changes.

    The results of a replay are valid until the next. Mini-batches of another size are run as they are. Where a step cannot be
    recorded that is said once, and all are.

    Args:
        step: rows of samples to two tensors; all else that it reads from one call to the next lies in tensors that stay.
        batch: rows of a mini-batch that is recorded.
        fixed: what a recording holds fixed, which is compared before each step.
        generator: of all that the step draws.
    """

    def __init__(
        self, step: Step, batch: int, fixed: Callable[[], Hashable], generator: torch.Generator, recorder: Recorder
    ) -> None:
        self._step, self._fixed, self._generator = step, fixed, generator
        self._recorder: Recorder | None = recorder
        self._rows = torch.zeros(batch, dtype=torch.long, device=generator.device)
        self._held: Hashable = None
        self._calls = 0
        self._replay: Callable[[], Results] | None = None

    def __call__(self, rows: Tensor) -> Results:
        if self._recorder is None:
            return self._step(rows)
        if len(rows) != len(self._rows):
            return self._recorder.aside(lambda: self._step(rows))
        if (held := self._fixed()) != self._held:
            self._held, self._calls, self._replay = held, 0, None
        if self._calls < WARM_UP:
            self._calls += 1
            return self._recorder.aside(lambda: self._step(rows))
        self._rows.copy_(rows)
        if self._replay is None:
            try:
                self._replay = self._recorder.record(lambda: self._step(self._rows), self._generator)
            except CaptureRefused as error:
                warnings.warn(f"the training step is no CUDA graph and goes on operation by operation: {error}", stacklevel=2)
                self._recorder = None
                return self._step(rows)
        return self._replay()


def fixed_of(network: nn.Module) -> Hashable:
    """What a recording of a network holds fixed: where its tensors lie, and what its modules hold that is in no tensor.

    The latter are numbers, words and switches, by which one step differs from another.
    """
    told = [vars(module).items() for module in network.modules()]
    plain = tuple((name, value) for own in told for name, value in own if isinstance(value, bool | int | float | str))
    return plain, tuple(one.data_ptr() for one in chain(network.parameters(), network.buffers()))
