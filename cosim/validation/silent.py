"""Which neurons need no simulation, because the model calls them silent by a margin; a random share is simulated all the same."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.validation.tables import ODE, nominal
from training.evaluation import Evaluation
from training.network import RCSpikeNetwork

BoolArray = NDArray[np.bool_]

MARGIN = 0.05
"""Phases after the end of theirs at which silent neurons would fire at the earliest. Closer to its threshold a neuron that stays
silent moves its complement line; and model and circuit are fifty times closer than that."""

CHECKED_SHARE = 0.05
"""Of the neurons that are called silent these are simulated all the same."""


@torch.no_grad()
def surely_silent(network: RCSpikeNetwork, t: Tensor, model: Evaluation) -> list[BoolArray]:
    """Of each layer [samples, neurons]: whether a neuron would fire `MARGIN` after its phase or later, if that went on.

    Args:
        t: spike times of the inputs, [samples, inputs], in phases.
        model: what the network does with them.
    """
    patient = copy.deepcopy(network).eval()
    for layer in patient:
        layer.open_ended = True
        layer.bind(layer.model, layer.weight_range)
    before = [t, *(output.spike_times for output in model.layers[:-1])]
    return [(layer(own).spike_times > 1.0 + MARGIN).numpy() for layer, own in zip(patient, before, strict=True)]


def left_out(silent: list[BoolArray], sample: int) -> list[BoolArray]:
    """Of each layer [neurons]: which are not simulated in a sample. The checked share is drawn for the sample: it is always the
    same."""
    random = np.random.default_rng(sample)
    return [own[sample] & (random.random(own.shape[1]) >= CHECKED_SHARE) for own in silent]


def silent_metrics(spikes: pd.DataFrame, silent: list[BoolArray], phase_s: float) -> dict[str, float]:
    """How many neurons were not simulated, over all samples, as a number and as a share; how many were called silent and
    simulated all the same, and how many of these fired. Nothing where all were simulated.

    Args:
        spikes: `cosim.validation.tables.spike_table`.
        silent: `surely_silent`.
    """
    if not silent:
        return {}
    own = nominal(spikes[spikes.mapping == ODE])
    called = np.array([silent[row.layer - 1][row.sample, row.neuron] for row in own.itertuples()], dtype=bool)
    simulated = own.simulated.to_numpy() == 1
    checked = own.circuit_spike_s.to_numpy()[called & simulated]
    return {
        "validation.silent_skipped": float((~simulated).sum()),
        "validation.silent_skipped_share": float((~simulated).mean()),
        "validation.silent_checked": float(len(checked)),
        "validation.silent_checked_firing": float((checked < phase_s).sum()),
    }
