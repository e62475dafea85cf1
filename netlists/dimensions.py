"""The dimensions of the cells: what a design file says of them. Every field carries its unit; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sky130_models.devices import POLY_WIDTHS_UM

Volt = Annotated[float, Field(ge=-5.0, le=5.0)]
Second = Annotated[float, Field(gt=0.0, le=1.0)]
Micrometre = Annotated[float, Field(gt=0.0, le=10_000.0)]


class Section(BaseModel):
    """A section of a design file: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FetSize(Section):
    """Drawn size of a transistor."""

    width_um: Micrometre
    length_um: Micrometre


def _fet(width_um: float, length_um: float) -> FetSize:
    return FetSize(width_um=width_um, length_um=length_um)


class CurrentSourceDimensions(Section):
    """Memory transistor at the membrane, selector at the rail; an NMOS pair for w >= 0 and a PMOS pair for w < 0."""

    kind: Literal["current_source"] = "current_source"
    nmos: FetSize = _fet(1.0, 0.25)
    pmos: FetSize = _fet(1.0, 0.25)
    nmos_bias_v: tuple[Volt, Volt] = Field(default=(0.40, 0.65), description="weakest, strongest gate bias of the NMOS memory")
    pmos_bias_v: tuple[Volt, Volt] = Field(default=(1.30, 1.05), description="weakest, strongest gate bias of the PMOS memory")

    @model_validator(mode="after")
    def _ordered(self) -> CurrentSourceDimensions:
        if self.nmos_bias_v[0] >= self.nmos_bias_v[1]:
            raise ValueError("nmos_bias_v must rise from the weakest to the strongest bias")
        if self.pmos_bias_v[0] <= self.pmos_bias_v[1]:
            raise ValueError("pmos_bias_v must fall from the weakest to the strongest bias")
        return self


class ResistiveDimensions(Section):
    """A high-resistance poly resistor at the membrane and a switch at either rail; the resistor's length sets the weight."""

    kind: Literal["resistive"] = "resistive"
    nmos: FetSize = _fet(1.0, 0.15)
    pmos: FetSize = _fet(2.0, 0.15)
    resistor_width_um: float = Field(default=0.35, description=f"one of {POLY_WIDTHS_UM}")
    resistor_length_um: tuple[Micrometre, Micrometre] = Field(
        default=(1000.0, 40.0), description="weakest (longest), strongest (shortest) resistor"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ResistiveDimensions:
        if self.resistor_width_um not in POLY_WIDTHS_UM:
            raise ValueError(f"resistor_width_um must be one of {POLY_WIDTHS_UM}")
        if self.resistor_length_um[0] <= self.resistor_length_um[1]:
            raise ValueError("resistor_length_um must fall from the weakest to the strongest resistor")
        return self


class NeuronDimensions(Section):
    """Membrane capacitor, reset, discharger, sensing inverter and output logic (sizes of the reference circuit)."""

    membrane_capacitor_um: tuple[Micrometre, Micrometre] = Field(default=(7.0, 7.0), description="drawn MIM plate, W and L")
    wire_capacitance_f: float = Field(
        default=28.5e-15, ge=0.0, le=1e-9, description="membrane wire to ground, a lumped stand-in for layout"
    )
    rest_v: Volt = 1.3
    pullup_bias_v: Volt = Field(default=0.95, description="gate of the PMOS that starves the sensing inverter")
    discharger: FetSize = _fet(1.0, 0.5)
    discharger_switch: FetSize = _fet(1.0, 0.15)
    discharger_bias_v: tuple[Volt, Volt] = Field(
        default=(0.45, 0.75), description="range in which characterisation looks for the discharger's gate bias"
    )
    pullup: FetSize = _fet(1.0, 0.47)
    header: FetSize = _fet(1.0, 0.15)
    sensing_pmos: FetSize = _fet(1.0, 0.15)
    sensing_nmos: FetSize = _fet(1.0, 0.15)
    output_clear: FetSize = _fet(0.42, 0.15)
    reset_nmos: FetSize = _fet(0.42, 0.15)
    reset_pmos: FetSize = _fet(0.42, 0.15)
    logic_nmos: FetSize = _fet(0.42, 0.15)
    logic_pmos: FetSize = _fet(0.84, 0.15)
    spike_nmos: FetSize = _fet(1.0, 0.15)
    spike_pmos: FetSize = _fet(2.0, 0.15)

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
