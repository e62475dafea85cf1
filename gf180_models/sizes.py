"""Sizes and levels of our cells in GF180MCU where a design gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlists.section import fet

# Megohms of a film of 1 kohm/sq.
_RESISTOR = {"resistor_width_um": 1.0, "resistor_length_um": (5000.0, 200.0)}
_ANALOG, _SWITCH, _SMALL = fet(0.5, 0.5), fet(1.0, 0.28), fet(0.42, 0.28)
_BIASES = {"nmos_bias_v": (0.53, 0.78), "pmos_bias_v": (2.62, 2.32)}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "synapse.current_source": {"nmos": _ANALOG, "pmos": _ANALOG, **_BIASES},
    "synapse.cascode": {
        "nmos": _ANALOG, "pmos": _ANALOG, "nmos_cascode": _ANALOG, "pmos_cascode": _ANALOG,
        "nmos_cascode_v": 1.1, "pmos_cascode_v": 2.0, **_BIASES,
    },
    "synapse.resistive": {"nmos": _SWITCH, "pmos": fet(2.0, 0.28), **_RESISTOR},
    "synapse.transmission_gate": {"nmos": _SMALL, "pmos": fet(0.84, 0.28), **_RESISTOR},
    "synapse.binary_weighted": {"nmos": _ANALOG, "pmos": _ANALOG, "nmos_bias_v": 0.60, "pmos_bias_v": 2.50},
    "neuron.rc_spike": {
        "membrane_capacitor_um": (7.0, 7.0), "wire_capacitance_f": 28.5e-15,
        "rest_v": 2.3, "pullup_bias_v": 2.2, "discharger_bias_v": (0.62, 0.85),
        "discharger": fet(0.5, 1.0), "discharger_switch": _SWITCH,
        "pullup": fet(1.0, 1.0), "header": _SWITCH, "sensing_pmos": _SWITCH, "sensing_nmos": fet(2.0, 0.28),
        "output_clear": _SMALL, "reset_nmos": _SMALL, "reset_pmos": _SMALL,
        "logic_nmos": _SMALL, "logic_pmos": fet(0.84, 0.28), "spike_nmos": _SWITCH, "spike_pmos": fet(2.0, 0.28),
    },
}  # fmt: skip
