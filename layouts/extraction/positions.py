"""What a crossbar's wires do to its neurons, position by position: what differs between cells that are drawn alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from layouts.drawing.plan import LayerPlan
from layouts.extraction.capacitances import Capacitances


@dataclass(frozen=True)
class CrossbarNets:
    """The nets of a layer's lines: `membranes` by output, `spikes` by input, each the true and the complementary line."""

    layer: int
    membranes: Sequence[str]
    spikes: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, plan: LayerPlan, number: int) -> CrossbarNets:
        """Those of a layer that is drawn."""
        spikes = [(place.nets["spike"], place.nets["spike_bar"]) for place in plan.synapses[0]]
        return cls(number, [place.nets["membrane"] for place in plan.neurons], spikes)


def membranes(found: Capacitances, layer: CrossbarNets) -> pd.DataFrame:
    """A row a neuron: `layer`, `neuron`, all that hangs on its membrane (`capacitance_f`), to which kind of net."""
    return pd.DataFrame(list(_membranes(found, layer)))


def _membranes(found: Capacitances, layer: CrossbarNets) -> Iterator[dict[str, float]]:
    total, pairs = found.total(), found.pairs()
    lines = {net for line in layer.spikes for net in line}
    for neuron, membrane in enumerate(layer.membranes):
        parts = {"to_spike_lines_f": 0.0, "to_membranes_f": 0.0, "to_others_f": 0.0}
        for pair, farads in pairs.items():
            if membrane in pair:
                (other,) = set(pair) - {membrane}
                kind = "spike_lines" if other in lines else "membranes" if other in layer.membranes else "others"
                parts[f"to_{kind}_f"] += farads
        yield {"layer": layer.layer, "neuron": neuron, "capacitance_f": total[membrane], **parts}


def couplings(found: Capacitances, layer: CrossbarNets) -> pd.DataFrame:
    """A row a synapse: `layer`, `output`, `input`, what couples its membrane to its spike line and to the complement.

    `kick_f` is the difference: charge that a spike's rising edge leaves on the membrane, per volt of the edge.
    """
    rows = [
        {
            "layer": layer.layer,
            "output": output,
            "input": source,
            "to_spike_f": found.between(membrane, true),
            "to_spike_bar_f": found.between(membrane, bar),
        }
        for output, membrane in enumerate(layer.membranes)
        for source, (true, bar) in enumerate(layer.spikes)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(kick_f=frame.to_spike_f - frame.to_spike_bar_f)


def lines(found: Capacitances, layer: CrossbarNets) -> pd.DataFrame:
    """A row a spike line: `layer`, `input`, `line`, what its driver has to charge, and how much of it is the pair's own."""
    total = found.total()
    rows = [
        {
            "layer": layer.layer,
            "input": source,
            "line": name,
            "capacitance_f": total[net],
            "to_complement_f": found.between(*pair),
        }
        for source, pair in enumerate(layer.spikes)
        for name, net in zip(("spike", "spike_bar"), pair, strict=True)
    ]
    return pd.DataFrame(rows)
