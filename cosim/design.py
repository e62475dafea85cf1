"""The schema of a design: the TOML file that a user copies and edits. Every field says its unit; unknown keys are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cosim.errors import InputError
from sky130_models.corners import Corner, ModelSet

Volt = Annotated[float, Field(ge=-5.0, le=5.0)]
Second = Annotated[float, Field(gt=0.0, le=1.0)]
Micrometre = Annotated[float, Field(gt=0.0, le=10_000.0)]
Count = Annotated[int, Field(ge=1, le=100_000)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FetSize(_Section):
    """Drawn size of a transistor."""

    width_um: Micrometre
    length_um: Micrometre


class Process(_Section):
    """Which devices, at which corner."""

    model_set: ModelSet = ModelSet.CONTINUOUS
    corner: Corner = Corner.TT
    temperature_c: float = Field(default=27.0, ge=-55.0, le=175.0)
    supply_v: Volt = 1.8


class CurrentSourceSynapse(_Section):
    """Memory transistor at the membrane, selector at the rail; an NMOS pair for w >= 0 and a PMOS pair for w < 0."""

    kind: Literal["current_source"] = "current_source"
    nmos: FetSize = FetSize(width_um=1.0, length_um=0.25)
    pmos: FetSize = FetSize(width_um=1.0, length_um=0.25)
    nmos_bias_v: tuple[Volt, Volt] = Field(default=(0.40, 0.68), description="weakest, strongest gate bias of the NMOS memory")
    pmos_bias_v: tuple[Volt, Volt] = Field(default=(1.30, 1.00), description="weakest, strongest gate bias of the PMOS memory")

    @model_validator(mode="after")
    def _ordered(self) -> CurrentSourceSynapse:
        if self.nmos_bias_v[0] >= self.nmos_bias_v[1]:
            raise ValueError("nmos_bias_v must rise from the weakest to the strongest bias")
        if self.pmos_bias_v[0] <= self.pmos_bias_v[1]:
            raise ValueError("pmos_bias_v must fall from the weakest to the strongest bias")
        return self


class ResistiveSynapse(_Section):
    """A high-resistance poly resistor at the membrane and a switch at either rail; the resistor's length sets the weight."""

    kind: Literal["resistive"] = "resistive"
    nmos: FetSize = FetSize(width_um=1.0, length_um=0.15)
    pmos: FetSize = FetSize(width_um=2.0, length_um=0.15)
    resistor_width_um: Literal[0.35, 0.69, 1.41, 2.85, 5.73] = 0.35
    resistor_length_um: tuple[Micrometre, Micrometre] = Field(
        default=(1500.0, 40.0), description="weakest (longest), strongest (shortest) resistor"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ResistiveSynapse:
        if self.resistor_length_um[0] <= self.resistor_length_um[1]:
            raise ValueError("resistor_length_um must fall from the weakest to the strongest resistor")
        return self


class NeuronCell(_Section):
    """Membrane capacitor, reset, discharger, sensing inverter and output logic."""

    membrane_capacitor_um: tuple[Micrometre, Micrometre] = Field(default=(7.0, 7.0), description="drawn MIM plate, W and L")
    wire_capacitance_f: float = Field(default=32e-15, ge=0.0, le=1e-9, description="membrane wire to ground, a lumped stand-in for layout")
    rest_v: Volt = 1.3
    pullup_bias_v: Volt = Field(default=0.95, description="gate of the PMOS that starves the sensing inverter")
    discharger: FetSize = FetSize(width_um=1.0, length_um=0.5)
    discharger_switch: FetSize = FetSize(width_um=1.0, length_um=0.15)
    pullup: FetSize = FetSize(width_um=1.0, length_um=0.47)
    header: FetSize = FetSize(width_um=1.0, length_um=0.15)
    sensing_pmos: FetSize = FetSize(width_um=1.0, length_um=0.35)
    sensing_nmos: FetSize = FetSize(width_um=1.0, length_um=0.15)
    output_clear: FetSize = FetSize(width_um=0.42, length_um=0.15)
    reset_nmos: FetSize = FetSize(width_um=0.42, length_um=0.15)
    reset_pmos: FetSize = FetSize(width_um=0.42, length_um=0.15)
    logic_nmos: FetSize = FetSize(width_um=0.42, length_um=0.15)
    logic_pmos: FetSize = FetSize(width_um=0.84, length_um=0.15)
    spike_nmos: FetSize = FetSize(width_um=1.0, length_um=0.15)
    spike_pmos: FetSize = FetSize(width_um=2.0, length_um=0.15)


class Timing(_Section):
    """Three phases of one length; the layers run one phase apart."""

    phase_s: Second = 1e-6
    edge_s: Second = Field(default=1e-9, description="rise and fall time of control and input lines")

    @model_validator(mode="after")
    def _edges_fit(self) -> Timing:
        if self.edge_s > self.phase_s / 50:
            raise ValueError("edge_s must be at most a fiftieth of phase_s")
        return self


class Accuracy(_Section):
    """How ngspice integrates. `reltol` decides for current sources, the step for R-C charging."""

    reltol: float = Field(default=3e-6, gt=0.0, le=1e-2)
    max_step_s: Second = 20e-9
    timeout_s: float = Field(default=300.0, gt=0.0, description="wall time after which one simulation is given up")


class Characterization(_Section):
    """How finely the cells are swept."""

    codes: int = Field(default=15, ge=4, le=200, description="gate biases (or resistors) per sign")
    membrane_points: int = Field(default=24, ge=6, le=500, description="membrane voltages per I-V curve")
    firing_points: int = Field(default=36, ge=8, le=1000, description="membrane levels of the firing-phase sweep")


class Network(_Section):
    """What is computed. The input layer is not counted: two layers of neurons."""

    dataset: Literal["iris"] = "iris"
    hidden: Annotated[int, Field(ge=1, le=64)] = 5
    outputs: Annotated[int, Field(ge=3, le=64)] = 5
    test_samples: Annotated[int, Field(ge=1, le=100)] = 50
    split_seed: int = 0


class Training(_Section):
    """The published recipe (PHYSICS.md, section 6) and its seed."""

    epochs: Count = 2000
    batch: Count = 50
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    seed: int = 0
    softmax_temperature: float = Field(default=0.07, gt=0.0)
    temporal_penalty: float = Field(default=0.1, ge=0.0)
    weight_penalty: float = Field(default=1e-2, ge=0.0)
    early_spike_penalty: float = Field(default=0.2, ge=0.0)
    early_spike: float = Field(default=0.12, ge=0.0, le=1.0, description="spikes before this share of a phase are penalised")
    spike_time_noise: float = Field(default=0.01, ge=0.0, description="rms, in phases, in training")
    conventional_reversal: float = Field(default=100.0, gt=1.0, description="|E| of the conventional network")


class GainSearch(_Section):
    """The two-gain search in SPICE that the conventional mapping needs."""

    samples: Annotated[int, Field(ge=1, le=10)] = 10
    points: Annotated[int, Field(ge=5, le=15)] = 15
    reltol: float = Field(default=1e-4, gt=0.0, le=1e-2)


class Validation(_Section):
    """What is simulated at transistor level."""

    samples: Annotated[int, Field(ge=1, le=100)] = 50
    mismatch_dies: Annotated[int, Field(ge=0, le=1000)] = 4
    mismatch_samples: Annotated[int, Field(ge=1, le=100)] = 10
    mismatch_seed: int = 1
    accuracy_samples: Annotated[int, Field(ge=0, le=100)] = 3
    gain_search: GainSearch = GainSearch()


class Limit(_Section):
    """Pass or fail of one metric. At least one of min and max."""

    min: float | None = None
    typ: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("a limit needs min or max")
        return self


class Design(_Section):
    """One design, from devices to limits."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    process: Process = Process()
    synapse: CurrentSourceSynapse | ResistiveSynapse = Field(default=CurrentSourceSynapse(), discriminator="kind")
    neuron: NeuronCell = NeuronCell()
    timing: Timing = Timing()
    accuracy: Accuracy = Accuracy()
    characterization: Characterization = Characterization()
    network: Network = Network()
    training: Training = Training()
    validation: Validation = Validation()
    limits: dict[str, Limit] = {}

    @model_validator(mode="after")
    def _voltages(self) -> Design:
        if not 0 < self.neuron.rest_v < self.process.supply_v:
            raise ValueError("neuron.rest_v must lie between ground and process.supply_v")
        return self


def load_design(path: Path) -> Design:
    """Read a design file. Raises `InputError` with one line: file, field, what is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give the path of a design, e.g. designs/iris_5_5_5.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    try:
        return Design.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """The first problem of a validation error in one line."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("current_source", "resistive")) or "design"
    if first["type"] == "extra_forbidden":
        return f"{field}: unknown key; see docs/design.md for the keys of this section"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f", not {given!r}" if isinstance(given, int | float | str) else ""
    return f"{field}: {message}{shown}"
