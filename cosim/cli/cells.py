"""What a design can choose from: cells, corners, model sets. Read off the schema, so that the list is never out of date."""

from __future__ import annotations

from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design.sections import Network
from netlists.neuron import NEURONS
from netlists.process import PROCESSES
from netlists.synapse import SYNAPSES
from sky130_models.corners import Corner, ModelSet

_FETS = {
    "tt": "typical transistors",
    "ff": "fast NMOS, fast PMOS",
    "ss": "slow NMOS, slow PMOS",
    "sf": "slow NMOS, fast PMOS",
    "fs": "fast NMOS, slow PMOS",
}
_PASSIVES = {"": "", "hh": ", high R, high C", "hl": ", high R, low C", "lh": ", low R, high C", "ll": ", low R, low C"}
_MODEL_SETS = {"continuous": "what open_pdks installs", "binned": "the micro-binned models of the foundry deck"}


def catalogue() -> dict[str, dict[str, str]]:
    """Names and one-line descriptions by group: what a design may name there."""
    network = Network()
    return {
        "synapse.kind": {kind: _summary(cell.section) for kind, cell in SYNAPSES.items()},
        "neuron.kind": {kind: _summary(cell.section) for kind, cell in NEURONS.items()},
        "network.dataset": {
            network.dataset: f"{network.inputs}-{network.hidden}-{network.outputs} unless the design says otherwise"
        },
        "sweep.measurements": {name: measurement.what for name, measurement in MEASUREMENTS.items()},
        "process.name": {name: _summary(type(process)) for name, process in PROCESSES.items()},
        "process.corner": {str(corner): _corner(corner) for corner in Corner},
        "process.model_set": {str(model_set): _MODEL_SETS[model_set] for model_set in ModelSet},
    }


def _corner(corner: Corner) -> str:
    fets, passives = corner.devices
    return f"{_FETS[fets]}{_PASSIVES[passives]}"


def _summary(section: type) -> str:
    return " ".join((section.__doc__ or "").split())
