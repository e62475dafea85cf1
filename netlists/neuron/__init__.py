"""Neuron cells, one file each: a membrane, what discharges it while the neuron may fire, what makes a spike of its level."""

from netlists.neuron.cell import (
    DISCHARGER_BIAS,
    NEURONS,
    SUBCIRCUITS,
    NeuronCell,
    NeuronNodes,
    NeuronSection,
    SpikeLine,
    neuron,
    neuron_cell,
)

__all__ = [
    "DISCHARGER_BIAS",
    "NEURONS",
    "SUBCIRCUITS",
    "NeuronCell",
    "NeuronNodes",
    "NeuronSection",
    "SpikeLine",
    "neuron",
    "neuron_cell",
]
