"""The terms of the neuron model that can be left out one by one, to see what each of them is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from training.hardware.curve import HardwareModelError

if TYPE_CHECKING:
    from training.hardware.normalised import NormalisedModel, NormalisedSynapse

FITTED_THRESHOLDS = (-0.1, 0.95)
"""Displacements over which a straight line is fitted to the current of a synapse."""

Change = Callable[["NormalisedModel"], "NormalisedModel"]


def straightened(synapse: NormalisedSynapse) -> NormalisedSynapse:
    """The same current at rest, and the straight line from there that is nearest to the parabola over `FITTED_THRESHOLDS`."""
    low, high = FITTED_THRESHOLDS
    slope = (high**4 - low**4) / 4 / ((high**3 - low**3) / 3)
    return dataclasses.replace(synapse, beta=synapse.beta - slope * synapse.gamma, gamma=np.zeros_like(synapse.gamma))


def _of_synapses(change: Callable[[NormalisedSynapse], NormalisedSynapse], **of_neuron: Any) -> Change:
    return lambda model: dataclasses.replace(model, plus=change(model.plus), minus=change(model.minus), **of_neuron)


def _zeroed(*names: str, **of_neuron: float) -> Change:
    return _of_synapses(lambda s: dataclasses.replace(s, **{name: np.zeros_like(s.magnitude) for name in names}), **of_neuron)


def _one_reversal(synapse: NormalisedSynapse) -> NormalisedSynapse:
    middle = {name: np.full_like(synapse.magnitude, np.median(getattr(synapse, name))) for name in ("beta", "gamma")}
    return dataclasses.replace(synapse, **middle)


def _behind_inputs(model: NormalisedModel) -> NormalisedModel:
    def changed(synapse: NormalisedSynapse) -> NormalisedSynapse:
        nothing = np.zeros_like(synapse.magnitude)
        return dataclasses.replace(synapse, kick_on=synapse.kick_on - synapse.kick_line, kick_line=nothing)

    idle = model.idle_kick_on - model.idle_kick_line
    return dataclasses.replace(model, plus=changed(model.plus), minus=changed(model.minus), idle_kick_on=idle, idle_kick_line=0.0)


def _alike(*names: str) -> Change:
    def changed(model: NormalisedModel) -> NormalisedModel:
        if model.places is None:
            return model
        nothing = {name: 0.0 * getattr(model.places, name) for name in names}
        return dataclasses.replace(model, places=dataclasses.replace(model.places, **nothing))

    return changed


def _closed_law(model: NormalisedModel) -> NormalisedModel:
    from training.hardware.normalised import firing_law

    return dataclasses.replace(model, firing_t=firing_law(model.firing_v, model.e_dis))


TERMS: dict[str, Change] = {
    "reversal": _zeroed("beta", "gamma"),
    "reversal_by_weight": _of_synapses(_one_reversal),
    "curvature": _of_synapses(straightened),
    "kick_on": _zeroed("kick_on", "kick_line", idle_kick_on=0.0, idle_kick_line=0.0),
    "line": _behind_inputs,
    "kick_off": _zeroed("kick_off", idle_kick_off=0.0),
    "tail": _zeroed("kick_off_tail", "kick_off_drift", idle_kick_off_tail=0.0, idle_kick_off_drift=0.0),
    "leakage": _zeroed("leakage", idle_leakage=0.0, leakage=0.0),
    "capacitance_by_weight": _zeroed("load", "lift"),
    "capacitance_by_place": _alike("capacitance"),
    "kick_by_place": _alike("kick"),
    "kick_off_by_place": _alike("falling", "crosstalk"),
    "delay_by_place": _alike("delay"),
    "coupling": _alike("between"),
    "drop": _alike("drop"),
    "reset": lambda model: dataclasses.replace(model, v_reset=0.0),
    "load_delay": lambda model: dataclasses.replace(model, load_delay=0.0),
    "firing_curve": _closed_law,
}
"""Term -> the model without it.

reversal: currents do not fall with the membrane. reversal_by_weight: all weights of a sign have the slope and curvature of the
middle one. curvature: currents are straight lines. line: charges of switching on are those behind an input's line. load_delay:
every neuron fires as with the load that the curve was measured with. firing_curve: the discharger's closed law, without start-up
and delay. coupling: membranes of a layer do not mix. drop: lines that feed the rows are ideal. Of the others charge, current or
capacitance is zero.
"""


def without(model: NormalisedModel, *terms: str) -> NormalisedModel:
    """The model without some of its `TERMS`. Raises `HardwareModelError` for a name that is none."""
    for term in terms:
        if term not in TERMS:
            raise HardwareModelError(f"term: {term!r} is none of the model's; one of {', '.join(TERMS)}")
        model = TERMS[term](model)
    return model
