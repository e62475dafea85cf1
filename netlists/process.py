"""What a process is to everyone else: devices by their roles, corners, models, the settings of a simulator, defaults.

A process is a room of its own beside this one. It registers itself in `PROCESSES`; cells and testbenches are handed it, and name
a device by its role only.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, model_validator

from netlists.errors import GeometryError, PdkNotFound
from netlists.models.pdk import ModelNames, Pdk, own_pdk
from netlists.registry import Registry
from netlists.section import FetSize, Section, Volt

DEFAULT_PROCESS = "sky130"
"""The `name` of the process that a design does not name."""

S = TypeVar("S", bound=Section)


class Role(StrEnum):
    """What a device is for. A process without such a device gives the nearest that it has."""

    NMOS = "nmos"
    NMOS_LOW_THRESHOLD = "nmos_low_threshold"
    PMOS = "pmos"
    PMOS_HIGH_THRESHOLD = "pmos_high_threshold"
    RESISTOR = "resistor"
    """Of high resistance: megohms."""
    CAPACITOR = "capacitor"
    """Two plates of metal."""

    @property
    def is_pmos(self) -> bool:
        return self in (Role.PMOS, Role.PMOS_HIGH_THRESHOLD)


class ProcessSection(Section):
    """Which devices, at which corner. A process has its own: with its corners, its sets of models, its supply."""

    name: str = Field(description="the process, as `cosim cells` lists them")
    model_set: str
    library: str = Field(
        default="", description="your own model library, relative to the design file, instead of the installed one"
    )
    sections: dict[str, str] = Field(default_factory=dict, description="sections of your own library by corner")
    layout: bool = Field(
        default=False, description="cells and network as they are drawn, with extracted wires, in the place of their schematics"
    )
    rails: bool = Field(
        default=False,
        description="with layout: supply, ground and rest of the network are the wires that were drawn, with their resistance",
    )
    corner: str
    temperature_c: float = Field(default=27.0, ge=-55.0, le=175.0)
    supply_v: Volt

    @model_validator(mode="after")
    def _sections_go_with_a_library(self) -> ProcessSection:
        if bool(self.library) != bool(self.sections):
            raise ValueError('library and sections go together, such as library = "my.lib", sections = { tt = "TT" }')
        if unknown := sorted(self.sections.keys() - self.process.corners.keys()):
            raise ValueError(f"sections: {unknown[0]!r} is no corner; there are {', '.join(self.process.corners)}")
        if self.sections and self.corner not in self.sections:
            raise ValueError(f"sections: none for corner {self.corner}; give one, or another corner")
        return self

    @model_validator(mode="after")
    def _rails_are_drawn(self) -> ProcessSection:
        if self.rails and not self.layout:
            raise ValueError("rails: only a layout has any; set layout = true too")
        return self

    @property
    def process(self) -> Process:
        """The process of this name."""
        return PROCESSES[self.name]

    def brings(self, file: str) -> bool:
        """Whether a file that a netlist calls for is one of its models, which decks bring along."""
        name = file.replace("\\", "/").rpartition("/")[2]
        own, files = Path(self.library).name, self.process.model_files
        return name in self.process.libraries | ({own} if own else set()) or bool(files and files.search(file))

    def pdk(self) -> Pdk:
        """The device models. Raises `PdkNotFound`."""
        if self.library:
            return own_pdk(Path(self.library), self.sections, self.process.names, self._installed())
        return self.process.find_pdk(self.model_set)

    def _installed(self) -> tuple[Path, ...]:
        """The folder of the installed models, if there are any."""
        try:
            return (self.process.find_pdk(self.model_set).root,)
        except PdkNotFound:
            return ()


@dataclass(frozen=True)
class ModelSet:
    """A set of models of a process: what it is, and whose statistics its dies have."""

    what: str
    statistics: str


class Process(ABC):
    """A process. Sizes are drawn sizes in um, whatever unit the models take.

    What adds a device takes a PySpice `Circuit` or `SubCircuit`, and raises `GeometryError` for a size that the device does not
    come in.
    """

    title: ClassVar[str]
    """What people call it."""
    section: ClassVar[type[ProcessSection]]
    """What a design says of it (`[process]`)."""
    corners: ClassVar[Mapping[str, str]]
    """Its corners, and what they are."""
    model_sets: ClassVar[Mapping[str, ModelSet]]
    names: ClassVar[ModelNames]
    """How its models are named."""
    libraries: ClassVar[frozenset[str]]
    """File names of its model libraries: what an exported netlist calls, and decks bring along."""
    model_files: ClassVar[re.Pattern[str] | None] = None
    """Matches within the path of any other file of its models, such as that of a corner."""
    setup: ClassVar[tuple[str, ...]]
    """What ngspice is told before it loads a deck: lines of its .spiceinit (`set ...`, `osdi ...`)."""
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Values of the fields of a cell where a design gives none, by the cell's place and kind (`synapse.cascode`)."""
    capacitance_f_per_um2: ClassVar[float]
    """Of the plate capacitor."""
    diffusion_um: ClassVar[float] = 0.0
    """How far drain and source of a transistor reach beyond its gate; 0 where the process does not say."""

    remedy: ClassVar[str]
    """How to get its models."""
    licence: ClassVar[str] = ""
    """Of its models, a line."""

    @abstractmethod
    def find_pdk(self, model_set: str) -> Pdk:
        """The installed models. Raises `PdkNotFound`."""

    def models_in(self, library: Path) -> Pdk:
        """Its models in a library that lies elsewhere, whose sections go by their own names."""
        install = next((above.parent for above in library.resolve().parents if above.name == "libs.tech"), library.parent)
        return Pdk(library, "", library.name, install, self.names, heading=f"{self.title} models", licence=self.licence)

    @abstractmethod
    def fet(
        self,
        circuit: Any,
        name: str,
        role: Role,
        drain: str,
        gate: str,
        source: str,
        bulk: str,
        size: FetSize,
        units: int = 1,
    ) -> None:
        """Add a single-finger transistor with its diffusions, or `units` of them side by side, which share a mismatch draw."""

    @abstractmethod
    def capacitor(self, circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> None:
        """Add a plate capacitor."""

    @abstractmethod
    def resistor(self, circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> None:
        """Add a resistor of high resistance."""

    @abstractmethod
    def check_resistor_width(self, width_um: float) -> None:
        """Raises `GeometryError` for a width that the resistor does not come in."""

    @abstractmethod
    def model(self, role: Role) -> str:
        """The device of a role, as drawings name it."""

    def fill(self, section: type[S], place: str, **given: Any) -> S:
        """A cell's section: what is given, and otherwise the process's defaults. `place` is `synapse` or `neuron`."""
        return section(**{**self.defaults.get(f"{place}.{section.model_fields['kind'].default}", {}), **given})


PROCESSES: Registry[Process] = Registry("cosim.processes", "process")
"""The processes that a design can name. Ours are registered by the room that knows them all."""


@dataclass(frozen=True)
class Transistor:
    """A transistor of a model library: the sub-circuit to call, the drawn sizes that its models cover, and how far drain and
    source reach beyond the gate with one row of contacts, in um; and the parameter that tells its mismatch how many units share
    a draw."""

    subcircuit: str
    width_um: tuple[float, float]
    length_um: tuple[float, float]
    diffusion_um: float
    units: str = "mult"


def call_transistor(
    circuit: Any, name: str, device: Transistor, nodes: tuple[str, str, str, str], size: FetSize, units: int = 1, um: float = 1.0
) -> Any:
    """Add a single-finger transistor, or `units` of them side by side, to a circuit; returns the element.

    Diffusion areas and perimeters are those of a finger with one contact row, d W and 2 (W + d): without them a membrane lacks
    some percent of its capacitance. `um` is the number that the models take for a length of 1 um. Raises `GeometryError`.
    """
    check_size(name, device.subcircuit, (size.width_um, size.length_um), device.width_um, device.length_um)
    area, perimeter = size.width_um * device.diffusion_um * um**2, 2 * (size.width_um + device.diffusion_um) * um
    lengths = {"w": size.width_um * um, "l": size.length_um * um}
    parallel = {"m": units, device.units: units} if units > 1 else {}
    sizes = lengths | {"ad": area, "as": area, "pd": perimeter, "ps": perimeter} | parallel
    return call(circuit, name, device.subcircuit, nodes, sizes)


def call(circuit: Any, name: str, device: str, nodes: tuple[str, ...], sizes: Mapping[str, float]) -> Any:
    """Add the call of a device with its sizes; returns the element."""
    return circuit.X(name, device, *nodes, **{key: f"{value:.9g}" for key, value in sizes.items()})


def check_size(
    name: str, device: str, size_um: tuple[float, float], width_um: tuple[float, float], length_um: tuple[float, float]
) -> None:
    """Raises `GeometryError`, with the size, for a width or a length outside its limits."""
    try:
        check_within(name, device, "W", size_um[0], *width_um)
        check_within(name, device, "L", size_um[1], *length_um)
    except GeometryError as error:
        raise GeometryError(str(error), size_um) from None


def check_within(name: str, device: str, quantity: str, value: float, low: float, high: float, unit: str = " um") -> None:
    """Raises `GeometryError` for a size outside its limits, which may be met to rounding only."""
    if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):  # which catches NaN as well
        raise GeometryError(f"{name}: {device} with {quantity} = {value:g}{unit}; it must lie between {low:g} and {high:g}{unit}")
