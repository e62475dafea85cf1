"""Synapse cells, one file each: what hangs a current of a given weight on a membrane while a spike line is high."""

from __future__ import annotations

from netlists.synapse.binary_weighted import BinaryWeightedSynapse
from netlists.synapse.cascode import CascodeSynapse
from netlists.synapse.cell import SIGNS, Sign, SynapseCell, SynapseNodes, SynapseSetting
from netlists.synapse.current_source import CurrentSourceSynapse
from netlists.synapse.from_netlist import NetlistSynapse
from netlists.synapse.resistive import ResistiveSynapse, TransmissionGateSynapse
from netlists.synapse_dimensions import (
    BinaryWeightedDimensions,
    CascodeDimensions,
    CurrentSourceDimensions,
    NetlistDimensions,
    ResistiveDimensions,
    SynapseDimensions,
)

__all__ = [
    "SIGNS",
    "BinaryWeightedSynapse",
    "CascodeSynapse",
    "CurrentSourceSynapse",
    "NetlistSynapse",
    "ResistiveSynapse",
    "Sign",
    "SynapseCell",
    "SynapseNodes",
    "SynapseSetting",
    "TransmissionGateSynapse",
    "synapse_cell",
]


def synapse_cell(dimensions: SynapseDimensions, supply_v: float) -> SynapseCell:
    """The synapse cell that a design asks for."""
    match dimensions:
        case CurrentSourceDimensions():
            return CurrentSourceSynapse(dimensions, supply_v)
        case CascodeDimensions():
            return CascodeSynapse(dimensions, supply_v)
        case BinaryWeightedDimensions():
            return BinaryWeightedSynapse(dimensions)
        case ResistiveDimensions():
            return ResistiveSynapse(dimensions)
        case NetlistDimensions():
            return NetlistSynapse(dimensions, supply_v)
    return TransmissionGateSynapse(dimensions)
