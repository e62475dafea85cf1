"""What a run directory was given in the place of a stage: a hardware model, or weights.

A run directory that was given one keeps it: later commands on it train, map and validate with it, and do not make it anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import InputError
from training.hardware import HardwareModel, HardwareModelError, columns_of_layers

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
    hardware = HardwareModel.load(path)
    if hardware.cell != design.synapse.kind:
        raise InputError(f"{path}: cell: is {hardware.cell}, synapse.kind of the design is {design.synapse.kind}")
    if abs(hardware.phase_s / design.timing.phase_s - 1) > 1e-9:
        raise InputError(f"{path}: phase_s: is {hardware.phase_s:g}, timing.phase_s of the design is {design.timing.phase_s:g}")
    try:
        columns_of_layers(hardware, design.network.sizes)
    except HardwareModelError as error:
        raise InputError(f"{path}: {error}") from error
    return hardware
