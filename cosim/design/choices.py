"""The sections of a design that are one of several: which there are, and what a process fills in where a design says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import gf180_models.process  # noqa: F401 - registers itself
import sky130_models.process  # noqa: F401 - registers itself
from netlists.neuron import NEURONS, NeuronSection
from netlists.neuron.cell import DEFAULT_NEURON
from netlists.process import DEFAULT_PROCESS, PROCESSES, ProcessSection
from netlists.registry import Registry
from netlists.section import one_of
from netlists.synapse import SYNAPSES, SynapseSection
from netlists.synapse.cell import DEFAULT_SYNAPSE

if TYPE_CHECKING:
    AnyProcess: TypeAlias = ProcessSection
    AnySynapse: TypeAlias = SynapseSection
    AnyNeuron: TypeAlias = NeuronSection
else:  # by name: what is registered first hangs on who was imported first
    AnyProcess = one_of({name: process.section for name, process in sorted(PROCESSES.items())}, "name", DEFAULT_PROCESS)
    AnySynapse = one_of({kind: cell.section for kind, cell in sorted(SYNAPSES.items())}, "kind")
    AnyNeuron = one_of({kind: cell.section for kind, cell in sorted(NEURONS.items())}, "kind", DEFAULT_NEURON)


@dataclass(frozen=True)
class Choice:
    """Who has the sections, the key that tells them apart, and which it is where a design has no such section at all."""

    registry: Registry[Any]
    key: str
    default: str


CHOICES = {
    "process": Choice(PROCESSES, "name", DEFAULT_PROCESS),
    "synapse": Choice(SYNAPSES, "kind", DEFAULT_SYNAPSE),
    "neuron": Choice(NEURONS, "kind", DEFAULT_NEURON),
}


def filled(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a design says, with the sections that it leaves out, and the process's values for what its cells leave out."""
    whole = {name: {choice.key: choice.default} for name, choice in CHOICES.items()} | dict(content)
    process = whole["process"]
    name = process.get("name", DEFAULT_PROCESS) if isinstance(process, Mapping) else getattr(process, "name", None)
    if not isinstance(name, str) or name not in PROCESSES:
        return whole
    for place, default in (("synapse", None), ("neuron", DEFAULT_NEURON)):
        given = whole[place]
        if isinstance(given, Mapping):
            whole[place] = {**PROCESSES[name].defaults.get(f"{place}.{given.get('kind', default)}", {}), **given}
    return whole
