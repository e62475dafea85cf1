"""Sizes and levels of our cells in SKY130 where a design gives none: those of the reference circuit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlists.section import fet

_ANALOG, _SWITCH, _SMALL = fet(1.0, 0.25), fet(1.0, 0.15), fet(0.42, 0.15)
_BIASES = {"nmos_bias_v": (0.40, 0.65), "pmos_bias_v": (1.30, 1.05)}
_RESISTOR = {"resistor_width_um": 0.35, "resistor_length_um": (1000.0, 40.0)}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "synapse.current_source": {"nmos": _ANALOG, "pmos": _ANALOG, **_BIASES},
    "synapse.cascode": {
        "nmos": _ANALOG, "pmos": _ANALOG, "nmos_cascode": _ANALOG, "pmos_cascode": _ANALOG,
        "nmos_cascode_v": 0.75, "pmos_cascode_v": 0.90, **_BIASES,
    },
    "synapse.resistive": {"nmos": _SWITCH, "pmos": fet(2.0, 0.15), **_RESISTOR},
    "synapse.transmission_gate": {"nmos": _SMALL, "pmos": fet(0.84, 0.15), **_RESISTOR},
    "synapse.binary_weighted": {"nmos": _ANALOG, "pmos": _ANALOG, "nmos_bias_v": 0.46, "pmos_bias_v": 1.20},
    "neuron.rc_spike": {
        "membrane_capacitor_um": (7.0, 7.0), "wire_capacitance_f": 28.5e-15,
        "rest_v": 1.3, "pullup_bias_v": 0.95, "discharger_bias_v": (0.45, 0.75),
        "discharger": fet(1.0, 0.5), "discharger_switch": _SWITCH,
        "pullup": fet(1.0, 0.47), "header": _SWITCH, "sensing_pmos": _SWITCH, "sensing_nmos": _SWITCH, "output_clear": _SMALL,
        "reset_nmos": _SMALL, "reset_pmos": _SMALL,
        "logic_nmos": _SMALL, "logic_pmos": fet(0.84, 0.15), "spike_nmos": _SWITCH, "spike_pmos": fet(2.0, 0.15),
    },
}  # fmt: skip
