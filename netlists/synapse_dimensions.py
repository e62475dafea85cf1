"""The dimensions of the synapse cells: what a design file says of them. Every field carries its unit."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from netlists.section import FetSize, Micrometre, Section, Volt, fet
from sky130_models.devices import POLY_WIDTHS_UM

BiasRange = tuple[Volt, Volt]
Role = Literal["membrane", "spike", "spike_bar", "supply", "ground", "bias_n", "bias_p"]
ROLES: tuple[Role, ...] = get_args(Role)
_WORD = re.compile(r"[^\s='\"(){},;]+")


class _BiasedPairs(Section):
    """An NMOS branch for w >= 0 whose gate bias rises with the weight, a PMOS branch for w < 0 whose gate bias falls."""

    kind: str
    nmos_bias_v: BiasRange = Field(default=(0.40, 0.65), description="weakest, strongest gate bias of the NMOS memory")
    pmos_bias_v: BiasRange = Field(default=(1.30, 1.05), description="weakest, strongest gate bias of the PMOS memory")

    @model_validator(mode="after")
    def _ordered(self) -> _BiasedPairs:
        if self.nmos_bias_v[0] >= self.nmos_bias_v[1]:
            raise ValueError("nmos_bias_v must rise from the weakest to the strongest bias")
        if self.pmos_bias_v[0] <= self.pmos_bias_v[1]:
            raise ValueError("pmos_bias_v must fall from the weakest to the strongest bias")
        return self


class CurrentSourceDimensions(_BiasedPairs):
    """Memory transistor at the membrane, selector at the rail; an NMOS pair for w >= 0 and a PMOS pair for w < 0."""

    kind: Literal["current_source"] = "current_source"
    nmos: FetSize = fet(1.0, 0.25)
    pmos: FetSize = fet(1.0, 0.25)


class CascodeDimensions(_BiasedPairs):
    """A current source with a cascode between memory transistor and membrane, its gate at a level that all cells share."""

    kind: Literal["cascode"] = "cascode"
    nmos: FetSize = Field(default=fet(1.0, 0.25), description="memory and selector")
    pmos: FetSize = Field(default=fet(1.0, 0.25), description="memory and selector")
    nmos_cascode: FetSize = fet(1.0, 0.25)
    pmos_cascode: FetSize = fet(1.0, 0.25)
    nmos_cascode_v: Volt = Field(default=0.75, description="gate of the NMOS cascode")
    pmos_cascode_v: Volt = Field(default=0.90, description="gate of the PMOS cascode")


class _Resistor(Section):
    """A high-resistance poly resistor whose length sets the weight."""

    kind: str
    resistor_width_um: float = Field(default=0.35, description=f"one of {POLY_WIDTHS_UM}")
    resistor_length_um: tuple[Micrometre, Micrometre] = Field(
        default=(1000.0, 40.0), description="weakest (longest), strongest (shortest) resistor"
    )

    @model_validator(mode="after")
    def _ordered(self) -> _Resistor:
        if self.resistor_width_um not in POLY_WIDTHS_UM:
            raise ValueError(f"resistor_width_um must be one of {POLY_WIDTHS_UM}")
        if self.resistor_length_um[0] <= self.resistor_length_um[1]:
            raise ValueError("resistor_length_um must fall from the weakest to the strongest resistor")
        return self


class ResistiveDimensions(_Resistor):
    """A high-resistance poly resistor at the membrane and a switch at either rail; the resistor's length sets the weight."""

    kind: Literal["resistive"] = "resistive"
    nmos: FetSize = fet(1.0, 0.15)
    pmos: FetSize = fet(2.0, 0.15)


class TransmissionGateDimensions(_Resistor):
    """A transmission gate at the membrane and a high-resistance poly resistor to either rail; its length sets the weight."""

    kind: Literal["transmission_gate"] = "transmission_gate"
    nmos: FetSize = fet(0.42, 0.15)
    pmos: FetSize = fet(0.84, 0.15)


class BinaryWeightedDimensions(Section):
    """1, 2, 4, ... unit transistors for each sign, switched by bits at the rails: the code is how many unit currents flow."""

    kind: Literal["binary_weighted"] = "binary_weighted"
    bits: Annotated[int, Field(ge=3, le=6)] = 4
    nmos: FetSize = Field(default=fet(1.0, 0.25), description="unit memory transistor; bit switches and selector are as large")
    pmos: FetSize = Field(default=fet(1.0, 0.25), description="unit memory transistor; bit switches and selector are as large")
    nmos_bias_v: Volt = Field(default=0.46, description="gate bias of all NMOS memory transistors: the unit current")
    pmos_bias_v: Volt = Field(default=1.20, description="gate bias of all PMOS memory transistors: the unit current")


class NetlistDimensions(Section):
    """Your own cell: a sub-circuit of a SPICE file, its pins named by what they are connected to."""

    kind: Literal["netlist"] = "netlist"
    file: str = Field(default="", description="SPICE file, relative to the design file")
    cards: str = Field(default="", description="the sub-circuit itself, where there is no file")
    subcircuit: str = Field(description="name of the sub-circuit")
    pins: dict[Role, str] = Field(description=f"which pin is what: {', '.join(ROLES)}")
    fixed_v: dict[str, Volt] = Field(default_factory=dict, description="levels of other pins, by their names")
    below_supply_v: dict[str, Volt] = Field(
        default_factory=dict, description="levels of other pins by how far they are below the supply, which they follow"
    )
    bias_n_v: BiasRange | None = Field(default=None, description="weakest, strongest bias of a weight w > 0 (pin bias_n)")
    bias_p_v: BiasRange | None = Field(default=None, description="weakest, strongest bias of a weight w < 0 (pin bias_p)")
    bias_n_off_v: Volt = Field(default=0.0, description="bias_n of a weight that is not positive")
    bias_p_off_v: Volt | None = Field(
        default=None, description="bias_p of a weight that is not negative; the supply unless given"
    )

    @model_validator(mode="after")
    def _complete(self) -> NetlistDimensions:
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

    def _check_bias(self, role: Literal["bias_n", "bias_p"], range_v: BiasRange | None, off_v: float | None) -> None:
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


SynapseDimensions = (
    CurrentSourceDimensions
    | CascodeDimensions
    | ResistiveDimensions
    | TransmissionGateDimensions
    | BinaryWeightedDimensions
    | NetlistDimensions
)
"""The sections that `[synapse]` may be, told apart by `kind`."""

KINDS: dict[str, type[Section]] = {str(each.model_fields["kind"].default): each for each in get_args(SynapseDimensions)}


def bias_fields(section: Section) -> tuple[str, str]:
    """Fields of a section that hold the range of the bias of w > 0 and of w < 0, where a bias sets the weight."""
    return ("bias_n_v", "bias_p_v") if isinstance(section, NetlistDimensions) else ("nmos_bias_v", "pmos_bias_v")


def supply_levels(section: Section) -> tuple[str, ...]:
    """Fields of a section that hold a level which a bias circuit would make from the supply."""
    return ("pmos_cascode_v",) if isinstance(section, CascodeDimensions) else ()
