"""The rungs of the ladder of neuron models as forms that a fit of waveforms takes, and the curvature of the synapse currents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from cosim.bench.bench import Bench
from cosim.bench.lines import SYNAPSE_THRESHOLDS
from cosim.characterize import synapse_fit
from cosim.errors import InputError
from cosim.fits.membrane_model import AnyArray, FloatArray, NeuronParameters, Stimuli, Trace, displacement
from cosim.fits.waveform_fit import solve
from netlists.synapse import SIGNS
from training.hardware import Curve, HardwareModel

FITTED = {
    "ideal": (),
    "+ reversal": ("beta.plus", "beta.minus"),
    "+ capacitance, delay": ("capacitance", "delay"),
    "+ beta(w), kick, leak": ("kick.plus", "kick.minus", "leak", "start"),
    "+ curvature": ("curvature.plus", "curvature.minus"),
}  # fmt: skip
"""Rung -> what it fits beyond the rung before. The first takes the drawn capacitance and fits nothing. From `+ beta(w)` on, beta
and kick, and at the top the curvature, follow the current as the extracted curves do, each scaled by what is fitted; `beta` is
then that of the weakest synapse."""

GUARD_S = 10e-9
EVERY_SAMPLE = -1.0
"""A guard that leaves no sample out."""


@dataclass(frozen=True)
class CurrentCurves:
    """Second-order fits of a sign's I-V curves against ln of the current at rest (A) of their straight lines.

    ln of the ratio of the two currents at rest, beta (1/V) and curvature (1/V^2), stacked: [codes] -> [codes, 3].
    Weaker and stronger currents than were swept have those of the nearest code.
    """

    log_current: FloatArray
    values: FloatArray

    def __call__(self, current_a: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Current at rest (A, > 0), beta (positive for both signs), curvature."""
        ratio, beta, curvature = PchipInterpolator(self.log_current, self.values)(
            np.clip(np.log(current_a), self.log_current[0], self.log_current[-1])
        ).T
        return current_a * np.exp(ratio), beta, curvature


def current_curves(bench: Bench, hardware: HardwareModel) -> dict[int, CurrentCurves]:
    """By sign: the parabola through each I-V curve of the synapse, from the end of the linear range to the threshold.

    The decks are those of characterisation, so a store that has seen it knows them; the hardware model may come from other codes.
    Raises `InputError` where fewer than two of the design's codes lie among those of the model.
    """
    iv = synapse_fit.iv_table(bench.run(synapse_fit.points(bench)).alive)
    displacement_of = hardware.neuron.membrane.inverse()
    low, high = hardware.neuron.linear_range[0], SYNAPSE_THRESHOLDS.high * hardware.neuron.v_th_v
    found = {}
    for sign in SIGNS:
        currents, rows = [], []
        for current, value in _swept(hardware.synapse(sign).code, iv[iv.sign == sign].code.unique()):
            curve = iv[(iv.sign == sign) & np.isclose(iv.code, value)]
            inside = (curve.membrane_v >= displacement_of.x[0]) & (curve.membrane_v <= displacement_of.x[-1])
            u = displacement_of(curve.membrane_v[inside].to_numpy())
            used = (u >= low) & (u <= high)
            quadratic, linear, at_rest = np.polyfit(u[used], sign * curve.current_a[inside].to_numpy()[used], 2)
            currents.append(current)
            rows.append((np.log(at_rest / current), -sign * linear / at_rest, quadratic / at_rest))
        if len(rows) < 2:
            raise InputError(
                f"characterization.codes: {len(rows)} of the design's codes of sign {sign:+d} lie among those of "
                f"{hardware.name}, whose synapses they shall be; characterise the design itself"
            )
        found[int(sign)] = CurrentCurves(np.log(currents), np.array(rows))
    return found


def _swept(code: Curve, swept: FloatArray) -> list[tuple[float, float]]:
    """Current at rest (A) and code of what was swept, where the hardware model says the current, in order of the current."""
    current_of = code.inverse()
    inside = [float(value) for value in swept if min(code.y) <= value <= max(code.y) or np.isclose(value, code.y).any()]
    pairs = [(float(current_of(np.clip(value, min(code.y), max(code.y)))), value) for value in inside]
    return sorted(pairs)


@dataclass(frozen=True)
class RungForm:
    """One rung as a form to be fitted (`waveform_fit.Form`): parameters common to all synapses of a sign, currents given."""

    rung: str
    hardware: HardwareModel
    currents_a: FloatArray
    drawn_f: float
    curves: Mapping[int, CurrentCurves]

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters of this rung, those of the rungs below first."""
        rungs = list(FITTED)
        return tuple(name for rung in rungs[: rungs.index(self.rung) + 1] for name in FITTED[rung])

    @property
    def first(self) -> FloatArray:
        e = {"plus": self.hardware.plus.reversal.y[0], "minus": -self.hardware.minus.reversal.y[0]}
        start = {"beta.plus": 1 / e["plus"], "beta.minus": 1 / e["minus"], "capacitance": self.drawn_f}
        start |= {f"{kind}.{sign}": 1.0 for kind in ("kick", "curvature") for sign in ("plus", "minus")}
        return np.array([start.get(name, 0.0) for name in self.names])

    @property
    def scale(self) -> FloatArray:
        kinds = {"capacitance": self.drawn_f, "delay": 1e-9, "leak": 1e-9, "start": 1e-3}
        return np.array([kinds.get(name.partition(".")[0], 0.1) for name in self.names])

    @property
    def by_weight(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """What follows the current of each synapse, [S] each; the lower rungs know less of it.

        Signed current (A), beta over that of the weakest, curvature (1/V^2), charge of switching on (C).
        """
        current, beta = self.currents_a.copy(), np.ones_like(self.currents_a)
        curvature, kick = np.zeros_like(current), np.zeros_like(current)
        for sign in SIGNS:
            own, cell, curves = current * sign > 0, self.hardware.synapse(sign), self.curves[sign]
            size, weakest = np.abs(current[own]), np.array(cell.code.x[:1])
            if "leak" in self.names:
                beta[own], kick[own] = cell.reversal(weakest) / cell.reversal(size), cell.charge_on(size)
            if "curvature.plus" in self.names:
                at_rest, slope, curvature[own] = curves(size)
                current[own], beta[own] = sign * at_rest, slope * cell.reversal(weakest)
        return current, beta, curvature, kick

    def parameters(self, x: AnyArray) -> NeuronParameters:
        theta = dict(zip(self.names, (self.scale * x).T, strict=True))
        zero = np.zeros(len(x), dtype=x.dtype)
        plus, (current, beta, curvature, kick) = self.currents_a > 0, self.by_weight

        def one(name: str) -> AnyArray:
            return np.asarray(theta.get(name, zero))

        def by_sign(name: str) -> AnyArray:
            return np.where(plus, one(f"{name}.plus")[:, None], one(f"{name}.minus")[:, None])

        return NeuronParameters(
            theta.get("capacitance", zero + self.drawn_f), one("start"), one("leak"), one("delay"),
            current_a=current + zero[:, None],
            beta_per_v=by_sign("beta") * beta,
            curvature_per_v2=by_sign("curvature") * curvature,
            charge_on_c=by_sign("kick") * kick,
            charge_off_c=zero[:, None] + np.zeros(len(plus)),
        )  # fmt: skip

    def voltage(self, u: AnyArray) -> AnyArray:
        """Membrane voltage of displacements: from the charge ramp once a rung knows the capacitance, straight before."""
        rest_v, curve = self.hardware.neuron.rest.value, self.hardware.neuron.membrane
        if "capacitance" not in self.names:
            return np.asarray(rest_v - u)
        at, ramp = np.clip(u.real, curve.x[0], curve.x[-1]), PchipInterpolator(curve.x, curve.y)
        return np.asarray(ramp(at) + (u - at) * ramp(at, 1))

    def fitted(self, traces: Sequence[Trace], below: FloatArray) -> FloatArray:
        """Scaled parameters that meet the traces best, from those of the rung below."""
        if not self.names:
            return below
        start = np.append(below * self.scale[: len(below)], self.first[len(below) :])
        stimuli = Stimuli(traces, len(self.currents_a), GUARD_S)
        return solve(self, stimuli, self.voltage, start)[0]

    def error_v(self, x: FloatArray, traces: Sequence[Trace]) -> FloatArray:
        """Model minus circuit at every sample of the linear range."""
        stimuli = Stimuli(traces, len(self.currents_a), EVERY_SAMPLE)
        model = self.voltage(displacement(self.parameters(x[None]), stimuli)[:, 0]).real
        return np.asarray((model - stimuli.sample_v)[in_linear_range(self.hardware, stimuli.sample_v)])


def in_linear_range(hardware: HardwareModel, voltage_v: FloatArray) -> FloatArray:
    """Which samples lie in the linear range, by the circuit's own voltage."""
    low, high = hardware.neuron.linear_range
    curve = hardware.neuron.membrane
    top, bottom = float(curve(np.array(max(low, curve.x[0])))), float(curve(np.array(min(high, curve.x[-1]))))
    return np.asarray((voltage_v > bottom) & (voltage_v < top))
