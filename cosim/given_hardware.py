"""A hardware model from elsewhere, such as that of measured silicon, in the place of a characterisation.

A run directory that was given one keeps it: later commands on it train, map and validate with it, and characterise nothing.
"""

from __future__ import annotations

from pathlib import Path

from cosim.design import Design
from cosim.errors import InputError
from training.hardware import HardwareModel


def read_given(path: Path, design: Design) -> HardwareModel:
    """The model in a file. Raises `InputError` where it is not of the design's circuit, `HardwareModelError` where it is none."""
    hardware, synapses = HardwareModel.load(path), max(design.network.inputs, design.network.hidden)
    if hardware.cell != design.synapse.kind:
        raise InputError(f"{path}: cell: is {hardware.cell}, synapse.kind of the design is {design.synapse.kind}")
    if abs(hardware.phase_s / design.timing.phase_s - 1) > 1e-9:
        raise InputError(f"{path}: phase_s: is {hardware.phase_s:g}, timing.phase_s of the design is {design.timing.phase_s:g}")
    if hardware.neuron.synapses != synapses:
        raise InputError(f"{path}: neuron.synapses: is {hardware.neuron.synapses}, the design has {synapses}")
    return hardware
