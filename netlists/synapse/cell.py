"""What a synapse cell is: something that puts a current of a given weight on a membrane while a spike line is high.

The membrane of the reference neuron is inverted: a positive weight pulls it down, towards the threshold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from netlists.process import Process
from netlists.registry import Registry
from netlists.section import Section
from netlists.sheet import Sheet
from netlists.spice import Circuit, in_parallel

Sign = Literal[1, -1]
SIGNS: tuple[Sign, Sign] = (1, -1)


@dataclass(frozen=True)
class SynapseSetting:
    """What a synapse is set to: the sign of its weight and the code (gate bias in V, resistor length in um, unit currents)."""

    sign: Sign
    code: float


@dataclass(frozen=True)
class SynapseNodes:
    """The lines at a crossing of the crossbar."""

    membrane: str
    spike: str
    spike_bar: str
    supply: str


class SynapseSection(Section):
    """What a design says of a synapse. The docstring of a cell's section is its description; `kind` is its name."""

    kind: str
    bias_fields: ClassVar[tuple[str, str] | None] = None
    """Fields that hold the bias of w > 0 and of w < 0, or its range, where a bias sets the weight."""
    supply_levels: ClassVar[tuple[str, ...]] = ()
    """Fields that hold a level which a bias circuit would make from the supply."""


D = TypeVar("D", bound=SynapseSection)


class SynapseCell(ABC, Generic[D]):
    """A synapse at one crossing of the crossbar. A setting of None is a weight of zero."""

    section: ClassVar[type[SynapseSection]]
    code_name: str
    code_unit: str
    code_step: float = 0.0
    """Codes are multiples of it; 0 where any number will do."""
    logarithmic_code: bool = False
    """Whether the code goes with a power of the current (and not with its logarithm): how to interpolate between codes."""

    weight_is_drawn: bool = False
    """Whether a device that is drawn makes the weight, so that each weight is a drawing of its own."""

    loads_by_code: bool = False
    """Whether the code says how much capacitance hangs on the membrane, and whether that moves as the cell switches."""

    def __init__(self, dimensions: D, process: Process, supply_v: float) -> None:
        self.dimensions = dimensions
        self.process = process
        self.supply_v = supply_v

    @abstractmethod
    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        """Add the cell `name` to the circuit; returns the names of the voltage sources that it adds."""

    def attach_behind_one_line(
        self, circuit: Circuit, name: str, nodes: SynapseNodes, settings: Sequence[SynapseSetting | None]
    ) -> list[str]:
        """Add synapses of one membrane that the same spike line switches: what is set alike is one device of so many units.

        Exact where no mismatch tells devices apart. Returns the names of the voltage sources that it adds.
        """
        sources = list[str]()
        for k, (setting, count) in enumerate(Counter(settings).items()):
            sources += in_parallel(circuit, count, partial(self.attach, circuit, f"{name}_{k}", nodes, setting))
        return sources

    def while_off(self, settings: Sequence[SynapseSetting | None]) -> Sequence[SynapseSetting | None]:
        """Settings that stand for these behind a line that never switches: fewer different ones, where a cell that stays off
        does to its membrane next to the same whatever it is set to."""
        return settings

    @abstractmethod
    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        """At most `count` codes to sweep, from the weakest weight to the strongest; none where the cell lacks a sign."""

    def bias_source(self, name: str, sign: Sign) -> str | None:
        """The voltage source that sets the weights of this sign of the cell `name`; None where none does."""
        return None

    @abstractmethod
    def draw(self, sheet: Sheet) -> None:
        """Draw the cell as it is built."""

    def check(self) -> None:
        """Raises `ValueError`, field first, for what the process cannot do."""


SYNAPSES: Registry[type[SynapseCell[Any]]] = Registry("cosim.synapses", "synapse", "netlists.synapse")
"""The cells that a design can name (`synapse.kind`)."""

DEFAULT_SYNAPSE = "current_source"
"""The cell of a design that has no section `synapse`."""

_Cell = TypeVar("_Cell", bound=type[SynapseCell[Any]])


def synapse(section: type[SynapseSection]) -> Callable[[_Cell], _Cell]:
    """A decorator of a cell: the section of a design that it is made from, whose `kind` it is registered as."""

    def register(cell: _Cell) -> _Cell:
        cell.section = section
        SYNAPSES.add(str(section.model_fields["kind"].default), cell)
        return cell

    return register


def synapse_cell(section: SynapseSection, process: Process, supply_v: float) -> SynapseCell[Any]:
    """The synapse cell that a design asks for."""
    return SYNAPSES[section.kind](section, process, supply_v)
