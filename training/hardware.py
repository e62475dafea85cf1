"""The hardware model: what a network may know of the circuit it will run on.

`HardwareModel` holds physical values (SI units) extracted from a circuit at one corner and one temperature. `normalise()` is
the one place where SI becomes the dimensionless numbers of the neuron equation (w, E, kicks). This module imports no torch and
no simulator, so an extracted model can be read anywhere.

The membrane is described in the charge domain: the *displacement* ``u`` of a membrane is the charge that has flowed onto it
since it was at rest, divided by the loaded capacitance ``C`` (volts, positive towards the threshold), and ``v = u / V_th``.
A membrane capacitor whose value depends on its voltage therefore stays linear in ``v``; `NeuronHardware.membrane` converts to
the voltage that a probe would show.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training.errors import TrainingError
from training.hardware_variation import Variation

SCHEMA_VERSION = 2
"""Version 2 adds `provenance` and `variation`; version 1 is read as a simulated model without a variation."""

Sign = Literal[1, -1]
FloatArray = NDArray[np.float64]


class HardwareModelError(TrainingError):
    """A hardware model cannot be read, or was asked for something outside what was measured."""


class OutOfRange(HardwareModelError):
    """An argument lies outside the range that was measured."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Quantity(_Record):
    """A number with its unit and the quality of its extraction."""

    value: float
    unit: str
    standard_error: float = 0.0
    residual: float = Field(default=0.0, description="worst residual of the fit, in the unit of the value unless noted")
    source: str = Field(default="", description="table under characterization/ that holds the source points")


class Curve(_Record):
    """A one-dimensional curve through its points; it raises outside them.

    The interpolant is monotone (`pchip`) or, for dense points of a smooth curve, the more accurate `cubic` spline.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    x_name: str
    x_unit: str
    y_name: str
    y_unit: str
    interpolant: Literal["pchip", "cubic"] = "pchip"
    log_x: bool = Field(default=False, description="interpolate against ln x")
    log_y: bool = Field(default=False, description="interpolate ln y")
    standard_error: float = 0.0
    residual: float = 0.0
    source: str = ""

    @model_validator(mode="after")
    def _check(self) -> Curve:
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(f"{self.y_name}: a curve needs two or more points and as many x as y")
        if np.any(np.diff(self.x) <= 0):
            raise ValueError(f"{self.y_name}: x must increase")
        if (self.log_x and self.x[0] <= 0) or (self.log_y and min(self.y) <= 0):
            raise ValueError(f"{self.y_name}: a logarithmic axis needs positive values")
        return self

    def __call__(self, x: float | FloatArray) -> FloatArray:
        """Value at ``x`` (any shape). Raises `OutOfRange` outside the measured points."""
        # Late, because it takes longer to import than everything else of this module together.
        from scipy.interpolate import CubicSpline, PchipInterpolator

        x = np.asarray(x, dtype=float)
        slack = 1e-9 * (self.x[-1] - self.x[0])
        if x.size and (x.min() < self.x[0] - slack or x.max() > self.x[-1] + slack):
            raise OutOfRange(
                f"{self.y_name}: {self.x_name} = {x.min():.6g} .. {x.max():.6g} {self.x_unit} lies outside the measured "
                f"range {self.x[0]:.6g} .. {self.x[-1]:.6g} {self.x_unit}"
            )
        x = np.clip(x, self.x[0], self.x[-1])
        grid, values = np.asarray(self.x), np.asarray(self.y)
        interpolant = PchipInterpolator if self.interpolant == "pchip" else CubicSpline
        result = interpolant(np.log(grid) if self.log_x else grid, np.log(values) if self.log_y else values)(
            np.log(x) if self.log_x else x
        )
        return np.exp(result) if self.log_y else np.asarray(result)

    def inverse(self) -> Curve:
        """The curve read the other way. Raises `HardwareModelError` where it is not monotone."""
        steps = np.diff(self.y)
        if not (np.all(steps > 0) or np.all(steps < 0)):
            raise HardwareModelError(f"{self.y_name}({self.x_name}) is not monotone and has no inverse")
        order = slice(None) if steps[0] > 0 else slice(None, None, -1)
        return Curve(
            x=self.y[order], y=self.x[order], x_name=self.y_name, x_unit=self.y_unit, y_name=self.x_name,
            y_unit=self.x_unit, interpolant=self.interpolant, log_x=self.log_y, log_y=self.log_x, source=self.source,
        )  # fmt: skip


class SynapseHardware(_Record):
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


class NeuronHardware(_Record):
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


class HardwareModel(_Record):
    """Everything that training may know of a circuit, at one corner and one temperature."""

    schema_version: int = SCHEMA_VERSION
    name: str
    cell: str = Field(min_length=1, description="kind of the synapse cell")
    provenance: Literal["simulated", "measured"] = Field(default="simulated", description="whether SPICE or silicon gave it")
    model_set: str
    model_digest: str
    corner: str
    temperature_c: float
    phase_s: float
    tail_reference_s: float = Field(description="time after switching off at which charge_off was read")
    plus: SynapseHardware
    minus: SynapseHardware
    neuron: NeuronHardware
    variation: Variation | None = Field(default=None, description="spread over Monte Carlo dies, where they were simulated")

    def synapse(self, sign: int) -> SynapseHardware:
        return self.plus if sign > 0 else self.minus

    @property
    def unit_current_a(self) -> float:
        """Current at rest of the weight 1: C V_th / T (docs/physics.md, equation 2)."""
        return self.neuron.capacitance_f * self.neuron.v_th_v / self.phase_s

    def weight_range(self, sign: int) -> tuple[float, float]:
        """Smallest and largest |w| of one sign that the cell can do."""
        low, high = self.synapse(sign).current_range_a
        return low / self.unit_current_a, high / self.unit_current_a

    def save(self, path: Path) -> None:
        """Write a file whole or not at all. Raises `HardwareModelError` where that is impossible."""
        temporary = path.with_suffix(".partial")
        try:
            temporary.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise HardwareModelError(f"{path}: cannot be written: {error.strerror}") from error

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
            first = error.errors()[0]
            raise HardwareModelError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _migrated(data: dict[str, Any], version: int) -> dict[str, Any]:
    """The content of an older version as the newest version would hold it. Version 1 could only be simulated, and had no dies."""
    return {**data, "schema_version": SCHEMA_VERSION} if version < SCHEMA_VERSION else data


@dataclass(frozen=True)
class NormalisedSynapse:
    """One sign of the synapse over a grid of |w| (all arrays of one shape [G]); kicks are jumps of v, positive upwards.

    `beta` is 1/E with the sign of the weight, so that beta * w >= 0. Interpolate linearly between grid points.
    """

    magnitude: FloatArray
    beta: FloatArray
    kick_on: FloatArray
    kick_off: FloatArray
    kick_off_tail: FloatArray

    @property
    def smallest(self) -> float:
        return float(self.magnitude[0])

    @property
    def largest(self) -> float:
        return float(self.magnitude[-1])

    @classmethod
    def constant(cls, reversal: float, largest: float = 1e6) -> NormalisedSynapse:
        """A synapse with one reversal potential (any sign, inf allowed) for all weights and no kicks."""
        zero = np.zeros(2)
        return cls(np.array([0.0, largest]), np.full(2, 1.0 / reversal), zero, zero, zero)


@dataclass(frozen=True)
class NormalisedModel:
    """The neuron equation's numbers: time in phases, membrane in thresholds (docs/physics.md).

    Accumulation: dv/dt = sum_j w_j (1 - beta(w_j) v) step(t - t_j), v(0) = `v_reset`; v jumps by kick_on(w_j) at t_j, and by
    kick_off(w_j) at t = 1 for every input that arrived before 1. A synapse of weight 0 (off) jumps by `idle_kick_on/off`.
    Firing: t_out = firing curve at v (linear between points, clipped to [t_min, 1] outside them); the tail adds
    kick_off_tail * ln(t_out / tail_reference) to v for each synapse that was on (one fixed-point step is enough). The curve was
    measured with `fan_out` synapses on the output line; each one more or less moves the spike by `load_delay`.
    """

    plus: NormalisedSynapse
    minus: NormalisedSynapse
    firing_v: FloatArray
    firing_t: FloatArray
    e_dis: float = math.inf
    v_reset: float = 0.0
    idle_kick_on: float = 0.0
    idle_kick_off: float = 0.0
    idle_kick_off_tail: float = 0.0
    tail_reference: float = 0.5
    fan_out: int = 0
    load_delay: float = 0.0
    linear_range: tuple[float, float] = (-math.inf, math.inf)

    @property
    def t_min(self) -> float:
        return float(self.firing_t.min())

    @classmethod
    def constant(cls, e_plus: float, e_minus: float, e_dis: float = math.inf, largest: float = 1e6) -> NormalisedModel:
        """The published model: one E+ > 0, one E- < 0, a discharger of reversal e_dis, and nothing else.

        e_plus = 100, e_minus = -100 is the conventional network.
        """
        if not (e_plus > 0 > e_minus and e_dis > 1):
            raise HardwareModelError(f"need E+ > 0 > E- and E_dis > 1, not {e_plus}, {e_minus}, {e_dis}")
        v = np.linspace(0.0, 1.0, 257)
        return cls(
            NormalisedSynapse.constant(e_plus, largest),
            NormalisedSynapse.constant(e_minus, largest),
            firing_v=v,
            firing_t=firing_law(v, e_dis),
            e_dis=e_dis,
        )


def firing_law(v: FloatArray, e_dis: float) -> FloatArray:
    """Spike time (phases) of a membrane v under a discharger with reversal e_dis (docs/physics.md, equation 3)."""
    if math.isinf(e_dis):
        return 1.0 - np.asarray(v)
    b = 1.0 / e_dis
    return (math.log1p(-b) - np.log1p(-b * np.asarray(v))) / math.log1p(-b)


def normalise(model: HardwareModel, points: int = 129) -> NormalisedModel:
    """SI to the numbers of the neuron equation. The only place where that happens.

    Args:
        model: the extracted hardware.
        points: grid points per weight curve (logarithmic in |w|), and half as many again for the firing curve.
    """
    v_th, charge_unit = model.neuron.v_th_v, model.neuron.capacitance_f * model.neuron.v_th_v

    def synapse(sign: Sign) -> NormalisedSynapse:
        cell = model.synapse(sign)
        current = np.geomspace(*cell.current_range_a, points)
        return NormalisedSynapse(
            magnitude=current / model.unit_current_a,
            beta=sign * v_th / cell.reversal(current),
            kick_on=cell.charge_on(current) / charge_unit,
            kick_off=cell.charge_off(current) / charge_unit,
            kick_off_tail=cell.charge_off_tail(current) / charge_unit,
        )

    displacement = np.linspace(model.neuron.firing.x[0], model.neuron.firing.x[-1], 8 * points)
    low, high = model.neuron.linear_range
    return NormalisedModel(
        plus=synapse(1),
        minus=synapse(-1),
        firing_v=displacement / v_th,
        firing_t=model.neuron.firing(displacement) / model.phase_s,
        e_dis=model.neuron.discharger_reversal.value / v_th,
        v_reset=model.neuron.reset_error.value / v_th,
        idle_kick_on=model.neuron.idle_charge_on.value / charge_unit,
        idle_kick_off=model.neuron.idle_charge_off.value / charge_unit,
        idle_kick_off_tail=model.neuron.idle_charge_off_tail.value / charge_unit,
        fan_out=model.neuron.fan_out,
        load_delay=model.neuron.load_delay.value / model.phase_s,
        tail_reference=model.tail_reference_s / model.phase_s,
        linear_range=(low / v_th, high / v_th),
    )
