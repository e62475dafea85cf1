"""The stages of a run: what each needs, reads and writes, and what decides its result. They are a graph:

    characterize -> train -> map -> validate -> report
          \\-> datasheet -----------------------/  (where the design asks for it)

`python -m cosim.pipeline.stages` lists the modules that decide each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from cosim.cost.cells import CELL_ENERGIES
from cosim.design.sections import Datasheet, Validation
from cosim.pipeline.closure import own_sources
from cosim.pipeline.work import characterize, datasheet, map_weights, report, train, validate
from cosim.runs.directory import DESIGN
from cosim.runs.given import GIVEN_HARDWARE, GIVEN_WEIGHTS
from reports.baseline import NOTES

if TYPE_CHECKING:
    from cosim.design import Design
    from cosim.pipeline.workspace import Workspace


class StageName(StrEnum):
    """Stages in the order in which they run."""

    CHARACTERIZE = "characterize"
    TRAIN = "train"
    MAP = "map"
    VALIDATE = "validate"
    DATASHEET = "datasheet"
    REPORT = "report"


@dataclass(frozen=True)
class Stage:
    """A stage is up to date as long as nothing of this has changed since it ran, and its outputs are as it left them.

    `needs` are the stages whose results it builds on; where one of them is not up to date, neither is this. `sections` is what
    of the design decides its result, `inputs` the files of the run directory; the code that decides it follows from the imports
    of the module that its work stands in. `given` is the file that stands in the place of its result where the run directory
    has it. A stage that `gathers` reads whatever the others have left, and one that `judges` has the second simulator that the
    design asks for. `asked` says whether a design wants a stage that nothing needs; `check` refuses bad input before anything
    runs.
    """

    name: StageName
    work: Callable[[Workspace], dict[str, float]]
    sections: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    packages: tuple[str, ...]
    needs: tuple[StageName, ...] = ()
    simulates: bool = False
    judges: bool = False
    gathers: bool = False
    given: str = ""
    followed_by: tuple[str, ...] = ()
    """Folders of what commands beside the stages make of its result; they go with it."""
    asked: Callable[[Design], bool] = lambda design: False
    check: Callable[[Workspace], None] = lambda space: None

    def works(self, space: Workspace) -> bool:
        """Whether it does its work; if not, it takes what the run directory was given, and simulates nothing."""
        return not (self.given and space.is_given(self.given))


def roots(stage: Stage, design: Design) -> tuple[str, ...]:
    """The modules whose imports lead to all the code that decides a stage: its work, and the cells, process and measurements.

    Those are found by name in registries, which an extension adds to by an entry point; no import statement leads to them.
    """
    registered = [module for section in stage.sections for module in _registered(design, section)]
    return tuple(dict.fromkeys([stage.work.__module__, *registered]))


def _registered(design: Design, section: str) -> Sequence[str]:
    """The modules that register what a section of the design takes from a registry. None is imported that is not already."""
    from netlists.neuron import NEURONS
    from netlists.synapse import SYNAPSES

    match section:
        case "process":
            return [type(design.technology).__module__]
        case "synapse":
            return [type(design.synapse).__module__, SYNAPSES[design.synapse.kind].__module__]
        case "neuron":
            return [type(design.neuron).__module__, NEURONS[design.neuron.kind].__module__]
        case "datasheet":  # it has every measurement that there is
            installed = [entry.module for entry in entry_points(group="cosim.measurements")]
            return [*own_sources().modules_in("cosim.characterize.measurements"), *installed]
    return []


def wanted(stages: Sequence[Stage], last: StageName, design: Design) -> tuple[Stage, ...]:
    """The stages that `last` builds on and itself, in order; one that gathers wants also what the design asks for."""
    by_name, found = {stage.name: stage for stage in stages}, set[StageName]()
    waiting = [last]
    while waiting:
        stage = by_name[waiting.pop()]
        found.add(stage.name)
        waiting += stage.needs
        waiting += [other.name for other in stages if stage.gathers and other.name not in found and other.asked(design)]
    return tuple(stage for stage in stages if stage.name in found)


def _asks_for_datasheet(design: Design) -> bool:
    return design.datasheet is not None and design.datasheet.run


def _but(section: type[Any], *names: str) -> Collection[str]:
    return set(section.model_fields) - set(names)


_CIRCUIT = {"name": True, "process": True, "synapse": True, "neuron": True, "timing": True, "accuracy": {"reltol", "max_step_s"}}
_SIZES = {"dataset", "table", "pool", "bias", "convolutions", "layers"}
_SIMULATION_PACKAGES = ("PySpice", "platformdirs")
_TRAINING_PACKAGES = ("torch", "safetensors", "sklearn", "numba")
_PAGE_PACKAGES = ("jinja2", "matplotlib", "weasyprint")
_VALIDATION_TABLES = tuple(
    f"validation/{name}.parquet"
    for name in (
        "spikes", "membranes", "labels", "waveforms", "energy", "attribution", "causes", "neurons", "sensitivity", "model_dies",
        "second_judge", "failures",
    )
)  # fmt: skip
_TRAINED = ("hardware.json", "network.safetensors", "network.json")

STAGES = (
    Stage(
        StageName.CHARACTERIZE,
        characterize.work,
        sections={**_CIRCUIT, "characterization": True, "network": _SIZES, "structure": True},
        inputs=(GIVEN_HARDWARE,),
        outputs=("characterization", "hardware.json", CELL_ENERGIES),
        packages=_SIMULATION_PACKAGES,
        simulates=True,
        given=GIVEN_HARDWARE,
    ),
    Stage(
        StageName.TRAIN,
        train.work,
        sections={"network": True, "training": True, "mapping": True, "structure": True},
        inputs=("hardware.json", GIVEN_WEIGHTS, CELL_ENERGIES),
        outputs=("network.safetensors", "network.json", "network.code.safetensors", "training.parquet"),
        packages=_TRAINING_PACKAGES,
        needs=(StageName.CHARACTERIZE,),
        followed_by=("calibration", "conditions"),
        check=train.check,
    ),
    Stage(
        StageName.MAP,
        map_weights.work,
        sections={
            **_CIRCUIT, "environment": True, "network": True, "mapping": True, "structure": True, "validation": {"gain_search"},
        },
        inputs=_TRAINED,
        outputs=("validation/gain_search.parquet", "mapping.parquet", NOTES),
        packages=_SIMULATION_PACKAGES + _TRAINING_PACKAGES,
        needs=(StageName.TRAIN,),
        simulates=True,
    ),
    Stage(
        StageName.VALIDATE,
        validate.work,
        sections={
            **_CIRCUIT, "environment": True, "network": True, "structure": True,
            "validation": _but(Validation, "gain_search"),
        },
        inputs=(*_TRAINED, "mapping.parquet", CELL_ENERGIES),
        outputs=(*_VALIDATION_TABLES, "netlist"),
        packages=_SIMULATION_PACKAGES + _TRAINING_PACKAGES,
        needs=(StageName.MAP,),
        simulates=True,
        judges=True,
        check=validate.check,
    ),
    Stage(
        StageName.DATASHEET,
        datasheet.work,
        sections={
            **_CIRCUIT, "title": True, "characterization": True, "network": _SIZES, "structure": True,
            "datasheet": _but(Datasheet, "run"),
        },
        inputs=("hardware.json", "characterization"),
        outputs=("datasheet", "datasheet.html", "datasheet.pdf"),
        packages=_SIMULATION_PACKAGES + _PAGE_PACKAGES,
        needs=(StageName.CHARACTERIZE,),
        simulates=True,
        asked=_asks_for_datasheet,
        check=datasheet.check,
    ),
    Stage(
        StageName.REPORT,
        report.work,
        sections={**_CIRCUIT, "title": True, "network": _SIZES, "limits": True},
        inputs=(DESIGN, "calibration", "conditions", "layout"),
        outputs=("report.html", "report.pdf", "drawings", "devices.parquet"),
        packages=_PAGE_PACKAGES,
        needs=(StageName.VALIDATE,),
        gathers=True,
    ),
)  # fmt: skip


def _list() -> None:
    for stage in STAGES:
        modules = sorted(own_sources().closure([stage.work.__module__]))
        print(f"{stage.name}: {len(modules)} modules", *modules, sep="\n  ")


if __name__ == "__main__":
    _list()
