"""What a design can choose from: cells, corners, model sets. Read off the schema, so that the list is never out of date."""

from __future__ import annotations

from cosim.characterize.catalogue import MEASUREMENTS
from netlists.neuron import NEURONS
from netlists.process import DEFAULT_PROCESS, PROCESSES
from netlists.synapse import SYNAPSES
from training.data.names import FEATURES


def catalogue() -> dict[str, dict[str, str]]:
    """Names and one-line descriptions by group: what a design may name there."""
    return {
        "synapse.kind": {kind: _summary(cell.section) for kind, cell in SYNAPSES.items()},
        "neuron.kind": {kind: _summary(cell.section) for kind, cell in NEURONS.items()},
        "network.dataset": {
            **{name: f"{features} features" for name, features in FEATURES.items()},
            "table": "your own CSV or Parquet file, as [network.table] says",
        },
        "sweep.measurements": {name: measurement.what for name, measurement in MEASUREMENTS.items()},
        "process.name": {name: _summary(type(process)) for name, process in PROCESSES.items()},
        **{_of("process.corner", name): dict(process.corners) for name, process in PROCESSES.items()},
        **{
            _of("process.model_set", name): {one: models.what for one, models in process.model_sets.items()}
            for name, process in PROCESSES.items()
        },
    }


def _of(field: str, process: str) -> str:
    """A field whose values are a process's own."""
    return field if process == DEFAULT_PROCESS else f"{field} of {process}"


def _summary(section: type) -> str:
    return " ".join((section.__doc__ or "").split())
