"""Synapse cells, one file each: what hangs a current of a given weight on a membrane while a spike line is high."""

from netlists.synapse.cell import (
    SIGNS,
    SYNAPSES,
    Sign,
    SynapseCell,
    SynapseNodes,
    SynapseSection,
    SynapseSetting,
    synapse,
    synapse_cell,
)

__all__ = [
    "SIGNS",
    "SYNAPSES",
    "Sign",
    "SynapseCell",
    "SynapseNodes",
    "SynapseSection",
    "SynapseSetting",
    "synapse",
    "synapse_cell",
]
