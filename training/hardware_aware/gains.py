"""The two-gain fix: one gain for all positive weights and one for all negative ones, searched after training."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.evaluation import evaluate
from training.network import RCSpikeNetwork

# Each round looks at 5 x 5 gains about the best so far, ever closer: steps of both together, and of one over the other, which
# has to be finer: it says how far the currents of the two signs are apart.
STEPS = ((1.6, 1.2), (1.25, 1.07), (1.1, 1.03))
SAMPLES, PART = 10_000, 500
"""Samples that decide, and of a part of them: 500 alone choose gains that lose up to 0.9 points on the test set."""

# So many parts the candidates meet in turn, and a third of them the next: what is far off needs few samples to show it.
PARTS_MET = (1, 4, SAMPLES // PART)


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

    Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943) in rounds of finer and finer gains; no worse on all of the
    samples than no gains. `seed` draws the noise of layers that have it in evaluation: the same noise for all candidates.
    """
    parts = list(zip(torch.split(t[:SAMPLES], PART), torch.split(labels[:SAMPLES], PART), strict=True))

    @functools.cache
    def worth_on(gains: Gains, part: int) -> tuple[int, float]:
        noise = torch.Generator(t.device).manual_seed(seed + part)
        with with_gains(network, gains):
            result = evaluate(network, *parts[part], classes, generator=noise, keep_layers=False)
        scores = -result.spike_times[:, :classes] / temperature
        return int((result.margins > 0).sum()), -float(F.cross_entropy(scores, parts[part][1], reduction="sum"))

    def better(candidates: list[Gains], met: int) -> list[Gains]:
        """The candidates, the best on so many parts first."""
        worth = {
            gains: tuple(map(sum, zip(*(worth_on(gains, part) for part in range(met)), strict=True))) for gains in candidates
        }
        return sorted(candidates, key=worth.__getitem__, reverse=True)

    best = Gains()
    for step, ratio in STEPS:
        factors = [(step**i * ratio**k, step**i / ratio**k) for i in range(-2, 3) for k in range(-2, 3)]
        candidates = [Gains(best.plus * plus, best.minus * minus) for plus, minus in factors]
        for met in PARTS_MET:
            candidates = better(candidates, min(met, len(parts)))[: math.ceil(len(candidates) / 3)]
        best = candidates[0]
    return better([Gains(), best], len(parts))[0]
