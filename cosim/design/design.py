"""A design: the TOML file that a user copies and edits."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import Field, ValidationError, model_validator

from cosim.design.sections import (
    Accuracy,
    Characterization,
    Datasheet,
    Limit,
    Network,
    Process,
    Sweep,
    Training,
    Validation,
)
from cosim.errors import InputError
from netlists.neuron import NEURONS, NeuronSection
from netlists.neuron.cell import DEFAULT_NEURON
from netlists.process import PROCESSES
from netlists.process import Process as Technology
from netlists.registry import Registry
from netlists.section import Section, one_of
from netlists.synapse import SYNAPSES, SynapseSection, synapse_cell
from netlists.synapse.from_netlist import NetlistSection
from netlists.timing import Timing

DEFAULT_SYNAPSE = "current_source"
CHOICES: dict[str, Registry[Any]] = {"synapse": SYNAPSES, "neuron": NEURONS}
"""The sections that are one of several, told apart by their `kind`, and who has them."""

if TYPE_CHECKING:
    AnySynapse: TypeAlias = SynapseSection
    AnyNeuron: TypeAlias = NeuronSection
else:
    AnySynapse = one_of({kind: cell.section for kind, cell in SYNAPSES.items()}, "kind")
    AnyNeuron = one_of({kind: cell.section for kind, cell in NEURONS.items()}, "kind", DEFAULT_NEURON)


class Design(Section):
    """One design, from devices to limits: a field for each section of the file. It does not change once it is read."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    process: Process = Process()
    synapse: AnySynapse = Field(default_factory=SYNAPSES[DEFAULT_SYNAPSE].section)
    neuron: AnyNeuron = Field(default_factory=NEURONS[DEFAULT_NEURON].section)
    timing: Timing = Timing()
    accuracy: Accuracy = Accuracy()
    characterization: Characterization = Characterization()
    network: Network = Network()
    training: Training = Training()
    validation: Validation = Validation()
    sweep: Sweep = Sweep()
    datasheet: Datasheet | None = None
    limits: dict[str, Limit] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _voltages(self) -> Design:
        if not 0 < self.neuron.rest_v < self.process.supply_v:
            raise ValueError("neuron.rest_v must lie between ground and process.supply_v")
        of_datasheet = self.datasheet.supplies_v if self.datasheet else ()
        for section, supplies in (("sweep", self.sweep.supplies_v), ("datasheet", of_datasheet)):
            if supplies and min(supplies) <= self.neuron.rest_v:
                raise ValueError(f"{section}.supplies_v: {min(supplies):g} is not above neuron.rest_v, {self.neuron.rest_v:g}")
        return self

    @model_validator(mode="after")
    def _made_of_what_there_is(self) -> Design:
        try:
            synapse_cell(self.synapse, self.technology, self.process.supply_v).check()
        except ValueError as error:
            raise ValueError(f"synapse.{error}") from None
        return self

    @property
    def technology(self) -> Technology:
        """The process that the circuits are made in."""
        return PROCESSES[self.process.name]


def load_design(path: Path | str) -> Design:
    """Read a design file. Raises `InputError` with one line: file, field, what is wrong."""
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; give the path of a design, e.g. designs/iris_5_5_5.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    try:
        return _with_files(Design.model_validate(data), path.parent)
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error)}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _with_files(design: Design, folder: Path) -> Design:
    """The design with what its files say: the cell of the user, and where the library of the user lies."""
    changed: dict[str, Section] = {}
    if design.process.library:
        library = str((folder / design.process.library).resolve())
        changed["process"] = design.process.model_copy(update={"library": library})
    if isinstance(design.synapse, NetlistSection):
        from cosim.design.own_cell import admitted_cell

        changed["synapse"] = admitted_cell(design.synapse, folder, Path(design.process.library).name)
    return design.model_copy(update=changed)


def explain(error: ValidationError) -> str:
    """The first problem of a validation error in one line."""
    first = error.errors()[0]
    section, *inner = [str(part) for part in first["loc"]] or ["design"]
    choice = CHOICES.get(section)
    if choice is not None and first["type"].startswith("union_tag"):
        return f"{section}.kind: {choice.refusal(first.get('ctx', {}).get('tag'))}"
    if choice is not None and inner:  # the kind comes first
        inner = inner[1:]
    field = ".".join([section, *inner])
    if first["type"] == "extra_forbidden":
        return f"{field}: unknown key; see docs/design.md for the keys of this section"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f", not {given!r}" if isinstance(given, int | float | str) else ""
    return f"{field}: {message}{shown}"
