"""The two-gain fix: one gain for all positive weights and one for all negative ones, searched after training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.evaluation import evaluate
from training.network import RCSpikeNetwork

# Each round looks at 5 x 5 gains about the best so far, a finer step apart: 0.39 .. 2.56 at first.
STEPS = (1.6, 1.25, 1.1)
SAMPLES = 500


@dataclass(frozen=True)
class Gains:
    """Factors on the positive and on the negative weights."""

    plus: float = 1.0
    minus: float = 1.0


@contextlib.contextmanager
def with_gains(network: RCSpikeNetwork, gains: Gains) -> Iterator[None]:
    """The network with its weights times the gains, within the range of the cell, for as long as the context lasts."""
    weights = [weight for layer in network for weight in layer.crossbar()]
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            weight.mul_(torch.where(weight >= 0, gains.plus, gains.minus))
        network.project()
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, original in zip(weights, kept, strict=True):
                weight.copy_(original)


def search_gains(
    network: RCSpikeNetwork, t: Tensor, labels: Tensor, classes: int, temperature: float = 0.07, *, seed: int = 0
) -> Gains:
    """The gains of the highest accuracy on the first `SAMPLES` of these (training) samples, the lower cross-entropy at a tie.

    `seed` draws the noise of layers that have it in evaluation: the same noise for all candidates.
    """
    t, labels = t[:SAMPLES], labels[:SAMPLES]

    def worth(gains: Gains) -> tuple[float, float]:
        noise = torch.Generator(t.device).manual_seed(seed)
        with with_gains(network, gains):
            result = evaluate(network, t, labels, classes, generator=noise, keep_layers=False)
        scores = -result.spike_times[:, :classes] / temperature
        return result.accuracy, -float(F.cross_entropy(scores, labels))

    best = Gains()
    for step in STEPS:
        factors = [step**k for k in range(-2, 3)]
        candidates = [Gains(best.plus * plus, best.minus * minus) for plus in factors for minus in factors]
        best = max(candidates, key=worth)
    return best
