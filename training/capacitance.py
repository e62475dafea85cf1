"""Membranes whose capacitance depends on the weights of their synapses (`training.hardware.NormalisedModel`)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from training.synapses import Synapses


class Capacitance(NamedTuple):
    """Capacitance of the neurons of a layer over that of the column of their model, each [out].

    Attributes:
        off: with all synapses off, as in the firing phase.
        accumulating: in the accumulation phase before an input has arrived: the bias spike's synapse is on.
    """

    off: Tensor
    accumulating: Tensor

    @classmethod
    def of(cls, synapses: Synapses, bias: Synapses | None, by_place: Tensor | None = None) -> Capacitance:
        """Of a layer's synapses, of those of its bias spike, and of where its neurons are, [out]."""
        off = 1.0 + synapses.load.flatten(1).sum(1)
        if by_place is not None:
            off = off + by_place
        if bias is None:
            return cls(off, off)
        off = off + bias.load
        return cls(off, off - bias.lift)

    def moved_by(self, synapses: Synapses) -> Synapses:
        """What the synapses do to these membranes while they accumulate: what moves a small capacitance less moves it more."""
        by = self.accumulating.view(-1, *[1] * (synapses.weight.dim() - 1))
        changed = {
            name: getattr(synapses, name) / by
            for name in ("weight", "kick_on", "kick_off", "kick_off_tail", "kick_off_drift", "lift", "leakage")
        }
        return synapses._replace(**changed)
