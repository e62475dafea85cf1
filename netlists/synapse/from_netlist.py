"""A synapse that a user brings: a sub-circuit and what its pins are."""

from __future__ import annotations

import re
from collections import Counter
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netlists.process import Process
from netlists.section import Volt, VoltRange
from netlists.sheet import Sheet, volts
from netlists.spice import Circuit, shared_level
from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSection, SynapseSetting, synapse

PinRole = Literal["membrane", "spike", "spike_bar", "supply", "ground", "bias_n", "bias_p"]
ROLES: tuple[PinRole, ...] = get_args(PinRole)
_WORD = re.compile(r"[^\s='\"(){},;]+")
_PARAMETERS = re.compile(r"\s(?:params:|[^\s=]+\s*=).*")
"""All that a header says after its pins."""


class NetlistSection(SynapseSection):
    """Your own cell: a sub-circuit of a SPICE file, its pins named by what they are connected to."""

    kind: Literal["netlist"] = "netlist"
    file: str = Field(default="", description="SPICE file, relative to the design file")
    cards: str = Field(default="", description="the sub-circuit itself, where there is no file")
    subcircuit: str = Field(description="name of the sub-circuit")
    pins: dict[PinRole, str] = Field(description=f"which pin is what: {', '.join(ROLES)}")
    fixed_v: dict[str, Volt] = Field(default_factory=dict, description="levels of other pins, by their names")
    below_supply_v: dict[str, Volt] = Field(
        default_factory=dict, description="levels of other pins by how far they are below the supply, which they follow"
    )
    bias_n_v: VoltRange | None = Field(default=None, description="weakest, strongest bias of a weight w > 0 (pin bias_n)")
    bias_p_v: VoltRange | None = Field(default=None, description="weakest, strongest bias of a weight w < 0 (pin bias_p)")
    bias_n_off_v: Volt = Field(default=0.0, description="bias_n of a weight that is not positive")
    bias_p_off_v: Volt | None = Field(
        default=None, description="bias_p of a weight that is not negative; the supply unless given"
    )

    bias_fields: ClassVar = ("bias_n_v", "bias_p_v")

    @model_validator(mode="after")
    def _complete(self) -> NetlistSection:
        if not (self.file or self.cards):
            raise ValueError("file: missing; give the SPICE file of the cell")
        self._check_names()
        if "membrane" not in self.pins:
            raise ValueError("pins: membrane: missing; name the pin that the current flows into")
        if not {"spike", "spike_bar"} & self.pins.keys():
            raise ValueError("pins: spike: missing; name the pin that switches the cell on (spike, or its complement spike_bar)")
        if not {"bias_n", "bias_p"} & self.pins.keys():
            raise ValueError("pins: bias_n: missing; name a pin that sets the weight (bias_n for w > 0, bias_p for w < 0)")
        self._check_bias("bias_n", self.bias_n_v, self.bias_n_off_v)
        self._check_bias("bias_p", self.bias_p_v, self.bias_p_off_v)
        return self

    def _check_names(self) -> None:
        """A name is one word: it stands in the cards of a netlist."""
        pins = (*self.pins.values(), *self.fixed_v, *self.below_supply_v)
        for name in (self.subcircuit, *pins):
            if not _WORD.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a pin or sub-circuit; it must be one word")
        named = Counter(name.lower() for name in pins)
        if twice := [name for name, count in named.items() if count > 1]:
            raise ValueError(f"pins: {twice[0]} is named twice; a pin is one thing")

    def _check_bias(self, role: Literal["bias_n", "bias_p"], range_v: VoltRange | None, off_v: float | None) -> None:
        if (role in self.pins) != (range_v is not None):
            raise ValueError(f"{role}_v: must be given if pins.{role} is, and only then")
        if range_v is None:
            return
        weak, strong = range_v
        # Without a level given, off is the supply, and a stronger bias is a lower one.
        away = strong < weak if off_v is None else abs(weak - off_v) < abs(strong - off_v)
        if weak == strong or not away:
            off = "the supply" if off_v is None else f"{off_v:g} V"
            raise ValueError(f"{role}_v: runs the wrong way; the weakest bias, next to {role}_off_v ({off}), comes first")


@synapse(NetlistSection)
class NetlistSynapse(SynapseCell[NetlistSection]):
    """The sub-circuit of `dimensions.cards`; a bias sets its weight, the levels of its other pins are fixed."""

    code_name = "gate_bias"
    code_unit = "V"

    def __init__(self, dimensions: NetlistSection, process: Process, supply_v: float) -> None:
        super().__init__(dimensions, process, supply_v)
        self.levels_v = {
            **dimensions.fixed_v,
            **{pin: round(supply_v - below, 9) for pin, below in dimensions.below_supply_v.items()},
        }
        self.off_v = {
            1: dimensions.bias_n_off_v,
            -1: supply_v if dimensions.bias_p_off_v is None else dimensions.bias_p_off_v,
        }

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        d = self.dimensions
        if d.cards not in circuit.raw_spice:
            circuit.raw_spice += d.cards
        line_of_role = {
            "membrane": nodes.membrane, "spike": nodes.spike, "spike_bar": nodes.spike_bar, "supply": nodes.supply, "ground": "0",
            "bias_n": f"{name}_n_bias", "bias_p": f"{name}_p_bias",
        }  # fmt: skip
        sources = []
        for role, sign in (("bias_n", 1), ("bias_p", -1)):
            if role in d.pins:
                volts = setting.code if setting and setting.sign == sign else self.off_v[sign]
                circuit.V(line_of_role[role], line_of_role[role], 0, volts)
                sources.append(f"V{line_of_role[role]}")
        line_of_pin = {pin.lower(): line_of_role[role] for role, pin in d.pins.items()}
        for pin, volts in self.levels_v.items():
            line_of_pin[pin.lower()] = f"synapse_{pin.lower()}"
            sources += shared_level(circuit, f"synapse_{pin.lower()}", volts)
        circuit.X(name, d.subcircuit, *(line_of_pin[pin] for pin in pins_of(d.cards, d.subcircuit)))
        return sources

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        range_v = self.dimensions.bias_n_v if sign > 0 else self.dimensions.bias_p_v
        return np.linspace(*range_v, count) if range_v else np.empty(0)

    def bias_source(self, name: str, sign: Sign) -> str | None:
        side = "n" if sign > 0 else "p"
        return f"V{name}_{side}_bias" if f"bias_{side}" in self.dimensions.pins else None

    def draw(self, sheet: Sheet) -> None:
        """What stands between the pins is the user's."""
        d = self.dimensions
        pins = [role for role in ("spike", "spike_bar", "bias_n", "bias_p") if role in d.pins]
        levels = {"bias_n": d.bias_n_v, "bias_p": d.bias_p_v}
        height = 1.0 * len(pins) + 0.6
        sheet.box((0, 0), (4.2, height), d.subcircuit)
        for k, role in enumerate(pins):
            y = height - 0.8 - k
            sheet.wire((-0.8, y), (0, y))
            level = levels.get(role)
            sheet.port((-0.8, y), f"{role} {volts(level)}" if level else role, "left")
        sheet.wire((4.2, height / 2), (5.0, height / 2))
        sheet.port((5.0, height / 2), "membrane", "right")
        if "supply" in d.pins:
            sheet.supply((2.1, height))
        if "ground" in d.pins:
            sheet.ground((2.1, 0))
        fixed = [f"{pin} at {volts(level)}" for pin, level in self.levels_v.items()]
        sheet.lines((5.0, height / 2 + 1.2), "left", "current of the weight", "while spike is high")
        sheet.lines((5.0, height / 2 - 1.2), "left", *fixed)


def pins_of(cards: str, subcircuit: str) -> list[str]:
    """The pins of a sub-circuit in their order, in lower case. Raises `KeyError` if the cards do not define it."""
    for line in cards.lower().splitlines():
        words = _PARAMETERS.sub("", line).split()
        if words[:2] == [".subckt", subcircuit.lower()]:
            return words[2:]
    raise KeyError(subcircuit)
