"""A trained network in places of its own: what its model says of spikes there."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.hardware import HardwareModel, LayerPlaces, columns_of_layers, normalise
from training.network import RCSpikeNetwork
from training.shapes import Crossbar

FloatArray = NDArray[np.float64]


def on_places(
    network: RCSpikeNetwork, hardware: HardwareModel, crossbars: Sequence[Crossbar], places: Sequence[LayerPlaces]
) -> RCSpikeNetwork:
    """The same weights in other places."""
    known = copy.deepcopy(network)
    models = columns_of_layers(hardware.model_copy(update={"places": tuple(places)}), crossbars)
    known.bind([normalise(model) for model in models])
    return known.double().eval()


def but(place: LayerPlaces, **parts: object) -> LayerPlaces:
    """The same places with other parts; arrays as lists."""
    return LayerPlaces(**{**place.model_dump(), **parts})


def spikes(network: RCSpikeNetwork, times: torch.Tensor) -> list[FloatArray]:
    """Of each layer, [samples, neurons], in phases."""
    with torch.no_grad():
        return [layer.spike_times.numpy() for layer in network(times)]
