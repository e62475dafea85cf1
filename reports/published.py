"""Published values: of the reference circuit (Sakemi et al. 2025, arXiv 2412.09010), and the energy of others of the kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Published(NamedTuple):
    """A published value in SI units."""

    unit: str
    value: float


CELLS = {
    "lambda_N": Published("1/V", 0.41),
    "E+": Published("", 2.80),
    "lambda_P": Published("1/V", 0.75),
    "E-": Published("", -1.53),
    "lambda_dis": Published("1/V", 0.177),
    "E_dis": Published("", 6.44),
    "V_switch": Published("V", 0.428),
    "membrane capacitance": Published("F", 140e-15),
}
"""Of its cells, which characterisation measures."""

KEY = "published_circuit"
"""Of provenance.json: whether the design of the run is the published circuit."""

CIRCUIT: dict[tuple[str, ...], Any] = {
    ("process", "name"): "sky130", ("process", "corner"): "tt", ("process", "temperature_c"): 27.0, ("process", "supply_v"): 1.8,
    ("synapse", "kind"): "current_source", ("neuron", "kind"): "rc_spike", ("neuron", "rest_v"): 1.3,
    ("timing", "phase_s"): 1e-6,
    ("network", "dataset"): "iris", ("network", "bias"): True, ("network", "layers"): [5, 5],
}  # fmt: skip
"""What a design must say, its defaults filled in, for its output spikes to be comparable with the published ones."""

OUTPUT_SPIKES = {
    "validation.conventional.output_spike_rmse_s": Published("s", 39.04e-9),
    "validation.ode.output_spike_rmse_s": Published("s", 1.97e-9),
    "validation.error_ratio": Published("", 19.8),
}
"""Of its output spikes over 50 Iris samples, T = 1 us, by the metric that a run has for them."""


EFFICIENCIES = (
    ("weighted sum in the time domain, Frontiers in Neuroscience 19 (2025) 1656892", "238 TOPS/W", "simulated, above 4 bit"),
    ("time-domain multiplier in 55 nm flash, Bavandpour et al. (2017)", "7 fJ an operation", "post-layout estimate, 6 bit"),
    (
        "time-to-first-spike layer in 90 nm, IEEE Trans. VLSI Systems 32 (2024) 848",
        "4.74 pJ an inference and neuron", "measured",
    ),
)  # fmt: skip
"""Energy of circuits of the kind: what it is, what is stated, how it was found."""


def is_published_circuit(design: Mapping[str, Any]) -> bool:
    """Whether a design, with every default filled in, is the published circuit. What it does not say is not taken to be so."""
    return all(_at(design, path) == value for path, value in CIRCUIT.items())


def _at(design: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    for key in path:
        design = design.get(key, {}) if isinstance(design, Mapping) else {}
    return design
