"""A design: the TOML file that a user copies and edits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from cosim.design.choices import CHOICES, AnyNeuron, AnyProcess, AnySynapse, filled
from cosim.design.metric_names import is_metric, nearest
from cosim.design.sections import (
    Accuracy,
    Calibration,
    Characterization,
    Datasheet,
    DataTable,
    Limit,
    Network,
    Search,
    Sweep,
    Training,
    Validation,
    WeightMapping,
)
from cosim.errors import InputError
from netlists.board import IDEAL, Environment
from netlists.process import Process
from netlists.section import Section
from netlists.synapse import synapse_cell
from netlists.synapse.from_netlist import NetlistSection
from netlists.timing import Timing
from training.data.names import network_shape
from training.errors import what_is_wrong
from training.files import read_toml
from training.shapes import NetworkShape
from training.structures.plan import AnyStructure, MasksPlan

MOST_STEPS = 20_000
"""Of one phase: a network of two layers then takes hours a sample."""


class Design(Section):
    """One design, from devices to limits: a field for each section of the file. It does not change once it is read."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    process: AnyProcess
    synapse: AnySynapse
    neuron: AnyNeuron
    timing: Timing = Timing()
    environment: Environment = IDEAL
    accuracy: Accuracy = Accuracy()
    characterization: Characterization = Characterization()
    network: Network = Network()
    training: Training = Training()
    structure: AnyStructure | None = None
    mapping: WeightMapping = WeightMapping()
    validation: Validation = Validation()
    sweep: Sweep = Sweep()
    calibration: Calibration = Calibration()
    search: Search = Search()
    datasheet: Datasheet | None = None
    limits: dict[str, Limit] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, content: Any) -> Any:
        return filled(content) if isinstance(content, Mapping) else content

    @field_validator("limits")
    @classmethod
    def _on_metrics(cls, limits: dict[str, Limit]) -> dict[str, Limit]:
        for name in limits:
            if not is_metric(name):
                like = " or ".join(nearest(name))
                raise ValueError(f"{name!r} is no metric of a run" + (f"; did you mean {like}?" if like else ""))
        return limits

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
        if self.timing.phase_s > MOST_STEPS * self.accuracy.max_step_s:
            raise ValueError(
                f"accuracy.max_step_s: {self.accuracy.max_step_s:g} makes more than {MOST_STEPS} steps of timing.phase_s, "
                f"{self.timing.phase_s:g}; raise it"
            )
        of_datasheet = self.datasheet.corners if self.datasheet else ()
        for section, corners in (("sweep", self.sweep.corners), ("datasheet", of_datasheet)):
            for corner in corners:
                if corner not in self.technology.corners:
                    raise ValueError(f"{section}.corners: {corner!r} is none of {', '.join(self.technology.corners)}")
        return self

    @model_validator(mode="after")
    def _structure_fits(self) -> Design:
        structure = self.structure
        if structure is None:
            return self
        if structure.layers == "inner" and len(self.network.layers) < 3:
            raise ValueError('structure.layers: "inner" leaves none of two layers; take "all"')
        if self.network.convolutions and isinstance(structure, MasksPlan) and "C" not in structure.learn:
            raise ValueError("structure.learn: convolutions are wired as their windows are; without C take dense layers alone")
        if isinstance(structure, MasksPlan) and structure.wiring == "n_of_m":
            for inputs in self.network.shape.dense_lines:
                if inputs % structure.group:
                    raise ValueError(f"structure.group: {structure.group} does not divide the {inputs} inputs of a layer")
        return self

    @property
    def shape(self) -> NetworkShape:
        """The layers of the network, as they are wired."""
        return network_shape(self.network, self.structure)

    @property
    def technology(self) -> Process:
        """The process that the circuits are made in."""
        return self.process.process


def load_design(path: Path | str) -> Design:
    """Read a design file. Raises `InputError` with one line: file, field, what is wrong."""
    path = Path(path)
    try:
        data = read_toml(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; give the path of a design, e.g. designs/iris_5_5_5.toml"
        ) from error
    except ValueError as error:
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

        changed["synapse"] = admitted_cell(design.synapse, folder, design.process)
    network = design.network
    if network.table:
        network = network.model_copy(update={"table": found_table(network.table, folder)})
    if network.folder:
        network = network.model_copy(update={"folder": str((folder / network.folder).resolve())})
    changed["network"] = network
    if isinstance(design.structure, MasksPlan) and design.structure.file:
        return design.model_copy(update={**changed, "structure": found_wiring(design, design.structure, folder)})
    return design.model_copy(update=changed)


def found_wiring(design: Design, structure: MasksPlan, folder: Path) -> MasksPlan:
    """The structure with where its wiring lies and the digest of that. Raises `InputError` for links that do not fit.

    Every neuron of a layer must have as many, `links` of its inputs: the hardware model of a layer is that of one column.
    """
    from training.structures.wiring import WiringError, read_wiring

    file = (folder / structure.file).resolve()
    try:
        shape = design.shape
        for number, ((lines, neurons), links) in enumerate(zip(shape.dense_sizes, shape.linked, strict=True)):
            if links == lines:  # of a layer that has no structure, too
                continue
            other = set(read_wiring(file, number, (neurons, lines)).sum(1).tolist()) - {links}
            if other:
                raise WiringError(
                    f"{file}: layers.{number}.links: a neuron has {min(other)} links, structure.links = {structure.links:g} of "
                    f"{lines} inputs are {links}"
                )
    except WiringError as error:
        raise InputError(f"structure.file: {error}") from error
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if structure.sha256 not in ("", digest):
        raise InputError(f"structure.sha256: {file} has {digest}; it is another file than the design was made with")
    return structure.model_copy(update={"file": str(file), "sha256": digest})


def found_table(table: DataTable, folder: Path) -> DataTable:
    """The table as it is: where it lies, which columns are features, and the digest of its content. Raises `InputError`."""
    from training.data.files import DataFileError
    from training.data.table import columns_of, feature_names

    file = (folder / table.file).resolve()
    try:
        columns = columns_of(file)
    except DataFileError as error:
        raise InputError(f"network.table.file: {error}") from error
    for key, name in (("label", table.label), *(("features", name) for name in table.features)):
        if name not in columns:
            raise InputError(f"network.table.{key}: {file} has no column {name!r}; it has {', '.join(columns)}")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if table.sha256 not in ("", digest):
        raise InputError(f"network.table.sha256: {file} has {digest}; it is another file than the design was made with")
    features = table.features or feature_names(columns, table.label)
    return table.model_copy(update={"file": str(file), "features": features, "sha256": digest})


def explain(error: ValidationError) -> str:
    """The first problem of a validation error in one line."""
    first = error.errors()[0]
    section, *inner = [str(part) for part in first["loc"]] or ["design"]
    choice = CHOICES.get(section)
    if choice is not None and first["type"].startswith("union_tag"):
        return f"{section}.{choice.key}: {choice.registry.refusal(first.get('ctx', {}).get('tag'))}"
    chosen = choice is not None and bool(inner) and inner[0] in choice.registry
    if chosen or (section == "structure" and inner):  # its name comes before the field
        inner = inner[1:]
    field = ".".join([section, *inner])
    if chosen and first["type"] == "missing":
        return f"{field}: missing; the process has no default for it"
    where = "; see docs/design.md for the keys of this section" if first["type"] == "extra_forbidden" else ""
    return f"{field}: {what_is_wrong(first)}{where}"
