"""The cells that a design asks for."""

from __future__ import annotations

from cosim.design.design import Design
from netlists.crossbar import Cells
from netlists.neuron import neuron_cell
from netlists.synapse import synapse_cell


def cells_of(design: Design, discharger_bias_v: float | None = None, input_lead_s: float = 0.0) -> Cells:
    """The cells of a design in its process; without a bias the dischargers sit in the middle of their range."""
    synapse = synapse_cell(design.synapse, design.technology, design.process.supply_v)
    neuron = neuron_cell(design.neuron, design.technology)
    middle_v = sum(design.neuron.discharger_bias_v) / 2
    bias_v = middle_v if discharger_bias_v is None else discharger_bias_v
    return Cells(synapse, neuron, design.timing, design.process.supply_v, bias_v, input_lead_s)
