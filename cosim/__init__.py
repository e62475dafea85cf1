"""Co-design of analog in-memory computing around SPICE: from a design file to a report of how far the model is from the circuit.

    import cosim

    result = cosim.run("designs/iris_5_5_5.toml", out="runs/mine", samples=10)
    result.metrics["validation.ode.output_spike_rmse_s"]

    project = cosim.Project("designs/iris_5_5_5.toml", out="runs/mine")
    project.characterize()
    project.hardware.weight_range(1)

The names below are the stable interface (docs/api.md). Each is imported when it is first used, so `import cosim` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cosim.version import __version__

if TYPE_CHECKING:
    from cosim.api.functions import diff, load_networks, simulate, study
    from cosim.api.project import Project
    from cosim.design import Design, load_design
    from cosim.design.condition import Condition
    from cosim.errors import CosimError, InputError, InputRemark
    from cosim.networks.study.result import StudyResult
    from cosim.pipeline.result import RunResult
    from cosim.pipeline.run import run
    from cosim.pipeline.stages import StageName
    from cosim.runs.diff import Comparison
    from cosim.silicon.command import FitResult
    from cosim.simulator import DcSweep, Deck, OperatingPoint, Outcome, Point, SimulationError, Transient, Waveforms
    from cosim.sweep.run import SweepResult
    from training.hardware import HardwareModel, HardwareModelError

_HOME = {
    "Comparison": "cosim.runs.diff",
    "Condition": "cosim.design.condition",
    "CosimError": "cosim.errors",
    "DcSweep": "cosim.simulator",
    "Deck": "cosim.simulator",
    "Design": "cosim.design",
    "FitResult": "cosim.silicon.command",
    "HardwareModel": "training.hardware",
    "HardwareModelError": "training.hardware",
    "InputError": "cosim.errors",
    "InputRemark": "cosim.errors",
    "OperatingPoint": "cosim.simulator",
    "Outcome": "cosim.simulator",
    "Point": "cosim.simulator",
    "Project": "cosim.api.project",
    "RunResult": "cosim.pipeline.result",
    "SimulationError": "cosim.simulator",
    "StageName": "cosim.pipeline.stages",
    "StudyResult": "cosim.networks.study.result",
    "SweepResult": "cosim.sweep.run",
    "Transient": "cosim.simulator",
    "Waveforms": "cosim.simulator",
    "diff": "cosim.api.functions",
    "load_design": "cosim.design",
    "load_networks": "cosim.api.functions",
    "run": "cosim.pipeline.run",
    "simulate": "cosim.api.functions",
    "study": "cosim.api.functions",
}

__all__ = [  # noqa: RUF022 (as docs/api.md has them)
    "run", "Project",
    "load_design", "Design", "Condition",
    "RunResult", "StageName", "SweepResult", "FitResult", "StudyResult", "Comparison",
    "HardwareModel", "load_networks", "study", "diff",
    "simulate", "Deck", "OperatingPoint", "DcSweep", "Transient", "Point", "Outcome", "Waveforms",
    "CosimError", "InputError", "InputRemark", "SimulationError", "HardwareModelError",
    "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
