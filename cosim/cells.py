"""What a design can choose from: cells, corners, model sets. Read off the schema, so that the list is never out of date."""

from __future__ import annotations

from typing import get_args

from cosim.characterize.measurements import MEASUREMENTS
from cosim.design import Design, Network
from netlists.dimensions import NeuronDimensions, Section
from sky130_models.corners import Corner, ModelSet

_CORNERS = {
    "tt": "typical",
    "ff": "fast NMOS, fast PMOS",
    "ss": "slow NMOS, slow PMOS",
    "sf": "slow NMOS, fast PMOS",
    "fs": "fast NMOS, slow PMOS",
    "hh": "typical transistors, high R, high C",
    "hl": "typical transistors, high R, low C",
    "lh": "typical transistors, low R, high C",
    "ll": "typical transistors, low R, low C",
}
_MODEL_SETS = {"continuous": "what open_pdks installs", "binned": "the micro-binned models of the foundry deck"}


def synapses() -> dict[str, type[Section]]:
    """Dimensions of each synapse cell by the `kind` that chooses it."""
    kinds: tuple[type[Section], ...] = get_args(Design.model_fields["synapse"].annotation)
    return {str(kind.model_fields["kind"].default): kind for kind in kinds}


def catalogue() -> dict[str, dict[str, str]]:
    """Names and one-line descriptions by group: synapse (synapse.kind), neuron, network, corner, model_set."""
    network = Network()
    return {
        "synapse.kind": {kind: _summary(dimensions) for kind, dimensions in synapses().items()},
        "neuron": {"rc_spike": _summary(NeuronDimensions)},
        "network.dataset": {
            network.dataset: f"{network.inputs}-{network.hidden}-{network.outputs} unless the design says otherwise"
        },
        "sweep.measurements": {name: measurement.what for name, measurement in MEASUREMENTS.items()},
        "process.corner": {str(corner): _CORNERS[corner] for corner in Corner},
        "process.model_set": {str(model_set): _MODEL_SETS[model_set] for model_set in ModelSet},
    }


def _summary(section: type[Section]) -> str:
    return " ".join((section.__doc__ or "").split())
