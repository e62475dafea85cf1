"""What a neuron cell is: it holds a membrane at rest in the reset phase, lets it go in the accumulation phase, and in the firing
phase discharges it towards its threshold and spikes when it gets there.

Every neuron has a bias that says how fast it discharges. Characterisation sets it so that a membrane which nothing arrived at
fires at the very end of its phase.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field, model_validator

from netlists.process import Process
from netlists.registry import Registry
from netlists.section import Section, Volt, VoltRange
from netlists.sheet import Sheet
from netlists.spice import Circuit, SubCircuit

DISCHARGER_BIAS = "discharger_bias"
"""The line that sets how fast a neuron discharges."""

SUBCIRCUITS = ("neuron", "spike_driver")
"""What the sub-circuits of a neuron are called."""


@dataclass(frozen=True)
class SpikeLine:
    """A spike line, true and complement."""

    true: str
    bar: str


@dataclass(frozen=True)
class NeuronNodes:
    """The lines of a neuron. `phase` is high while it may fire, `reset` while its membrane is held at `rest`."""

    membrane: str
    rest: str
    phase: str
    phase_bar: str
    reset: str
    reset_bar: str
    spike: SpikeLine
    supply: str


class NeuronSection(Section):
    """What a design says of every neuron. The docstring of a neuron's section is its description; `kind` is its name."""

    kind: str
    rest_v: Volt
    discharger_bias_v: VoltRange = Field(description="range in which characterisation looks for the discharger's gate bias")
    own_discharger_bias: bool = Field(
        default=False, description="a bias line of its own for every discharger, which calibration sets; one a layer where false"
    )
    followed_biases: ClassVar[Mapping[str, str]] = {}
    """Devices whose current a bias circuit would hold over corners and temperatures, and the field with the gate bias of each."""

    @model_validator(mode="after")
    def _rises(self) -> NeuronSection:
        if self.discharger_bias_v[0] >= self.discharger_bias_v[1]:
            raise ValueError("discharger_bias_v must rise")
        return self


D = TypeVar("D", bound=NeuronSection)


class NeuronCell(ABC, Generic[D]):
    """A neuron. Its sub-circuit has the nodes membrane rest <biases> phase phase_bar reset reset_bar spike spike_bar supply."""

    section: ClassVar[type[NeuronSection]]

    def __init__(self, dimensions: D, process: Process) -> None:
        self.dimensions = dimensions
        self.process = process

    @property
    def rest_v(self) -> float:
        """Where the membrane rests (V)."""
        return self.dimensions.rest_v

    @property
    @abstractmethod
    def drawn_capacitance_f(self) -> float:
        """About the capacitance of the membrane (F): it sets how fast test charges are put on it, and a simulator's tolerance."""

    @abstractmethod
    def biases_v(self, discharger_bias_v: float) -> dict[str, float]:
        """Levels that all neurons share, by their lines; the `discharger_bias` among them."""

    @abstractmethod
    def subcircuit(self) -> SubCircuit:
        """The neuron (`neuron`); it may call the spike driver."""

    @abstractmethod
    def driver_subcircuit(self) -> SubCircuit:
        """The stage that drives a spike line (`spike_driver`), nodes trigger enable spike spike_bar supply.

        Inputs of the network are driven by the same stage as the neurons' outputs: what a synapse does when it switches depends
        on how fast its lines move.
        """

    @abstractmethod
    def drawings(self) -> dict[str, Callable[[Sheet], None]]:
        """What draws the neuron and its parts, by their names."""

    def attach_followed(self, circuit: Circuit, device: str, drain: str, gate: str, supply: str) -> None:
        """Add one of `followed_biases` by itself, named as it is, to be measured."""
        raise NotImplementedError(f"{type(self).__name__} has no device {device}")

    def define(self, circuit: Circuit) -> None:
        """Make the neuron and its spike driver known to the circuit, once."""
        if "neuron" not in {known.name for known in circuit.subcircuits}:
            circuit.subcircuit(self.driver_subcircuit())
            circuit.subcircuit(self.subcircuit())

    def attach(self, circuit: Circuit, name: str, nodes: NeuronNodes, bias_prefix: str = "", own_discharger: str = "") -> None:
        """Add the neuron `name`. Its biases are lines of the circuit by their names behind `bias_prefix`; that of its discharger
        is the line `own_discharger` where one is given."""
        self.define(circuit)
        lines = {line: f"{bias_prefix}{line}" for line in self.bias_lines}
        biases = (lines | ({DISCHARGER_BIAS: own_discharger} if own_discharger else {})).values()
        control = (nodes.phase, nodes.phase_bar, nodes.reset, nodes.reset_bar)
        output = (nodes.spike.true, nodes.spike.bar, nodes.supply)
        circuit.X(name, "neuron", nodes.membrane, nodes.rest, *biases, *control, *output)

    def attach_driver(self, circuit: Circuit, name: str, trigger: str, line: SpikeLine, supply: str) -> None:
        """Add a spike driver that is always enabled."""
        self.define(circuit)
        circuit.X(name, "spike_driver", trigger, supply, line.true, line.bar, supply)

    @property
    def bias_lines(self) -> tuple[str, ...]:
        """The lines of `biases_v`."""
        return tuple(self.biases_v(0.0))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Of the sub-circuit, in their order."""
        control = ("phase", "phase_bar", "reset", "reset_bar")
        return ("membrane", "rest", *self.bias_lines, *control, "spike", "spike_bar", "supply")


DRIVER_NODES = ("trigger", "enable", "spike", "spike_bar", "supply")

NEURONS: Registry[type[NeuronCell[Any]]] = Registry("cosim.neurons", "neuron", "netlists.neuron")
"""The neurons that a design can name (`neuron.kind`)."""

DEFAULT_NEURON = "rc_spike"
"""The `kind` of a neuron that a design does not name."""

_Cell = TypeVar("_Cell", bound=type[NeuronCell[Any]])


def neuron(section: type[NeuronSection]) -> Callable[[_Cell], _Cell]:
    """A decorator of a cell: the section of a design that it is made from, whose `kind` it is registered as."""

    def register(cell: _Cell) -> _Cell:
        cell.section = section
        NEURONS.add(str(section.model_fields["kind"].default), cell)
        return cell

    return register


def neuron_cell(section: NeuronSection, process: Process) -> NeuronCell[Any]:
    """The neuron that a design asks for."""
    return NEURONS[section.kind](section, process)
