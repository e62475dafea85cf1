"""The neuron equation fitted to membrane waveforms with several spikes: parameters with their covariance.

Nonlinear least squares on the membrane voltage itself, through the exact solution between events (`membrane_model`). Voltages
tell charges, currents, capacitance and leak only up to one common factor; a known charge pulse in one trace, or a known
capacitance, sets it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import least_squares

from cosim.errors import InputError
from cosim.fits.membrane_model import AnyArray, FloatArray, NeuronParameters, Stimuli, Trace, displacement
from netlists.synapse import Sign

UNITS = {
    "capacitance": "F", "start": "V", "leak": "S", "delay": "s", "current": "A", "beta": "1/V", "curvature": "1/V^2",
    "charge_on": "C", "charge_off": "C",
}  # fmt: skip
"""Unit of a parameter by the first part of its name; after a dot comes the sign (plus, minus) or the synapse."""

LARGEST_CONDITION = 1e6
"""Of the Jacobian with columns of unit length; beyond it some combination of parameters leaves no mark on the waveforms."""

_STEP = 1e-20
_DELTA_LEVEL = 3.0


class NotDetermined(InputError):
    """The waveforms say nothing about a parameter, or cannot tell two of them apart."""


@dataclass(frozen=True)
class SynapseUnderTest:
    """A synapse whose current is to be found. The code (bias in V, length in um) is what it was set to."""

    name: str
    sign: Sign
    code: float = math.nan


@dataclass(frozen=True)
class Estimate:
    """A parameter in SI units with its standard error."""

    name: str
    value: float
    standard_error: float
    unit: str


@dataclass(frozen=True)
class WaveformFit:
    """Estimates by name, covariance of the fitted parameters in their order, and how well the waveforms are met.

    `correlation_time` is the integrated autocorrelation of the residuals in samples: 1 for white noise, and all errors are its
    square root larger where the residuals hang together (a model that misses something).
    """

    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    residual_rms_v: float
    samples: int
    correlation_time: float

    def __getitem__(self, name: str) -> Estimate:
        """One parameter; `reversal.plus` and `reversal.minus` (V) are 1/beta."""
        if name.startswith("reversal."):
            beta = self[name.replace("reversal", "beta")]
            return Estimate(name, 1 / beta.value, beta.standard_error / beta.value**2, "V")
        k = self.names.index(name)
        return Estimate(name, float(self.values[k]), float(np.sqrt(self.covariance[k, k])), UNITS[_kind(name)])

    def estimates(self) -> list[Estimate]:
        """All parameters, beta as reversal."""
        return [self[name.replace("beta", "reversal")] for name in self.names]


def fit_waveforms(
    traces: Sequence[Trace],
    synapses: Sequence[SynapseUnderTest],
    rest_v: float,
    guard_s: float,
    known: Mapping[str, float] | None = None,
    curvature: bool = False,
) -> WaveformFit:
    """Fit capacitance, reset error, leak, delay, reversal and charge of switching on per sign, and the current of each synapse;
    the charge of switching off too, for a sign whose spikes end within a trace.

    Args:
        traces: at least one; samples in the guard after a spike are not used (`Stimuli`).
        rest_v: membrane voltage at rest.
        guard_s: longer than the delay.
        known: parameters that are not fitted, by name (`capacitance`, `leak`, `current.NAME`, ...).
        curvature: also fit the second-order term of the current, per sign.

    Raises `NotDetermined` where the waveforms do not tell all parameters, `InputError` where a membrane never moves.
    """
    for trace in traces:
        if np.ptp(trace.membrane_v) < 1e-4:
            raise InputError(
                f"{trace.name}: membrane_v: never moves (all within {np.ptp(trace.membrane_v):.2g} V); it must answer spikes"
            )
    stimuli = Stimuli(traces, len(synapses), guard_s)
    extra = [*_ended(traces, synapses), *(("curvature.plus", "curvature.minus") if curvature else ())]
    form = _PerSign(synapses, _start(stimuli, synapses, rest_v, known or {}), dict(known or {}), extra)
    x, jacobian, residual = solve(form, stimuli, lambda u: rest_v - u, form.first)
    degrees = max(len(residual) - len(x), 1)
    tau = correlation_time(residual, stimuli.sample_trace)
    covariance = np.linalg.inv(jacobian.T @ jacobian) * (residual @ residual) / degrees * tau
    scaled = covariance * form.scale[:, None] * form.scale
    rms = math.sqrt(float(np.mean(residual**2)))
    return WaveformFit(form.names, form.scale * x, scaled, rms, len(residual), tau)


class Form(Protocol):
    """How a vector of scaled parameters becomes the parameters of the equation."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def scale(self) -> FloatArray:
        """The size of each parameter in SI units, so that the solver sees numbers near one."""
        ...

    def parameters(self, x: AnyArray) -> NeuronParameters:
        """Of scaled vectors x [P, n], real or complex."""
        ...


class _PerSign:
    """Reversal and charges by sign, a current of its own for each synapse."""

    def __init__(
        self, synapses: Sequence[SynapseUnderTest], start: Mapping[str, float], known: Mapping[str, float], extra: Sequence[str]
    ) -> None:
        signs = [name for name, sign in (("plus", 1), ("minus", -1)) if any(s.sign == sign for s in synapses)]
        per_sign = [f"{kind}.{sign}" for kind in ("beta", "charge_on") for sign in signs]
        per_sign += [name for name in extra if name.split(".")[1] in signs]
        names = ["capacitance", "start", "leak", "delay", *per_sign, *(f"current.{s.name}" for s in synapses)]
        self.names = tuple(name for name in names if name not in known)
        if unknown := set(known) - set(names):
            raise InputError(f"known: {sorted(unknown)[0]!r} is none of {', '.join(names)}")
        self.synapses, self.known = tuple(synapses), known
        self.first = np.array([start[name] for name in self.names])
        self.scale = np.array([_scale(name, start) for name in self.names])

    def parameters(self, x: AnyArray) -> NeuronParameters:
        theta = np.asarray(self.scale * x)
        zero = np.zeros(len(theta), dtype=theta.dtype)

        def one(name: str) -> AnyArray:
            if name in self.names:
                return np.asarray(theta[:, self.names.index(name)])
            return zero + self.known.get(name, 0.0)

        def by_sign(kind: str) -> AnyArray:
            return np.stack([one(f"{kind}.{'plus' if s.sign > 0 else 'minus'}") for s in self.synapses], axis=1)

        return NeuronParameters(
            one("capacitance"), one("start"), one("leak"), one("delay"),
            current_a=np.stack([one(f"current.{s.name}") for s in self.synapses], axis=1),
            beta_per_v=by_sign("beta"), curvature_per_v2=by_sign("curvature"), charge_on_c=by_sign("charge_on"),
            charge_off_c=by_sign("charge_off"),
        )  # fmt: skip


def _kind(name: str) -> str:
    return name.partition(".")[0]


def _word(sign: int) -> str:
    return "plus" if sign > 0 else "minus"


def _ended(traces: Sequence[Trace], synapses: Sequence[SynapseUnderTest]) -> list[str]:
    """The charge of switching off of each sign that shows one."""
    signs = {synapses[spike.synapse].sign for trace in traces for spike in trace.spikes if spike.off_s < trace.time_s[-1]}
    return [f"charge_off.{_word(sign)}" for sign in sorted(signs, reverse=True)]


def _scale(name: str, start: Mapping[str, float]) -> float:
    """The size of a parameter, so that the solver sees numbers near one."""
    kind, c = _kind(name), start["capacitance"]
    largest = max(abs(value) for key, value in start.items() if key.startswith("current."))
    sizes = {"capacitance": c, "start": 1e-3, "leak": 0.1 * largest, "delay": 1e-9, "current": largest}
    sizes |= {"charge_on": 1e-3 * c, "charge_off": 1e-3 * c}
    return sizes.get(kind, 1.0)


def _start(stimuli: Stimuli, synapses: Sequence[SynapseUnderTest], rest_v: float, known: Mapping[str, float]) -> dict[str, float]:
    """Where to start: straight lines between events (linear least squares), the scale from the known charge or capacitance."""
    charge, on = np.zeros(len(stimuli.sample_s)), np.zeros((len(stimuli.sample_s), len(synapses)))
    for r, trace in enumerate(stimuli.traces):
        here = stimuli.sample_trace == r
        t = stimuli.sample_s[here]
        for pulse in trace.pulses:
            charge[here] += pulse.current_a * (np.clip(t, pulse.start_s, pulse.end_s) - pulse.start_s)
        for spike in trace.spikes:
            on[here, spike.synapse] += np.clip(t, spike.on_s, spike.off_s) - spike.on_s
    if "capacitance" not in known and not charge.any():
        raise NotDetermined(
            "capacitance: voltages alone tell I/C, not I and C; give one trace a known charge (pulse), or give the capacitance"
        )
    for column, synapse in zip(on.T, synapses, strict=True):
        if not column.any():
            raise NotDetermined(f"current.{synapse.name}: this synapse is never on in the waveforms")
    u = rest_v - stimuli.sample_v
    columns = np.column_stack([on, np.ones(len(u)), *([] if "capacitance" in known else [charge])])
    size = np.linalg.norm(columns, axis=0)
    target = u - charge / known["capacitance"] if "capacitance" in known else u
    slopes = np.linalg.lstsq(columns / size, target, rcond=None)[0] / size
    c = known.get("capacitance", 1 / slopes[-1])
    if c <= 0:
        raise NotDetermined("capacitance: the known charge moves the membrane the wrong way; positive is towards the threshold")
    start = {"capacitance": c, "start": 0.0, "leak": 0.0, "delay": 0.0}
    start |= {f"current.{s.name}": c * float(slope) for s, slope in zip(synapses, slopes, strict=False)}
    # Curved from the first step, because beta = 0 and a zero current would hide each other.
    start |= {f"{kind}.{sign}": 0.0 for kind in ("charge_on", "charge_off", "curvature") for sign in ("plus", "minus")}
    return {**start, "beta.plus": 0.1, "beta.minus": -0.1, **known}


def solve(
    form: Form, stimuli: Stimuli, voltage: Callable[[AnyArray], AnyArray], start: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least squares from `start` (SI): scaled solution [n], Jacobian [samples, n] and residual [samples] (V) there.

    `voltage` makes membrane voltages of displacements, analytically: it also meets complex ones. Raises `NotDetermined`.
    """

    def residual(x: FloatArray) -> FloatArray:
        u = displacement(form.parameters(x[None]), stimuli)[:, 0]
        return np.asarray(voltage(u).real - stimuli.sample_v)

    def jacobian(x: FloatArray) -> FloatArray:
        stepped = x + 1j * _STEP * np.eye(len(x))
        return np.asarray(voltage(displacement(form.parameters(stepped), stimuli)).imag / _STEP)

    found = least_squares(residual, start / form.scale, jacobian, method="lm", x_scale="jac", ftol=1e-12, xtol=1e-10, gtol=1e-14)
    _check_determined(found.jac, form.names)
    return found.x, found.jac, found.fun


def _check_determined(jacobian: FloatArray, names: Sequence[str]) -> None:
    """Every combination of parameters must show in the waveforms."""
    length = np.linalg.norm(jacobian, axis=0)
    if not np.isfinite(length).all():
        raise NotDetermined("waveforms: the fit does not converge; check the times and signs of the spikes, and the units")
    if not length.all():
        raise NotDetermined(f"{names[int(np.argmin(length))]}: the waveforms do not depend on it")
    _, sizes, rows = np.linalg.svd(jacobian / length, full_matrices=False)
    if sizes[-1] * LARGEST_CONDITION < sizes[0]:
        worst = np.argsort(-np.abs(rows[-1]))[:3]
        mixed = ", ".join(names[k] for k in worst if abs(rows[-1][k]) > 0.1)
        raise NotDetermined(
            f"{mixed}: the waveforms cannot tell them apart; use two weights or more of each sign, spikes at several "
            "membrane levels, and one trace with a known charge"
        )


def correlation_time(residual: FloatArray, trace: AnyArray) -> float:
    """Integrated autocorrelation time of residuals [n] in samples, within traces (`trace` [n] numbers them); at least 1.

    It is 1 unless the correlation of neighbours is significant; the sum ends where it exceeds five times its own result
    (A. Sokal, Monte Carlo methods in statistical mechanics, 1997).
    """
    parts = [residual[trace == k] for k in np.unique(trace)]
    total = sum(float(part @ part) for part in parts)
    if total == 0.0:
        return 1.0
    tau = 1.0
    for lag in range(1, max(map(len, parts))):
        rho = sum(float(part[lag:] @ part[:-lag]) for part in parts if len(part) > lag) / total
        if lag == 1 and rho < _DELTA_LEVEL / math.sqrt(len(residual)):
            return 1.0
        tau += 2 * rho
        if lag >= 5 * tau:
            break
    return max(tau, 1.0)
