"""A column of ideal parts whose every parameter is known: what a fit of waveforms must find again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlists.spice import netlist_text, new_circuit
from netlists.stimulus import current_pulse, digital_line
from netlists.testbenches import Injection

IDEAL_MEMBRANE = "v(membrane)"


@dataclass(frozen=True)
class IdealSynapse:
    """A current I (1 - u/E) (A, V; both negative for a negative weight) and the charge of switching on (C).

    All count positive towards the threshold, that is towards ground; u is rest minus membrane.
    """

    current_a: float
    reversal_v: float
    charge_on_c: float


@dataclass(frozen=True)
class IdealNeuron:
    """Capacitance (F), rest (V), displacement that the reset leaves (V), conductance to rest (S), delay of a spike (s)."""

    capacitance_f: float
    rest_v: float
    start_v: float
    leak_s: float
    delay_s: float


def ideal_column(
    neuron: IdealNeuron,
    synapses: Sequence[IdealSynapse],
    spikes_s: Sequence[float | None],
    injections: Sequence[Injection],
    edge_s: float,
    stop_s: float,
) -> str:
    """The column as behavioural sources, to be run with initial conditions; its membrane is the node `membrane`.

    Args:
        spikes_s: one per synapse, the time it is switched on; None is off. It stays on to the end.
        injections: known charges on the membrane.
        edge_s: rise time of switches and pulses; each is centred on its time.
    """
    circuit = new_circuit("ideal_column")
    circuit.V("rest", "rest", 0, neuron.rest_v)
    circuit.C("membrane", "membrane", 0, neuron.capacitance_f, raw_spice=f"ic={neuron.rest_v - neuron.start_v!r}")
    if neuron.leak_s > 0:
        circuit.R("leak", "membrane", "rest", 1 / neuron.leak_s)
    for j, (synapse, spike_s) in enumerate(zip(synapses, spikes_s, strict=True)):
        if spike_s is None:
            continue
        on = spike_s + neuron.delay_s
        digital_line(circuit, f"gate_{j}", 1.0, [(on, 2 * stop_s)], edge_s)
        current = f"{synapse.current_a!r}*(1-(v(rest)-v(membrane))/({synapse.reversal_v!r}))*v(gate_{j})"
        circuit.B(f"synapse_{j}", "membrane", 0, current_expression=current)
        start, end = on - 5 * edge_s, on + 5 * edge_s
        current_pulse(circuit, f"charge_{j}", "membrane", synapse.charge_on_c / (end - start), start, end, edge_s)
    for k, injection in enumerate(injections):
        current_pulse(circuit, f"injection_{k}", "membrane", injection.current_a, injection.start_s, injection.end_s, edge_s)
    return netlist_text(circuit)
