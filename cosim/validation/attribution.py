"""What each term of the neuron model is worth: the trained network without it, against the circuit as it was simulated.

Nothing is simulated or trained again: the weights and the circuit's spikes are the same in every row.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.bench.lines import rms
from cosim.simulator import Row
from netlists.network import layer_name
from training.hardware import TERMS
from training.network import RCSpikeNetwork

FloatArray = NDArray[np.float64]

WHOLE = "none"
"""The row of the whole model."""


def attribution_table(network: RCSpikeNetwork, inputs: FloatArray, rows: Sequence[Row], phase_s: float) -> pd.DataFrame:
    """One row per term and layer: rms difference of its spikes (s) from the model without that term.

    `spike_rmse_s`: end to end, the model's own spikes in its next layer; `alone_rmse_s`: each layer behind the circuit's own
    spikes. Terms that change nothing here have no row.

    Args:
        inputs: spike times of the samples, [samples, inputs], in phases.
        rows: what the circuit did with each of them (`cosim.mapping.circuit.network_response`).
    """
    t = torch.as_tensor(inputs, dtype=torch.float64)
    layers = range(1, len(list(network)) + 1)
    circuit = [np.stack([row[f"{layer_name(layer)}_spike_s"] for row in rows]) / phase_s for layer in layers]
    whole = list(_errors(network, t, circuit))
    found = [(WHOLE, *one) for one in whole]
    for term in TERMS:
        errors = list(_errors(without(network, term), t, circuit))
        found += [(term, *one) for one in errors] if errors != whole else []
    table = pd.DataFrame(found, columns=["left_out", "layer", "spike_rmse_s", "alone_rmse_s"])
    return table.assign(**{name: table[name] * phase_s for name in ("spike_rmse_s", "alone_rmse_s")})


def without(network: RCSpikeNetwork, *terms: str) -> RCSpikeNetwork:
    """The same weights on models without some terms; what the cells can do stays."""
    other = copy.deepcopy(network)
    for layer in other:
        layer.bind(layer.model.without(*terms), layer.weight_range)
    return other


@torch.no_grad()
def _errors(network: RCSpikeNetwork, t: Tensor, circuit: Sequence[FloatArray]) -> Iterator[tuple[int, float, float]]:
    """Of each layer, counted from 1: rms error end to end and behind the circuit's own spikes, in phases."""
    before = [t, *(torch.as_tensor(spikes) for spikes in circuit[:-1])]
    end_to_end = network.eval()(t)
    for number, (layer, own, output, spikes) in enumerate(zip(network, before, end_to_end, circuit, strict=True), 1):
        alone = layer(own).spike_times
        yield number, rms(output.spike_times.numpy() - spikes), rms(alone.numpy() - spikes)
