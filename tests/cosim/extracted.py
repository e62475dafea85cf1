"""The hardware model of designs/iris_5_5_5.toml (SKY130 continuous, tt, 27 C) as `cosim characterize` gave it."""

from pathlib import Path

from training.hardware import HardwareModel

HARDWARE = Path(__file__).parents[1] / "data" / "hardware_iris_5_5_5.json"


def reference_hardware() -> HardwareModel:
    return HardwareModel.load(HARDWARE)
