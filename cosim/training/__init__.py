"""The training library by a name that is nobody else's: `from cosim.training import RCSpike, HardwareModel, train`.

Layers, networks, hardware models, recipes, methods and structures of docs/ml-engineer.md, docs/training.md, docs/solvers.md and
docs/structures.md. Each is imported when it is first used, and none needs a simulator or a PDK.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cosim.version import check_collisions

if TYPE_CHECKING:
    from training.convert import convert
    from training.convolution import RCSpikeConvolution
    from training.data import digits, iris
    from training.data import load as load_data
    from training.evaluation import evaluate
    from training.gain_and_bias import BiasSpike, NeuronGain
    from training.graph import GraphError, load_graph, save_graph
    from training.hardware import TERMS, HardwareModel, HardwareModelError, NormalisedModel, normalise
    from training.hardware_aware.methods import Comparison, Method, run_method
    from training.layer import LayerOutput, RCSpikeLayer
    from training.models import convolutional, fully_connected, ttfs_convolutional
    from training.modules import RCSpike, RCSpikeConv2d, network_of
    from training.network import RCSpikeNetwork
    from training.neurons import lif, ttfs
    from training.neurons.layers import LIFLayer, TTFSLayer
    from training.pooling import AverageSpikePool, EarliestSpikePool
    from training.recipe import Recipe
    from training.solvers.connection import Convolution, Dense
    from training.solvers.reversal import BySign
    from training.solvers.solver import DSTD, Accumulation, Exact, Reference
    from training.structures.code import Compression, load_code, save_code
    from training.structures.network import decode, encode, put_structure, settle
    from training.structures.plan import NAMED as STRUCTURES
    from training.structures.spike_times import with_counters
    from training.trainer import train

_HOME = {
    "training.convert": ("convert",),
    "training.convolution": ("RCSpikeConvolution",),
    "training.data": ("digits", "iris", "load_data"),
    "training.evaluation": ("evaluate",),
    "training.gain_and_bias": ("BiasSpike", "NeuronGain"),
    "training.graph": ("GraphError", "load_graph", "save_graph"),
    "training.hardware": ("TERMS", "HardwareModel", "HardwareModelError", "NormalisedModel", "normalise"),
    "training.hardware_aware.methods": ("Comparison", "Method", "run_method"),
    "training.layer": ("LayerOutput", "RCSpikeLayer"),
    "training.models": ("convolutional", "fully_connected", "ttfs_convolutional"),
    "training.modules": ("RCSpike", "RCSpikeConv2d", "network_of"),
    "training.network": ("RCSpikeNetwork",),
    "training.neurons.lif": ("lif",),
    "training.neurons.ttfs": ("ttfs",),
    "training.neurons.layers": ("LIFLayer", "TTFSLayer"),
    "training.pooling": ("AverageSpikePool", "EarliestSpikePool"),
    "training.recipe": ("Recipe",),
    "training.solvers.connection": ("Convolution", "Dense"),
    "training.solvers.reversal": ("BySign",),
    "training.solvers.solver": ("Accumulation", "DSTD", "Exact", "Reference"),
    "training.structures.code": ("Compression", "load_code", "save_code"),
    "training.structures.network": ("decode", "encode", "put_structure", "settle"),
    "training.structures.plan": ("STRUCTURES",),
    "training.structures.spike_times": ("with_counters",),
    "training.trainer": ("train",),
}
_CALLED = {"load_data": "load", "STRUCTURES": "NAMED"}
"""Names that would say too little here, and what they are at home."""

_MODULES = ("lif", "ttfs")

_PLACE = {name: home for home, names in _HOME.items() for name in names}

__all__ = [  # noqa: RUF022 (by what they are for)
    "HardwareModel", "NormalisedModel", "normalise", "TERMS", "HardwareModelError",
    "RCSpike", "RCSpikeConv2d", "EarliestSpikePool", "AverageSpikePool", "network_of",
    "RCSpikeLayer", "RCSpikeConvolution", "LayerOutput", "NeuronGain", "BiasSpike", "Convolution", "Dense",
    "RCSpikeNetwork", "fully_connected", "convolutional", "convert", "save_graph", "load_graph", "GraphError",
    "TTFSLayer", "LIFLayer", "ttfs", "lif", "ttfs_convolutional",
    "Recipe", "train", "evaluate", "Method", "Comparison", "run_method", "iris", "digits", "load_data",
    "STRUCTURES", "put_structure", "settle", "encode", "decode", "save_code", "load_code", "Compression", "with_counters",
    "Accumulation", "Exact", "DSTD", "Reference", "BySign",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module 'cosim.training' has no attribute {name!r}")
    check_collisions()
    home = importlib.import_module(_PLACE[name])
    return home if name in _MODULES else getattr(home, _CALLED.get(name, name))


def __dir__() -> list[str]:
    return __all__
