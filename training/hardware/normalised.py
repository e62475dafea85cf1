"""The dimensionless numbers of the neuron equation (w, E, kicks), and how they follow from a hardware model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from training.hardware.curve import Curve, FloatArray, HardwareModelError, Quantity
from training.hardware.model import HardwareModel, NeuronHardware, Sign
from training.hardware.terms import without

UNDER_WAY = 2 / 3
"""Of the membranes at the end of accumulation: where they are while rows drop voltage on their lines (`training.drop`)."""
POWERS = 4
"""Of the time for which two currents drop voltage together, in what of it flows off again."""


@dataclass(frozen=True)
class NormalisedSynapse:
    """One sign of the synapse over a grid of |w| (all arrays of one shape [G]); kicks are jumps of v, positive upwards.

    `beta` is 1/E with the sign of the weight, so that beta * w >= 0; with `gamma`, the curvature, a current is w (1 - beta v +
    gamma v^2). `leakage` is what a synapse that is off drives the membrane by. `load` is what the synapse adds to the membrane's
    capacitance while it is off, over that of the column with all synapses idle, `lift` the part of it that is gone while it is
    on. `kick_line` is the part of `kick_on` that is there because neurons send the lines of the layer, not inputs. `gate_v` is
    the gate bias that gives the weight, where one does. Interpolate linearly between grid points.
    """

    magnitude: FloatArray
    beta: FloatArray
    kick_on: FloatArray
    kick_off: FloatArray
    kick_off_tail: FloatArray
    load: FloatArray
    lift: FloatArray
    gamma: FloatArray
    leakage: FloatArray
    kick_off_drift: FloatArray
    kick_line: FloatArray
    gate_v: FloatArray | None = None

    @property
    def per_volt(self) -> FloatArray:
        """Share of its current by which a volt less between gate and source changes it (1/V), [G]; 0 where no gate makes it."""
        if self.gate_v is None:
            return np.zeros_like(self.magnitude)
        return np.asarray(np.abs(np.gradient(np.log(self.magnitude), self.gate_v)))

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
        return cls(np.array([0.0, largest]), np.full(2, 1.0 / reversal), *[zero] * 9)


@dataclass(frozen=True)
class NormalisedPlaces:
    """What differs from place to place in a layer.

    `capacitance` [out] of each membrane beyond the column's and `between` [out, out] from membrane to membrane, both over the
    column's; `kick` [out, in] of an arriving spike, which the falling line takes back; `delay` [out] of an output spike.
    With the capacitance of its falling lines, `falling` [in] and `crosstalk` [in, in] for each other input that has arrived, the
    synapse of an input leaves `off` more as it switches off, and `tail` per e-fold of time, each by sign, plus first. `drop` [2,
    out, out]: of ground and supply, voltage (V) of each row's line by the current of each row, over the unit current.
    """

    capacitance: FloatArray
    between: FloatArray
    kick: FloatArray
    delay: FloatArray
    falling: FloatArray
    crosstalk: FloatArray
    off: FloatArray
    tail: FloatArray
    drop: FloatArray = field(default_factory=lambda: np.zeros((2, 0, 0)))

    def fallen(self, on: FloatArray) -> FloatArray:
        """Capacitance of the lines of each input, [in], of those that are on (1, else 0)."""
        return on * (self.falling + self.crosstalk @ on)

    def mixing(self, capacitance: FloatArray) -> FloatArray:
        """What a charge that reaches one membrane moves every membrane by, [out, out]; `capacitance` of each, as here, [out]."""
        laplacian = np.diag(self.between.sum(1)) - self.between
        return np.asarray(np.linalg.inv(np.eye(len(capacitance)) + laplacian / capacitance[:, None]), dtype=float)


@dataclass(frozen=True)
class NormalisedModel:
    """The neuron equation's numbers: time in phases, membrane in thresholds (docs/physics.md).

    Accumulation: dv/dt = sum_j w_j (1 - beta(w_j) v + gamma(w_j) v^2) step(t - t_j) + leakage + sum_j leakage(w_j) step(t_j - t),
    v(0) = `v_reset`; v jumps by kick_on(w_j) at t_j, and by kick_off(w_j) at t = 1 for every input that arrived before 1. A
    synapse of weight 0 (off) jumps by `idle_kick_on/off` and leaks `idle_leakage`.
    Capacitance: all of this is divided by m - sum_j lift(w_j) step(t - t_j), with m = 1 + sum_j load(w_j) of the neuron; at t = 1
    what had left returns empty, and v becomes (v (m - sum of lift) + sum of kick_off)/m.
    Firing: t_out = t_min + m (t - t_min), with t the firing curve at v (linear between points, clipped to [t_min, 1] outside
    them); the tail adds kick_off_tail * ln(t_out / tail_reference) + kick_off_drift * (t_out / tail_reference - 1) to v for each
    synapse that was on (one fixed-point step is enough). The curve was
    measured with `fan_out` synapses on the output line; each one more or less moves the spike by `load_delay`. Its synapses were
    idle, so that a membrane that fires is driven by leakage(w_j) - idle_leakage of every synapse.
    Places: m of a neuron has its place's capacitance too, kicks have its place's, and what lies between membranes mixes them
    (`training.coupling`), and what lines that feed the rows drop makes currents weaker (`training.drop`). A discharger takes its
    membrane no farther than `v_discharged`.
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
    leakage: float = 0.0
    idle_leakage: float = 0.0
    idle_kick_off_drift: float = 0.0
    idle_kick_line: float = 0.0
    places: NormalisedPlaces | None = None
    v_discharged: float = math.inf

    def without(self, *terms: str) -> NormalisedModel:
        """The model without some of its terms, by their names in `training.hardware.terms.TERMS`, such as "curvature".

        Raises `HardwareModelError` for a name that is none.
        """
        return without(self, *terms)

    @property
    def reversals(self) -> tuple[float, float]:
        """E+ and E- (thresholds) in the middle of the grid, which is the geometric middle of the weights of an extracted cell."""
        middle = [float(side.beta[len(side.beta) // 2]) for side in (self.plus, self.minus)]
        return 1.0 / middle[0] if middle[0] else math.inf, 1.0 / middle[1] if middle[1] else -math.inf

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


def normalise(
    model: HardwareModel, points: int = 129, *, synapses: int | None = None, fan_out: int | None = None
) -> NormalisedModel:
    """SI to the numbers of the neuron equation. The only place where that happens.

    Args:
        model: the extracted hardware.
        points: grid points per weight curve (logarithmic in |w|), and half as many again for the firing curve.
        synapses: of the column, i.e. inputs of the layer; the size that the model is of where None.
        fan_out: synapses on the output line, i.e. neurons of the next layer; as it was measured where None. An `RCSpikeLayer`
            puts its own in its place.

    Raises `HardwareModelError` for a column that was not characterised and does not follow from those that were.
    """
    if synapses is not None:
        model = model.at(synapses)
    v_th, charge_unit = model.neuron.v_th_v, model.neuron.capacitance_f * model.neuron.v_th_v

    def synapse(sign: Sign) -> NormalisedSynapse:
        cell = model.synapse(sign)
        current = np.geomspace(*cell.current_range_a, points)
        loads = [
            np.zeros(points)
            if curve is None
            else (curve(current) - model.neuron.capacitance_synapse.value) / model.neuron.capacitance_f
            for curve in (cell.capacitance_off, cell.capacitance_on)
        ]
        slope, curvature = cell.slope_and_curvature(current)
        line = charge(cell.line_charge if model.behind_neurons else None, current)
        return NormalisedSynapse(
            magnitude=current / model.unit_current_a,
            beta=sign * v_th / cell.reversal(current) if cell.slope is None else sign * v_th * slope,
            kick_on=charge(cell.charge_on, current) + line,
            kick_off=charge(cell.charge_off, current),
            kick_off_tail=charge(cell.charge_off_tail, current),
            load=loads[0],
            lift=loads[0] - loads[1],
            gamma=curvature * v_th**2,
            leakage=np.zeros(points) if cell.leakage is None else cell.leakage(current) / model.unit_current_a,
            kick_off_drift=charge(cell.charge_off_drift, current),
            kick_line=line,
            gate_v=cell.code(current) if cell.code_unit == "V" else None,
        )

    def charge(curve: Curve | None, current: FloatArray) -> FloatArray:
        return np.zeros(len(current)) if curve is None else curve(current) / charge_unit

    def of_idle(charge: Quantity | None) -> float:
        return 0.0 if charge is None else charge.value / charge_unit

    def drive(leakage: Quantity | None) -> float:
        return 0.0 if leakage is None else leakage.value / model.unit_current_a

    idle_line = of_idle(model.neuron.idle_line_charge) if model.behind_neurons else 0.0
    displacement = np.linspace(model.neuron.firing.x[0], model.neuron.firing.x[-1], 8 * points)
    low, high = model.neuron.linear_range
    driven = model.neuron.fan_out if fan_out is None else fan_out
    load_delay = model.neuron.load_delay.value / model.phase_s
    return NormalisedModel(
        plus=synapse(1),
        minus=synapse(-1),
        firing_v=displacement / v_th,
        firing_t=model.neuron.firing(displacement) / model.phase_s + (driven - model.neuron.fan_out) * load_delay,
        e_dis=model.neuron.discharger_reversal.value / v_th,
        v_reset=model.neuron.reset_error.value / v_th,
        idle_kick_on=of_idle(model.neuron.idle_charge_on) + idle_line,
        idle_kick_off=of_idle(model.neuron.idle_charge_off),
        idle_kick_off_tail=of_idle(model.neuron.idle_charge_off_tail),
        fan_out=driven,
        load_delay=load_delay,
        tail_reference=model.tail_reference_s / model.phase_s,
        linear_range=(low / v_th, high / v_th),
        leakage=drive(model.neuron.leakage),
        idle_leakage=drive(model.neuron.idle_leakage),
        idle_kick_off_drift=of_idle(model.neuron.idle_charge_off_drift),
        idle_kick_line=idle_line,
        places=_places(model, charge_unit),
        v_discharged=_grounded(model.neuron) / v_th,
    )


def _places(model: HardwareModel, charge_c: float) -> NormalisedPlaces | None:
    """Of the model of one layer; a network has no places in common."""
    if len(model.places) != 1:
        return None
    (layer,) = model.places
    return NormalisedPlaces(
        capacitance=np.array(layer.capacitance_f) / model.neuron.capacitance_f,
        between=layer.between / model.neuron.capacitance_f,
        kick=np.array(layer.charge_on_c) / charge_c,
        delay=np.array(layer.delay_s) / model.phase_s,
        falling=np.array(layer.falling_f) / model.neuron.capacitance_f,
        crosstalk=np.array(layer.crosstalk_f) / model.neuron.capacitance_f,
        off=np.array(layer.off_per_f) * model.neuron.capacitance_f / charge_c,
        tail=np.array(layer.off_tail_per_f) * model.neuron.capacitance_f / charge_c,
        drop=layer.drops * model.unit_current_a,
    )


def _grounded(neuron: NeuronHardware) -> float:
    """Displacement (V) of a membrane that is discharged to ground: the last step of the membrane's curve continued."""
    u, volts = np.array(neuron.membrane.x), np.array(neuron.membrane.y)
    return float(u[-1] - volts[-1] * (u[-1] - u[-2]) / (volts[-1] - volts[-2]))
