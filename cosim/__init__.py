"""Co-design of analog in-memory computing around SPICE: from a design file to a report of how far the model is from the circuit.

    import cosim

    result = cosim.run("designs/iris_5_5_5.toml", out="runs/mine", samples=10)
    result.metrics["validation.ode.output_spike_rmse_s"]
    characterised = cosim.run("designs/iris_5_5_5.toml", until="characterize")
    hardware = cosim.HardwareModel.load(characterised.directory / "hardware.json")

The names below are the stable interface. Each is imported when it is first used, so that `import cosim` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cosim.version import __version__

if TYPE_CHECKING:
    from cosim.design import Design, load_design
    from cosim.errors import CosimError, InputError
    from cosim.networks.training import load_networks
    from cosim.pipeline.result import RunResult
    from cosim.pipeline.run import run
    from cosim.pipeline.stages import StageName
    from training.hardware import HardwareModel

__all__ = [
    "CosimError",
    "Design",
    "HardwareModel",
    "InputError",
    "RunResult",
    "StageName",
    "__version__",
    "load_design",
    "load_networks",
    "run",
]

_HOME = {
    "CosimError": "cosim.errors",
    "Design": "cosim.design",
    "HardwareModel": "training.hardware",
    "InputError": "cosim.errors",
    "RunResult": "cosim.pipeline.result",
    "StageName": "cosim.pipeline.stages",
    "load_design": "cosim.design",
    "load_networks": "cosim.networks.training",
    "run": "cosim.pipeline.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
