"""Layers of the neurons that need no phases: time to first spike, and leaky integrate-and-fire. Dense or convolutional."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.neurons import lif, ttfs
from training.neurons.ttfs import FirstSpikes
from training.solvers.connection import Connection, Dense


class _Crossbar(nn.Module):
    """Weights [out, in, *kernel] behind a connection; `weight` is the only parameter."""

    def __init__(self, inputs: int, outputs: int, connection: Connection | None, kernel: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, *kernel))
        self.connection = connection or Dense()

    def reset_parameters(self, generator: torch.Generator, largest: float = 5.0) -> None:
        """Draw the weights from U(0, largest/inputs of a neuron): shifted to the positive side, so that every neuron can fire."""
        with torch.no_grad():
            self.weight.uniform_(0.0, largest / self.weight[0].numel(), generator=generator)

    def _rows(self, t: Tensor, never: float) -> Tensor:
        """What each neuron sees, a row each."""
        return self.connection.patches(t.to(self.weight.dtype), self.weight, never)


class TTFSLayer(_Crossbar):
    """Neurons that fire once, when the membrane of `training.neurons.ttfs` crosses the threshold.

    Takes spike times [batch, in], or [batch, in, height, width] behind a convolution, in units of the input window.

    Args:
        inputs, outputs: of the crossbar, or channels.
        e_plus, e_minus: reversal potentials, E+ > 0 > E-, in thresholds; inf for none.
        horizon: spike time of a silent neuron; an input at the horizon or later never arrives.
        connection, kernel: `Convolution(...)` and the two axes of its window for a convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        e_plus: float = torch.inf,
        e_minus: float = -torch.inf,
        horizon: float = 4.0,
        connection: Connection | None = None,
        kernel: tuple[int, ...] = (),
    ) -> None:
        super().__init__(inputs, outputs, connection, kernel)
        if not e_plus > 0.0 > e_minus:
            raise ValueError(f"e_plus, e_minus: {e_plus}, {e_minus}; need E+ > 0 > E-")
        self.e_plus, self.e_minus, self.horizon = e_plus, e_minus, horizon

    def forward(self, t: Tensor) -> FirstSpikes:
        """Spike times and the weights that arrived before them, each [batch, out] or [batch, out, height', width']."""
        beta = torch.where(self.weight >= 0.0, 1.0 / self.e_plus, 1.0 / self.e_minus)
        rows = ttfs.first_spikes(self._rows(t, self.horizon), self.weight.flatten(1), beta.flatten(1), horizon=self.horizon)
        return FirstSpikes(*(self.connection.image(x, t, self.weight) for x in rows))


class LIFLayer(_Crossbar):
    """Leaky integrate-and-fire neurons that fire at most once, within a window of their layer (`training.neurons.lif`).

    Takes and gives spike times as `TTFSLayer` does; a silent neuron has the end of the window, which the next layer has to take
    for a spike that never comes: let its own window end there or earlier, or shift the times.

    Args:
        inputs, outputs: of the crossbar, or channels.
        tau_membrane, tau_synapse: time constants, in units of the input window.
        window: when the neurons may spike.
        connection, kernel: `Convolution(...)` and the two axes of its window for a convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        tau_membrane: float = 1.0,
        tau_synapse: float = 0.5,
        window: tuple[float, float] = (0.0, 1.0),
        connection: Connection | None = None,
        kernel: tuple[int, ...] = (),
    ) -> None:
        super().__init__(inputs, outputs, connection, kernel)
        self.tau_membrane, self.tau_synapse, self.window = tau_membrane, tau_synapse, window

    def forward(self, t: Tensor) -> Tensor:
        """Spike times, [batch, out] or [batch, out, height', width']."""
        rows = lif.first_spikes(
            self._rows(t, self.window[1]), self.weight.flatten(1),
            tau_membrane=self.tau_membrane, tau_synapse=self.tau_synapse, window=self.window,
        )  # fmt: skip
        return self.connection.image(rows, t, self.weight)
