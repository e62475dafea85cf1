"""What a process is to the rooms that build circuits: which device plays a role, in which sizes, and how it is called.

A process is a room of its own beside this one. It registers itself in `PROCESSES`; cells and testbenches are handed it, and name
a device by its role only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from netlists.errors import GeometryError
from netlists.registry import Registry
from netlists.section import FetSize


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


class Process(ABC):
    """A process, as cells and testbenches see it. Sizes are drawn sizes in um, whatever unit the models take.

    What adds a device takes a PySpice `Circuit` or `SubCircuit`, and raises `GeometryError` for a size that the device does not
    come in.
    """

    title: ClassVar[str]
    """What people call it."""
    capacitance_f_per_um2: ClassVar[float]
    """Of the plate capacitor."""

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


PROCESSES: Registry[Process] = Registry("cosim.processes", "process")
"""The processes that a design can name. Ours are registered by the room that knows them all."""


@dataclass(frozen=True)
class Transistor:
    """A transistor of a model library: the sub-circuit to call, the drawn sizes that its models cover, and how far drain and
    source reach beyond the gate with one row of contacts. Lengths in um."""

    subcircuit: str
    width_um: tuple[float, float]
    length_um: tuple[float, float]
    diffusion_um: float


def call_transistor(
    circuit: Any, name: str, device: Transistor, nodes: tuple[str, str, str, str], size: FetSize, units: int = 1, um: float = 1.0
) -> Any:
    """Add a single-finger transistor, or `units` of them side by side, to a circuit; returns the element.

    Diffusion areas and perimeters are those of a finger with one contact row, d W and 2 (W + d): without them a membrane lacks
    some percent of its capacitance. `um` is the number that the models take for a length of 1 um. Raises `GeometryError`.
    """
    check_within(name, device.subcircuit, "W", size.width_um, *device.width_um)
    check_within(name, device.subcircuit, "L", size.length_um, *device.length_um)
    area, perimeter = size.width_um * device.diffusion_um * um**2, 2 * (size.width_um + device.diffusion_um) * um
    lengths = {"w": size.width_um * um, "l": size.length_um * um}
    parallel = {"m": units, "mult": units} if units > 1 else {}
    sizes = lengths | {"ad": area, "as": area, "pd": perimeter, "ps": perimeter} | parallel
    return call(circuit, name, device.subcircuit, nodes, sizes)


def call(circuit: Any, name: str, device: str, nodes: tuple[str, ...], sizes: Mapping[str, float]) -> Any:
    """Add the call of a device with its sizes; returns the element."""
    return circuit.X(name, device, *nodes, **{key: f"{value:.9g}" for key, value in sizes.items()})


def check_within(name: str, device: str, quantity: str, value: float, low: float, high: float, unit: str = " um") -> None:
    """Raises `GeometryError` for a size outside its limits, which may be met to rounding only."""
    if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):  # which catches NaN as well
        raise GeometryError(f"{name}: {device} with {quantity} = {value:g}{unit}; it must lie between {low:g} and {high:g}{unit}")
