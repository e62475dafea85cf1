"""The hardware model: what a network may know of the circuit it will run on, in physical values (SI units)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from training.errors import first_problem
from training.files import write_whole
from training.hardware.columns import column_of
from training.hardware.curve import Curve, HardwareModelError, Quantity, Record
from training.hardware.variation import Variation

SCHEMA_VERSION = 4
"""Version 2 adds `provenance` and `variation`; version 1 is read as a simulated model without a variation. Version 3 adds
`origin`, which older versions leave empty. Version 4 adds `columns` and `inputs_loaded_with`; older versions have one column,
whose input lines are loaded as its output line is."""

REFERENCE_FILE = Path(__file__).with_name("reference.json")
"""The file of `HardwareModel.reference`."""

Sign = Literal[1, -1]


class SynapseHardware(Record):
    """One sign of a synapse cell. Currents are magnitudes at rest; charges count positive towards the threshold.

    Every curve over ``current`` has the same points, the codes that were swept, in order of increasing current.
    """

    sign: Sign
    code_name: str = Field(description="what sets the weight, such as gate_bias or resistor_length")
    code_unit: str
    code_step: float = Field(default=0.0, ge=0.0, description="codes are multiples of it; 0 where any number will do")
    code: Curve = Field(description="current at rest (A) -> code that gives it")
    reversal: Curve = Field(description="current at rest (A) -> displacement at which the current vanishes (V, > 0)")
    charge_on: Curve = Field(description="current (A) -> charge of switching on, arrival lag included (C)")
    charge_off: Curve = Field(description="current (A) -> charge of switching off, at `tail_reference` after it (C)")
    charge_off_tail: Curve = Field(description="current (A) -> further charge per e-fold of time after switching off (C)")
    lambda_per_v: Quantity = Field(description="slope over current at rest, of the unit weight, fitted against voltage")

    @property
    def current_range_a(self) -> tuple[float, float]:
        return self.code.x[0], self.code.x[-1]


class NeuronHardware(Record):
    """The neuron with its column of synapses attached."""

    synapses: int = Field(description="synapses on the membrane when it was measured")
    rest: Quantity = Field(description="membrane voltage at rest (V)")
    threshold: Quantity = Field(description="membrane voltage at the moment of the output spike (V)")
    reset_error: Quantity = Field(description="displacement that the release of the reset leaves (V)")
    capacitance_neuron: Quantity = Field(description="membrane capacitance without synapses (F)")
    capacitance_synapse: Quantity = Field(description="membrane capacitance that each synapse adds (F)")
    membrane: Curve = Field(description="displacement (V) -> membrane voltage (V)")
    discharger_current: Quantity = Field(description="current of the discharger at rest (A)")
    discharger_reversal: Quantity = Field(description="displacement at which the discharger's current vanishes (V)")
    firing: Curve = Field(description="displacement at the start of the firing phase (V) -> spike time after it (s)")
    earliest_spike: Quantity = Field(description="spike time of a membrane that is past the threshold (s)")
    fan_out: int = Field(description="synapses on the output spike line when the firing curve was measured")
    inputs_loaded_with: int | None = Field(
        default=None, description="synapses on each input line when the charges were measured; as many as fan_out where null"
    )
    load_delay: Quantity = Field(description="delay of the output spike per synapse on its line (s)")
    delay: Quantity = Field(description="output spike after the membrane crosses its static threshold (s)")
    idle_charge_on: Quantity = Field(description="charge of the spike arriving at a synapse that is off (C)")
    idle_charge_off: Quantity = Field(description="charge of its spike line falling again, at `tail_reference` after it (C)")
    idle_charge_off_tail: Quantity = Field(description="further such charge per e-fold of time (C)")
    discharger_bias: Quantity = Field(description="gate bias of the discharger that fires a resting membrane after one phase (V)")
    input_delay: Quantity = Field(description="spike line after the ideal edge that drives it, at the inputs of the network (s)")
    linear_range: tuple[float, float] = Field(description="displacements over which the synapse currents are linear (V)")

    @property
    def capacitance_f(self) -> float:
        """Loaded membrane capacitance: c_neuron + N c_synapse, farad."""
        return self.capacitance_neuron.value + self.synapses * self.capacitance_synapse.value

    @property
    def v_th_v(self) -> float:
        """Distance from rest to threshold, volt (positive)."""
        return abs(self.rest.value - self.threshold.value)

    @property
    def loaded_inputs(self) -> int:
        """Synapses on each input line when the charges were measured."""
        return self.fan_out if self.inputs_loaded_with is None else self.inputs_loaded_with


class ColumnHardware(Record):
    """A neuron and its synapses as they were measured in a column of one size."""

    plus: SynapseHardware
    minus: SynapseHardware
    neuron: NeuronHardware


class HardwareModel(Record):
    """Everything that training may know of a circuit, at one corner and one temperature.

    `plus`, `minus` and `neuron` are those of one column, `columns` those of the other sizes in use: `at` gives the model of a
    layer.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    cell: str = Field(min_length=1, description="kind of the synapse cell")
    provenance: Literal["simulated", "measured"] = Field(default="simulated", description="whether SPICE or silicon gave it")
    origin: str = Field(default="", description="who made it, and from what")
    model_set: str
    model_digest: str
    corner: str
    temperature_c: float
    phase_s: float
    tail_reference_s: float = Field(description="time after switching off at which charge_off was read")
    plus: SynapseHardware
    minus: SynapseHardware
    neuron: NeuronHardware
    columns: tuple[ColumnHardware, ...] = Field(default=(), description="the same in columns of other sizes")
    variation: Variation | None = Field(default=None, description="spread over Monte Carlo dies, where they were simulated")

    @property
    def all_columns(self) -> tuple[ColumnHardware, ...]:
        """The column that the model is of, then those of other sizes."""
        return (ColumnHardware(plus=self.plus, minus=self.minus, neuron=self.neuron), *self.columns)

    def at(self, synapses: int, neurons: int | None = None) -> HardwareModel:
        """The model of a layer: its column, with the others behind it.

        Args:
            synapses: on the membrane of each neuron, i.e. inputs of the layer.
            neurons: of the layer, i.e. synapses on each of its input lines; any where None.

        Raises `HardwareModelError` for a size that was not characterised and does not follow from those that were.
        """
        column = column_of(self, synapses, neurons)
        others = tuple(one for one in self.all_columns if one != column)
        return self.model_copy(update={**dict(column), "columns": others})

    def synapse(self, sign: int) -> SynapseHardware:
        """The synapses of one sign: codes, currents, reversals and charges, over the current at rest."""
        return self.plus if sign > 0 else self.minus

    @property
    def unit_current_a(self) -> float:
        """Current at rest of the weight 1: C V_th / T (docs/physics.md, equation 2)."""
        return self.neuron.capacitance_f * self.neuron.v_th_v / self.phase_s

    def weight_range(self, sign: int) -> tuple[float, float]:
        """Smallest and largest |w| of one sign that the cell can do."""
        low, high = self.synapse(sign).current_range_a
        return low / self.unit_current_a, high / self.unit_current_a

    def save(self, path: Path | str) -> None:
        """Write a file whole or not at all. Raises `HardwareModelError` where that is impossible."""
        path = Path(path)
        try:
            write_whole(path, (self.model_dump_json(indent=1) + "\n").encode())
        except OSError as error:
            raise HardwareModelError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def reference(cls) -> HardwareModel:
        """The model that comes with the library, to try things without a circuit of one's own; `origin` says what it is of."""
        return cls.load(REFERENCE_FILE)

    @classmethod
    def load(cls, path: Path | str) -> HardwareModel:
        """Read a hardware.json. Raises `HardwareModelError` with one line for whatever is wrong with it."""
        try:
            data: Any = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HardwareModelError(f"{path}: cannot be read as JSON: {error}") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if not isinstance(version, int):
            raise HardwareModelError(f"{path}: schema_version: missing; this is not a hardware model")
        if version > SCHEMA_VERSION:
            raise HardwareModelError(
                f"{path}: schema_version: {version} is newer than {SCHEMA_VERSION}, the newest this version reads; update cosim"
            )
        try:
            return cls.model_validate(_migrated(data, version))
        except ValidationError as error:
            raise HardwareModelError(f"{path}: {first_problem(error, 'hardware model')}") from error


def _migrated(data: dict[str, Any], version: int) -> dict[str, Any]:
    """The content of an older version as the newest version would hold it. Version 1 could only be simulated, and had no dies."""
    return {**data, "schema_version": SCHEMA_VERSION} if version < SCHEMA_VERSION else data
