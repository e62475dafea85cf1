"""What a run directory was given in the place of a stage: a hardware model, or weights.

A run directory that was given one keeps it: later commands on it train, map and validate with it, and do not make it anew.
"""

from __future__ import annotations

GIVEN_HARDWARE = "given_hardware.json"
"""In the place of a characterisation, such as that of measured silicon."""
GIVEN_WEIGHTS = "given_weights.safetensors"
"""In the place of a training."""
NO_DIES = (
    "training.mismatch: the hardware model holds no Monte Carlo dies; cosim characterize, with datasheet.dies in the design, "
    "gives one that does: --hardware runs/NAME/datasheet/hardware.json, with another --out"
)
