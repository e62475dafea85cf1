"""Which test samples are simulated: the first ones, or those that the model is least sure of and some at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cosim.design.sections import Validation
from training.data.spikes import SpikeData
from training.evaluation import evaluate
from training.network import RCSpikeNetwork

SEED = 0
"""Of the samples at random: a design always gets the same."""


def chosen(data: SpikeData, network: RCSpikeNetwork, settings: Validation) -> SpikeData:
    """The data with the test samples that are simulated alone, `settings.samples` of them.

    Where `settings.hardest` is not 0, so many come first whose earliest two spikes are closest in the model; the others are drawn
    at random, in the order of the test set.
    """
    if not settings.hardest:
        return _only(data, np.arange(settings.samples))
    sure = np.abs(evaluate(network, data.test_t, data.test_labels, data.classes, keep_layers=False).margins.numpy())
    hardest = np.argsort(sure, kind="stable")[: min(settings.hardest, settings.samples)]
    others = np.setdiff1d(np.arange(len(sure)), hardest)
    drawn = np.random.default_rng(SEED).choice(others, settings.samples - len(hardest), replace=False)
    return _only(data, np.concatenate([hardest, np.sort(drawn)]))


def _only(data: SpikeData, samples: np.ndarray) -> SpikeData:
    rows = [data.test_rows[sample] for sample in samples]
    return replace(data, test_t=data.test_t[samples], test_labels=data.test_labels[samples], test_rows=rows)
