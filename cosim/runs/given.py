"""What a run directory was given in the place of a stage: a hardware model, or weights.

A run directory that was given one keeps it: later commands on it train, map and validate with it, and do not make it anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import InputError
from training.hardware import HardwareModel

if TYPE_CHECKING:
    from cosim.design import Design

GIVEN_HARDWARE = "given_hardware.json"
"""In the place of a characterisation, such as that of measured silicon."""
GIVEN_WEIGHTS = "given_weights.safetensors"
"""In the place of a training."""
NO_DIES = (
    "training.mismatch: the hardware model holds no Monte Carlo dies; cosim characterize, with datasheet.dies in the design, "
    "gives one that does: --hardware runs/NAME/datasheet/hardware.json, with another --out"
)


def read_hardware(path: Path, design: Design) -> HardwareModel:
    """The model in a file. Raises `InputError` where it is not of the design's circuit, `HardwareModelError` where it is none."""
    hardware, synapses = HardwareModel.load(path), max(design.network.inputs, design.network.hidden)
    if hardware.cell != design.synapse.kind:
        raise InputError(f"{path}: cell: is {hardware.cell}, synapse.kind of the design is {design.synapse.kind}")
    if abs(hardware.phase_s / design.timing.phase_s - 1) > 1e-9:
        raise InputError(f"{path}: phase_s: is {hardware.phase_s:g}, timing.phase_s of the design is {design.timing.phase_s:g}")
    if hardware.neuron.synapses != synapses:
        raise InputError(f"{path}: neuron.synapses: is {hardware.neuron.synapses}, the design has {synapses}")
    return hardware
