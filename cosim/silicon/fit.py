"""Your own silicon: measured I-V tables and membrane waveforms through the same fits, to a HardwareModel of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cosim.design import Design
from cosim.errors import InputError
from cosim.fits.membrane_model import Trace
from cosim.fits.waveform_fit import SynapseUnderTest, WaveformFit, fit_waveforms
from cosim.silicon.curves import MOST_TIMES_SIMULATED, MeasuredCurve, curves_of, resampled
from cosim.silicon.files import IvTable, Waveform, read
from cosim.version import __version__
from netlists.synapse import SIGNS, Sign
from training.hardware import Curve, HardwareModel, Quantity, SynapseHardware

GUARD_PHASES = 0.01
FEWEST_CODES = 2
CLEAR_SIGMAS = 2.0
"""A number this many standard errors from zero has a sign."""

GIVEN = "given with the waveforms"


@dataclass
class SiliconFit:
    """What the files gave. `refused` holds a line for each file that could not be used, `measured` what was replaced."""

    hardware: HardwareModel
    curves: list[MeasuredCurve] = field(default_factory=list)
    waveforms: WaveformFit | None = None
    refused: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """`parameter, value, standard_error, unit, source`, one per measured number."""
        rows = []
        for one in self.curves:
            place = f"sign {one.sign:+d}, bias {one.bias_v:g} V"
            rows += [
                _row(f"current at rest, {place}", one.current_a, one.current_error_a, "A", one.source),
                _row(f"reversal, {place}", one.reversal_v, one.reversal_error_v, "V", one.source),
            ]
        for estimate in self.waveforms.estimates() if self.waveforms else ():
            rows.append(_row(estimate.name, estimate.value, estimate.standard_error, estimate.unit, "waveforms"))
        return rows


def _row(parameter: str, value: float, standard_error: float, unit: str, source: str) -> dict[str, Any]:
    return {"parameter": parameter, "value": value, "standard_error": standard_error, "unit": unit, "source": source}


def fit_silicon(paths: Sequence[Path], design: Design, base: HardwareModel) -> SiliconFit:
    """Fit measured files; a file that is refused costs nothing but itself.

    Args:
        base: the simulated model of the design; what was not measured stays as it is there.

    Returns:
        The model with provenance "measured", unless every file was refused.
    """
    fit = SiliconFit(base)
    curves: list[MeasuredCurve] = []
    waveforms: list[Waveform] = []
    for path in paths:
        try:
            one = read(path, design)
            if isinstance(one, IvTable):
                curves += curves_of(one, base)
            else:
                waveforms.append(one)
        except InputError as error:
            fit.refused.append(str(error))
    for sign in SIGNS:
        own = [curve for curve in curves if curve.sign == sign]
        if own:
            _attempt(fit, partial(_with_curves, fit, sign, own))
    if waveforms:
        _attempt(fit, partial(_with_waveforms, fit, waveforms))
    if fit.measured:
        fit.hardware = fit.hardware.model_copy(update={"provenance": "measured", "origin": f"cosim {__version__} fit"})
    return fit


def _attempt(fit: SiliconFit, step: Callable[[], None]) -> None:
    try:
        step()
    except InputError as error:
        fit.refused.append(str(error))


def _with_curves(fit: SiliconFit, sign: Sign, curves: Sequence[MeasuredCurve]) -> None:
    """Put the bias curve and the reversal of one sign into the model."""
    ordered = sorted(curves, key=lambda one: one.bias_v)
    source = ", ".join(sorted({one.source for one in curves}))
    if len(ordered) < FEWEST_CODES:
        raise InputError(f"{source}: sign {sign:+d}: one bias_v only; a bias curve needs {FEWEST_CODES} or more")
    biases, currents = (np.array([getattr(one, name) for one in ordered]) for name in ("bias_v", "current_a"))
    if (twice := np.diff(biases) == 0).any():
        bias = biases[int(np.flatnonzero(twice)[0])]
        raise InputError(f"{source}: sign {sign:+d}: bias_v {bias:g} is there twice; give each bias one curve")
    simulated = fit.hardware.synapse(sign).code.y
    rises = simulated[-1] > simulated[0]
    steps = np.diff(currents) * (1 if rises else -1)
    if (steps <= 0).any():
        k = int(np.argmin(steps))
        raise InputError(
            f"{source}: sign {sign:+d}: {currents[k]:.3g} A at {biases[k]:g} V of bias_v, {currents[k + 1]:.3g} A at "
            f"{biases[k + 1]:g} V; the current must {'rise' if rises else 'fall'} as bias_v rises, as in the simulated cell"
        )
    rows = sorted(ordered, key=lambda one: one.current_a)
    cell = fit.hardware.synapse(sign)
    _replace_synapse(fit, sign, resampled(cell, rows, source))
    fit.curves += curves
    fit.measured += [f"bias curve and reversal, sign {sign:+d}"]


def _with_waveforms(fit: SiliconFit, waveforms: Sequence[Waveform]) -> None:
    """Fit all waveforms together, and put what they tell into the model."""
    synapses, traces = _common_synapses(waveforms)
    capacitances = {one.capacitance_f for one in waveforms if one.capacitance_f is not None}
    if len(capacitances) > 1:
        raise InputError("capacitance_f: the waveforms' stimulus files differ; they are fitted as one circuit")
    known = {"capacitance": next(iter(capacitances))} if capacitances else {}
    rest_v, guard_s = fit.hardware.neuron.rest.value, GUARD_PHASES * fit.hardware.phase_s
    found = fit_waveforms(traces, synapses, rest_v, guard_s, known)
    neuron = fit.hardware.neuron
    whole = Quantity(value=known["capacitance"], unit="F", source=GIVEN) if known else _quantity(found, "capacitance")
    _check_plausible(found, synapses, whole.value, neuron.capacitance_f)
    fit.waveforms = found
    of_neuron = whole.value - neuron.synapses * neuron.capacitance_synapse.value
    changes = {
        "reset_error": _quantity(found, "start"), "input_delay": _quantity(found, "delay"),
        "capacitance_neuron": whole.model_copy(update={"value": of_neuron}),
    }  # fmt: skip
    fit.hardware = fit.hardware.model_copy(update={"neuron": neuron.model_copy(update=changes)})
    fit.measured += [name.replace("_", " ") for name in changes]
    curves_for = {curve.sign for curve in fit.curves}
    for sign in sorted({synapse.sign for synapse in synapses}, reverse=True):
        word = "plus" if sign > 0 else "minus"
        cell = fit.hardware.synapse(sign)
        update: dict[str, Curve | None] = {"charge_on": _constant(cell.charge_on, found[f"charge_on.{word}"].value)}
        fit.measured.append(f"charge of switching on, sign {sign:+d}")
        beta = found[f"beta.{word}"]
        if sign not in curves_for and sign * beta.value > CLEAR_SIGMAS * beta.standard_error:
            update |= {"reversal": _constant(cell.reversal, 1 / abs(beta.value)), "slope": None, "curvature": None}
            fit.measured.append(f"reversal, sign {sign:+d}")
        _replace_synapse(fit, sign, cell.model_copy(update=update))


def _check_plausible(found: WaveformFit, synapses: Sequence[SynapseUnderTest], capacitance_f: float, simulated_f: float) -> None:
    """Raises `InputError` where a sign or a unit of the stimulus files is wrong: the fit itself works with either."""
    if not 1 / MOST_TIMES_SIMULATED < capacitance_f / simulated_f < MOST_TIMES_SIMULATED:
        raise InputError(
            f"capacitance: comes out as {capacitance_f:.3g} F, that of the simulated model is {simulated_f:.3g} F; current_a of "
            "a charge must be in amperes, its times in seconds"
        )
    for synapse in synapses:
        current = found[f"current.{synapse.name}"]
        if synapse.sign * current.value < -CLEAR_SIGMAS * current.standard_error:
            raise InputError(
                f"synapse {synapse.name!r}: its current is {current.value:.3g} A, positive towards the threshold, so its sign "
                f"must be {-synapse.sign}"
            )


def _common_synapses(waveforms: Sequence[Waveform]) -> tuple[list[SynapseUnderTest], list[Trace]]:
    """The synapses of all waveforms by name, and the traces with spikes that count them."""
    synapses: dict[str, SynapseUnderTest] = {}
    for one in waveforms:
        for synapse in one.synapses:
            if synapses.setdefault(synapse.name, synapse) != synapse:
                raise InputError(f"{one.source}: synapse {synapse.name!r}: has another sign or bias_v in another waveform")
    order = list(synapses)
    traces = [
        replace(
            one.trace,
            spikes=tuple(replace(s, synapse=order.index(one.synapses[s.synapse].name)) for s in one.trace.spikes),
        )
        for one in waveforms
    ]
    return list(synapses.values()), traces


def _quantity(found: WaveformFit, name: str) -> Quantity:
    estimate = found[name]
    return Quantity(
        value=estimate.value, unit=estimate.unit, standard_error=estimate.standard_error, source="measured waveforms",
        residual=found.residual_rms_v,
    )  # fmt: skip


def _constant(curve: Curve, value: float) -> Curve:
    return curve.model_copy(update={"y": (value,) * len(curve.x), "source": "measured waveforms"})


def _replace_synapse(fit: SiliconFit, sign: Sign, cell: SynapseHardware) -> None:
    fit.hardware = fit.hardware.model_copy(update={"plus" if sign > 0 else "minus": cell})
