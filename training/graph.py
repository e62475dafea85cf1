"""A trained network as a document: a graph of nodes in JSON, with reversal potentials and units, for other programs too.

Laid out as NIR graphs are: nodes by name, and edges. A node `RCSpike` holds what the neuron equation of docs/physics.md needs;
every key is in docs/ml-engineer.md.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.errors import TrainingError
from training.files import DIGEST, content_digest, read_json, why, write_whole
from training.hardware import FloatArray, HardwareModel, NormalisedModel, NormalisedPlaces
from training.hardware.normalised import NormalisedSynapse
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.solvers.connection import Dense

FORMAT, VERSION = "cosim-rc-spike-graph", 1

UNITS = {
    "time": "phase",
    "membrane": "threshold above rest",
    "weight": "threshold per phase",
    "e_rev": "threshold above rest",
}
"""Of the numbers in the nodes; `scale` of the document says what they are in SI."""

_OPTIONS = ("membrane_leak", "spike_delay", "fan_out")


class GraphError(TrainingError):
    """A network that no graph can hold, or a file that holds none. One line: file, node, what is wrong."""


def save_graph(path: Path | str, network: RCSpikeNetwork, hardware: HardwareModel | None = None) -> None:
    """Write a network of dense layers, its weights as the cells do them.

    Args:
        path: of the JSON file.
        network: gains of neurons are folded into the weights.
        hardware: what it is built in; with it the file says what a phase, a threshold and a weight are in SI.

    Raises `GraphError`: a convolution, a pooling, or mismatch that was drawn; or a file that cannot be written.
    """
    content = {"format": FORMAT, "version": VERSION, "units": UNITS, "scale": _scale(hardware), **_graph(network)}
    text = json.dumps({**content, DIGEST: content_digest(content)}, indent=1, allow_nan=False) + "\n"
    try:
        write_whole(Path(path), text.encode())
    except OSError as error:
        raise GraphError(f"{path}: cannot be written: {why(error)}") from error


def load_graph(path: Path | str) -> RCSpikeNetwork:
    """The network of such a file, which computes what the one that was saved does, bit by bit. Raises `GraphError`."""
    try:
        content = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise GraphError(f"{path}: cannot be read: {why(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise GraphError(f"{path}: format: is not {FORMAT!r}; give a file that save_graph wrote")
    if content.get("version") != VERSION:
        raise GraphError(f"{path}: version: {content.get('version')} is not {VERSION}, the one that is read here")
    digest = content.pop(DIGEST, None)
    if digest is not None and digest != content_digest(content):
        raise GraphError(f"{path}: {DIGEST}: the content is not what it was when the file was written")
    try:
        return _network(content)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise GraphError(f"{path}: {reason}") from error


def _scale(hardware: HardwareModel | None) -> dict[str, float] | None:
    """What the units are in SI."""
    if hardware is None:
        return None
    return {
        "phase_s": hardware.phase_s,
        "threshold_v": hardware.neuron.v_th_v,
        "capacitance_f": hardware.neuron.capacitance_f,
        "weight_a": hardware.unit_current_a,
    }


def _graph(network: RCSpikeNetwork) -> dict[str, Any]:
    names = [f"layer_{number + 1}" for number in range(len(network.layers))]
    nodes = {name: _node(name, layer) for name, layer in zip(names, network.layers, strict=True)}
    first, last = network.sizes[0], network.sizes[-1]
    chain = ["input", *names, "output"]
    return {
        "nodes": {"input": {"type": "Input", "shape": [first]}, **nodes, "output": {"type": "Output", "shape": [last]}},
        "edges": [list(pair) for pair in pairwise(chain)],
    }


def _node(name: str, layer: Any) -> dict[str, Any]:
    if not isinstance(layer, RCSpikeLayer) or not isinstance(layer.connection, Dense):
        raise GraphError(f"{name}: {type(layer).__name__} is no dense layer of neurons, and the graph holds no others")
    if layer.variation or layer.bias_variation or layer.neuron_variation or getattr(layer, "links", None) is not None:
        raise GraphError(
            f"{name}: has mismatch or wiring of its own, which the graph does not hold; save the network as designed"
        )
    weight, bias = layer.effective_weight().detach(), layer.bias_weight()
    return {
        "type": "RCSpike",
        "dtype": str(weight.dtype).removeprefix("torch."),
        "weight": weight.tolist(),
        "e_rev": _reversal(layer.model, weight.double().numpy()),
        "bias_weight": None if bias is None else bias.detach().tolist(),
        **{option: getattr(layer, option) for option in _OPTIONS},
        "neuron": _written(asdict(layer.model)),
    }


def _reversal(model: NormalisedModel, weight: FloatArray) -> list[list[float | str | None]]:
    """E of each synapse, in thresholds above rest; None for one that is off."""

    def one(value: float) -> float | str | None:
        if value == 0:
            return None
        side = model.plus if value > 0 else model.minus
        beta = float(np.interp(abs(value), side.magnitude, side.beta))
        return _number(1 / beta if beta else math.copysign(math.inf, value))

    return [[one(value) for value in row] for row in weight.tolist()]


def _number(value: float) -> float | str:
    """As JSON can hold it, which knows no infinity."""
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _written(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | tuple | list):
        return [_written(one) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    return _number(value) if isinstance(value, float) else value


def _network(content: dict[str, Any]) -> RCSpikeNetwork:
    order, nodes = _in_order(content), content["nodes"]
    layers = [_layer(name, nodes[name]) for name in order]
    sizes = (layers[0].weight.shape[1], *(len(layer.weight) for layer in layers))
    for name, layer, inputs in zip(order, layers, sizes, strict=False):
        if layer.weight.shape[1] != inputs:
            raise ValueError(f"{name}: weight: takes {layer.weight.shape[1]} inputs, and {inputs} come")
    return RCSpikeNetwork.of(sizes, layers)


def _in_order(content: dict[str, Any]) -> list[str]:
    """Names of the layers from the input to the output. Raises ValueError for a graph that is no chain."""
    following = {str(source): str(target) for source, target in content["edges"]}
    order, name = list[str](), "input"
    while (name := following.get(name, "")) != "output":
        if not name or name in order:
            raise ValueError("edges: do not lead from input to output, layer by layer")
        order.append(name)
    if not order or len(order) + 1 != len(content["edges"]):
        raise ValueError("edges: are no chain of layers")
    return order


def _layer(name: str, node: dict[str, Any]) -> RCSpikeLayer:
    if node["type"] != "RCSpike":
        raise ValueError(f"{name}: type: {node['type']!r} is not RCSpike, the only one that is read")
    dtype = {"float32": torch.float32, "float64": torch.float64}[node["dtype"]]
    weight = torch.tensor(node["weight"], dtype=dtype)
    if weight.ndim != 2 or not weight.isfinite().all():
        raise ValueError(f"{name}: weight: must be finite numbers [out, in]")
    biased = node["bias_weight"] is not None
    options = {option: node[option] for option in _OPTIONS}
    layer = RCSpikeLayer(weight.shape[1], weight.shape[0], _model(node["neuron"]), bias=biased, **options).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.weight.copy_(torch.tensor(node["bias_weight"], dtype=dtype))
    return layer.eval()


def _model(record: dict[str, Any]) -> NormalisedModel:
    known = {field.name for field in fields(NormalisedModel)}
    if unknown := sorted(record.keys() - known):
        raise ValueError(f"neuron.{unknown[0]}: is not known here; the file may be of a newer cosim")
    values = {name: _read(value) for name, value in record.items()}
    synapses = {
        sign: NormalisedSynapse(**{key: _read(value) for key, value in record[sign].items()}) for sign in ("plus", "minus")
    }
    places = record.get("places") and NormalisedPlaces(**{key: np.array(value) for key, value in record["places"].items()})
    linear_range = tuple(_read(record["linear_range"]).tolist())
    return NormalisedModel(**{**values, **synapses, "linear_range": linear_range, "places": places})


def _read(value: Any) -> Any:
    """Numbers, or arrays of them, with infinities again."""
    if isinstance(value, list):
        return np.array([float(one) for one in value])
    return float(value) if value in ("inf", "-inf") else value
