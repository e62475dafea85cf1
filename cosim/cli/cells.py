"""What a design can choose from: cells, corners, model sets. Read off the schema, so that the list is never out of date."""

from __future__ import annotations

from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design.sections import Network
from netlists.neuron import NEURONS
from netlists.process import PROCESSES
from netlists.synapse import SYNAPSES


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
        "process.corner": {corner: what for process in PROCESSES.values() for corner, what in process.corners.items()},
        "process.model_set": {name: one.what for process in PROCESSES.values() for name, one in process.model_sets.items()},
    }


def _summary(section: type) -> str:
    return " ".join((section.__doc__ or "").split())
