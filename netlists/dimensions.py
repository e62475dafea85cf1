"""The dimensions of the neuron and the timing: what a design file says of them. Every field carries its unit."""

from __future__ import annotations

from pydantic import Field, model_validator

from netlists.section import FetSize, Micrometre, Second, Section, Volt, fet


class NeuronDimensions(Section):
    """Membrane capacitor, reset, discharger, sensing inverter and output logic (sizes of the reference circuit)."""

    membrane_capacitor_um: tuple[Micrometre, Micrometre] = Field(default=(7.0, 7.0), description="drawn MIM plate, W and L")
    wire_capacitance_f: float = Field(
        default=28.5e-15, ge=0.0, le=1e-9, description="membrane wire to ground, a lumped stand-in for layout"
    )
    rest_v: Volt = 1.3
    pullup_bias_v: Volt = Field(default=0.95, description="gate of the PMOS that starves the sensing inverter")
    discharger: FetSize = fet(1.0, 0.5)
    discharger_switch: FetSize = fet(1.0, 0.15)
    discharger_bias_v: tuple[Volt, Volt] = Field(
        default=(0.45, 0.75), description="range in which characterisation looks for the discharger's gate bias"
    )
    pullup: FetSize = fet(1.0, 0.47)
    header: FetSize = fet(1.0, 0.15)
    sensing_pmos: FetSize = fet(1.0, 0.15)
    sensing_nmos: FetSize = fet(1.0, 0.15)
    output_clear: FetSize = fet(0.42, 0.15)
    reset_nmos: FetSize = fet(0.42, 0.15)
    reset_pmos: FetSize = fet(0.42, 0.15)
    logic_nmos: FetSize = fet(0.42, 0.15)
    logic_pmos: FetSize = fet(0.84, 0.15)
    spike_nmos: FetSize = fet(1.0, 0.15)
    spike_pmos: FetSize = fet(2.0, 0.15)

    @model_validator(mode="after")
    def _ordered(self) -> NeuronDimensions:
        if self.discharger_bias_v[0] >= self.discharger_bias_v[1]:
            raise ValueError("discharger_bias_v must rise")
        return self


class Timing(Section):
    """Three phases of one length (reset, accumulation, firing); the layers run one phase apart."""

    phase_s: Second = 1e-6
    edge_s: Second = Field(default=1e-9, description="rise and fall time of control and input lines")

    @model_validator(mode="after")
    def _edges_fit(self) -> Timing:
        if self.edge_s > self.phase_s / 50:
            raise ValueError("edge_s must be at most a fiftieth of phase_s")
        return self
