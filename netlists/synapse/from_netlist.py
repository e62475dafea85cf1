"""A synapse that a user brings: a sub-circuit and what its pins are."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit

from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSetting, shared_level
from netlists.synapse_dimensions import NetlistDimensions

_PARAMETERS = re.compile(r"\s(?:params:|[^\s=]+\s*=).*")
"""All that a header says after its pins."""


class NetlistSynapse(SynapseCell):
    """The sub-circuit of `dimensions.cards`; a bias sets its weight, the levels of its other pins are fixed."""

    code_name = "gate_bias"
    code_unit = "V"

    def __init__(self, dimensions: NetlistDimensions, supply_v: float):
        self.dimensions = dimensions
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
        line = "n_bias" if sign > 0 else "p_bias"
        return f"V{name}_{line}" if ("bias_n" if sign > 0 else "bias_p") in self.dimensions.pins else None


def pins_of(cards: str, subcircuit: str) -> list[str]:
    """The pins of a sub-circuit in their order, in lower case. Raises `KeyError` if the cards do not define it."""
    for line in cards.lower().splitlines():
        words = _PARAMETERS.sub("", line).split()
        if words[:2] == [".subckt", subcircuit.lower()]:
            return words[2:]
    raise KeyError(subcircuit)
