"""The hardware model: what a network may know of the circuit it will run on, in physical values (SI units)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from training.errors import first_problem
from training.files import DIGEST, content_digest, read_json, why, write_whole
from training.hardware.columns import column_of
from training.hardware.consistency import NO_CAPACITANCE_F, first_contradiction
from training.hardware.curve import Curve, FloatArray, HardwareModelError, Quantity, Record
from training.hardware.expected import Expected, curve, quantity
from training.hardware.places import LayerPlaces
from training.hardware.variation import Variation

SCHEMA_VERSION = 11
"""Version 2 adds `provenance` and `variation`; version 1 is read as a simulated model without a variation. Version 3 adds
`origin`, which older versions leave empty. Version 4 adds `columns` and `inputs_loaded_with`; older versions have one column,
whose input lines are loaded as its output line is. Version 5 adds the digest of the content, and states every field. Version
6 adds `capacitance_off` and `capacitance_on`; in older versions the capacitance of a synapse is the same whatever its code.
Version 7 adds `slope`, `curvature` and the leakages: in older versions a current is the straight line from its value at rest to
`reversal`, and nothing leaks. Version 8 adds the drifts of the charges of switching off, and what the line of a neuron
brings beyond that of an input; older versions have neither. Version 9 adds `places`, which older versions leave empty. Version
10 adds what the supply lines of a layout drop, to `places`; older versions drop nothing. In version 11 a larger capacitance slows
what the discharger does and not the neuron's own delay: where a synapse's capacitance depends on its code, charges of older
versions were found with the other law, and are refused."""

DELAY_APART = 11
"""The first version of that."""

REFERENCE_FILE = Path(__file__).with_name("reference.json")
"""The file of `HardwareModel.reference`."""

Sign = Literal[1, -1]

AMPERE = Expected("A", 1e-16, 1e-2)
VOLTAGE = Expected("V", -12.0, 12.0)
CHARGE = curve(AMPERE, Expected("C", -1e-11, 1e-11))
LOAD = curve(AMPERE, Expected("F", 0.0, 1e-11))
LEAKAGE = Expected("A", -1e-6, 1e-6)


class SynapseHardware(Record):
    """One sign of a synapse cell. Currents are magnitudes at rest; charges and leakages count positive towards the threshold.

    At a displacement u from rest the current is that at rest times 1 - sign slope u + curvature u^2. `reversal` is what the
    straight line through the same points says, the figure that is published; where there is no slope, that line is the current.
    Every curve over ``current`` has the same points, the codes that were swept, in order of increasing current.
    """

    sign: Sign
    code_name: str = Field(description="what sets the weight, such as gate_bias or resistor_length")
    code_unit: str
    code_step: float = Field(default=0.0, ge=0.0, description="codes are multiples of it; 0 where any number will do")
    code: Annotated[Curve, curve(AMPERE, Expected(""), monotone=True)] = Field(
        description="current at rest (A) -> code that gives it"
    )
    reversal: Annotated[Curve, curve(AMPERE, Expected("V", 0.02, 1e5))] = Field(
        description="current at rest (A) -> displacement at which the current vanishes (V, > 0)"
    )
    slope: Annotated[Curve, curve(AMPERE, Expected("1/V", -1.0, 50.0))] | None = Field(
        default=None,
        description="current (A) -> fall of the current at rest towards its reversal, over it (1/V); 1/reversal where null",
    )
    curvature: Annotated[Curve, curve(AMPERE, Expected("1/V^2", -50.0, 50.0))] | None = Field(
        default=None,
        description="current (A) -> quadratic coefficient of the current over the displacement, over it (1/V^2); 0 where null",
    )
    leakage: Annotated[Curve, curve(AMPERE, LEAKAGE)] | None = Field(
        default=None, description="current (A) -> current into a resting membrane while off (A); none where null"
    )
    charge_on: Annotated[Curve, CHARGE] = Field(description="current (A) -> charge of switching on, arrival lag included (C)")
    charge_off: Annotated[Curve, CHARGE] = Field(
        description="current (A) -> charge of switching off, at `tail_reference` after it (C)"
    )
    charge_off_tail: Annotated[Curve, CHARGE] = Field(
        description="current (A) -> further charge per e-fold of time after switching off (C)"
    )
    charge_off_drift: Annotated[Curve, CHARGE] | None = Field(
        default=None,
        description="current (A) -> further charge in each `tail_reference` after it (C); none where null",
    )
    line_charge: Annotated[Curve, CHARGE] | None = Field(
        default=None,
        description="current (A) -> charge of switching on by a neuron's line, beyond that by an input's (C); none where null",
    )
    capacitance_off: Annotated[Curve, LOAD] | None = Field(
        default=None,
        description="current (A) -> membrane capacitance that the synapse adds while off (F); as an idle one where null",
    )
    capacitance_on: Annotated[Curve, LOAD] | None = Field(default=None, description="the same while it is on (F)")
    lambda_per_v: Annotated[Quantity, quantity("1/V", -1.0, 50.0)] = Field(
        description="slope over current at rest, of the unit weight, fitted against voltage"
    )

    @model_validator(mode="after")
    def _one_code(self) -> SynapseHardware:
        for axis, of_curve, of_cell in (("unit", self.code.y_unit, self.code_unit), ("name", self.code.y_name, self.code_name)):
            if of_curve != of_cell:
                raise ValueError(f"code_{axis} is {of_cell!r}, that of the curve `code` is {of_curve!r}; they are one")
        return self

    @model_validator(mode="after")
    def _both_capacitances(self) -> SynapseHardware:
        if (self.capacitance_off is None) != (self.capacitance_on is None):
            raise ValueError("capacitance_off and capacitance_on go together")
        return self

    @model_validator(mode="after")
    def _slope_and_curvature(self) -> SynapseHardware:
        if (self.slope is None) != (self.curvature is None):
            raise ValueError("slope and curvature go together: a parabola is steeper or flatter at rest than its line")
        return self

    def slope_and_curvature(self, current_a: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope (1/V) and curvature (1/V^2) of the current over its value at rest (A, any shape)."""
        if self.slope is None or self.curvature is None:
            return 1 / self.reversal(current_a), np.zeros_like(current_a)
        return self.slope(current_a), self.curvature(current_a)

    @property
    def current_range_a(self) -> tuple[float, float]:
        return self.code.x[0], self.code.x[-1]


class NeuronHardware(Record):
    """The neuron with its column of synapses attached."""

    synapses: int = Field(ge=1, le=65536, description="synapses on the membrane when it was measured")
    rest: Annotated[Quantity, quantity("V", 0.0, 10.0)] = Field(description="membrane voltage at rest (V)")
    threshold: Annotated[Quantity, quantity("V", 0.0, 10.0)] = Field(
        description="membrane voltage at the moment of the output spike (V)"
    )
    reset_error: Annotated[Quantity, quantity("V", -1.0, 1.0)] = Field(
        description="displacement that the release of the reset leaves (V)"
    )
    capacitance_neuron: Annotated[Quantity, quantity("F", 1e-16, 1e-9)] = Field(
        description="membrane capacitance without synapses (F)"
    )
    capacitance_synapse: Annotated[Quantity, quantity("F", -NO_CAPACITANCE_F, 1e-11)] = Field(
        description="membrane capacitance that each synapse adds while idle (F)"
    )
    membrane: Annotated[Curve, curve(VOLTAGE, VOLTAGE, monotone=True)] = Field(
        description="displacement (V) -> membrane voltage (V)"
    )
    discharger_current: Annotated[Quantity, quantity("A", 1e-14, 1e-3)] = Field(
        description="current of the discharger at rest (A)"
    )
    discharger_reversal: Annotated[Quantity, quantity("V", 0.02, 1e5)] = Field(
        description="displacement at which the discharger's current vanishes (V)"
    )
    firing: Annotated[Curve, curve(VOLTAGE, Expected("s", 0.0, 10.0))] = Field(
        description="displacement at the start of the firing phase (V) -> spike time after it (s)"
    )
    earliest_spike: Annotated[Quantity, quantity("s", 0.0, 1.0)] = Field(
        description="spike time of a membrane that is past the threshold (s)"
    )
    fan_out: int = Field(ge=0, le=4096, description="synapses on the output spike line when the firing curve was measured")
    inputs_loaded_with: int | None = Field(
        default=None,
        ge=0,
        description="synapses on each input line when the charges were measured; as many as fan_out where null",
    )
    load_delay: Annotated[Quantity, quantity("s", -1e-3, 1e-3)] = Field(
        description="delay of the output spike per synapse on its line (s)"
    )
    delay: Annotated[Quantity, quantity("s", -1.0, 1.0)] = Field(
        description="output spike after the membrane crosses its static threshold (s)"
    )
    idle_charge_on: Annotated[Quantity, quantity("C", -1e-11, 1e-11)] = Field(
        description="charge of the spike arriving at a synapse that is off (C)"
    )
    idle_charge_off: Annotated[Quantity, quantity("C", -1e-11, 1e-11)] = Field(
        description="charge of its spike line falling again, at `tail_reference` after it (C)"
    )
    idle_charge_off_tail: Annotated[Quantity, quantity("C", -1e-11, 1e-11)] = Field(
        description="further such charge per e-fold of time (C)"
    )
    idle_charge_off_drift: Annotated[Quantity, quantity("C", -1e-11, 1e-11)] | None = Field(
        default=None, description="further such charge in each `tail_reference` (C); none where null"
    )
    idle_line_charge: Annotated[Quantity, quantity("C", -1e-11, 1e-11)] | None = Field(
        default=None, description="`line_charge` of a synapse that is off (C); none where null"
    )
    leakage: Annotated[Quantity, quantity("A", -1e-6, 1e-6)] | None = Field(
        default=None, description="current of the neuron alone into its resting membrane (A); none where null"
    )
    idle_leakage: Annotated[Quantity, quantity("A", -1e-6, 1e-6)] | None = Field(
        default=None, description="that of a synapse of weight 0 (A); none where null"
    )
    discharger_bias: Annotated[Quantity, quantity("V", 0.01, 10.0)] = Field(
        description="gate bias of the discharger that fires a resting membrane after one phase (V)"
    )
    input_delay: Annotated[Quantity, quantity("s", -1e-3, 1.0)] = Field(
        description="spike line after the ideal edge that drives it, at the inputs of the network (s)"
    )
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
    temperature_c: float = Field(ge=-273.15, le=500.0)
    phase_s: float = Field(ge=1e-10, le=1.0)
    tail_reference_s: float = Field(ge=1e-12, le=1.0, description="time after switching off at which charge_off was read")
    plus: SynapseHardware
    minus: SynapseHardware
    neuron: NeuronHardware
    columns: tuple[ColumnHardware, ...] = Field(default=(), description="the same in columns of other sizes")
    behind_neurons: bool = Field(
        default=False, description="whether neurons send the input lines of the layer that it is the model of, not the inputs"
    )
    places: tuple[LayerPlaces, ...] = Field(
        default=(), description="what differs from place to place in each layer of a layout; all places are alike where empty"
    )
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
            content = self.model_dump(mode="json")
            write_whole(path, (json.dumps({**content, DIGEST: content_digest(content)}, indent=1) + "\n").encode())
        except OSError as error:
            raise HardwareModelError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def reference(cls) -> HardwareModel:
        """The model that comes with the library, to try things without a circuit of one's own; `origin` says what it is of."""
        return cls.load(REFERENCE_FILE)

    @classmethod
    def load(cls, path: Path | str) -> HardwareModel:
        """Read a hardware.json.

        Raises `HardwareModelError` with one line for whatever is wrong with it: a key, a unit, a value that no circuit has,
        numbers that cannot be of one circuit, and a content that is not what `save` wrote.
        """
        try:
            data: Any = read_json(Path(path))
        except (OSError, ValueError) as error:
            raise HardwareModelError(f"{path}: cannot be read as JSON: {why(error)}") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if not isinstance(version, int):
            raise HardwareModelError(f"{path}: schema_version: missing; this is not a hardware model")
        if version > SCHEMA_VERSION:
            raise HardwareModelError(
                f"{path}: schema_version: {version} is newer than {SCHEMA_VERSION}, the newest this version reads; update cosim"
            )
        if version < DELAY_APART and any(_has(data, side, "capacitance_off") for side in ("plus", "minus")):
            raise HardwareModelError(
                f"{path}: schema_version: {version}, whose charges were found as if a synapse's capacitance slowed a neuron's "
                "own delay; extract it again: cosim characterize DESIGN"
            )
        digest = data.pop(DIGEST, None)
        try:
            model = cls.model_validate(_migrated(data, version))
        except ValidationError as error:
            raise HardwareModelError(f"{path}: {first_problem(error, 'hardware model')}") from error
        if version == SCHEMA_VERSION and (missing := _first_unset(model)):
            raise HardwareModelError(f"{path}: {missing}: missing; every field stands in a hardware model of version {version}")
        if problem := first_contradiction(model):
            raise HardwareModelError(f"{path}: {problem}")
        if digest is not None and digest != content_digest(data):
            raise HardwareModelError(
                f"{path}: {DIGEST}: the content is not what it was when the file was written; take the file from where it came "
                "from, or remove this key where the change is meant"
            )
        return model


def _has(data: dict[str, Any], part: str, name: str) -> bool:
    """Whether a part of an unchecked content has a field."""
    return isinstance(data.get(part), dict) and data[part].get(name) is not None


def _migrated(data: dict[str, Any], version: int) -> dict[str, Any]:
    """The content of an older version as the newest version would hold it. Version 1 could only be simulated, and had no dies."""
    return {**data, "schema_version": SCHEMA_VERSION} if version < SCHEMA_VERSION else data


def _first_unset(record: BaseModel) -> str | None:
    """The path of the first field that a file left to its default, such as `plus.code.log_x`."""
    for name in type(record).model_fields:
        if name not in record.model_fields_set:
            return name
        value = getattr(record, name)
        parts = {f"{name}.{k}": one for k, one in enumerate(value)} if isinstance(value, tuple) else {name: value}
        for path, part in parts.items():
            if isinstance(part, BaseModel) and (inner := _first_unset(part)):
                return f"{path}.{inner}"
    return None
