"""Transistors side by side in one strip of diffusion: those that share a net share its diffusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from layouts.devices import GROUND, Devices, Transistor

MOST_GATE_NETS = 3
"""Of a chain: the first is contacted to its left, the last to its right, one between them straight above."""

LONGEST = 16_000
"""Of a chain: with a tap at either end no diffusion is 15 um away from one."""


@dataclass(frozen=True)
class Chain:
    """Transistors from left to right, and the nets of the diffusions before, between and after them."""

    transistors: tuple[Transistor, ...]
    nets: tuple[str, ...]

    @property
    def first(self) -> Transistor:
        return self.transistors[0]

    @property
    def length(self) -> int:
        """Gates and a contacted diffusion for each, in nm."""
        return sum(one.length + 290 for one in self.transistors)

    @property
    def gates(self) -> list[tuple[str, int]]:
        """Gate nets from left to right, and how many gates of each stand next to each other."""
        return [(net, len(list(group))) for net, group in groupby(one.gate for one in self.transistors)]

    def turned(self) -> Chain:
        """The same from right to left."""
        return Chain(self.transistors[::-1], self.nets[::-1])

    def with_right(self, transistor: Transistor) -> Chain | None:
        """With one more at the right; None where it does not share the net there."""
        if (transistor.model, transistor.width) != (self.first.model, self.first.width):
            return None
        if self.nets[-1] not in transistor.ends:
            return None
        a, b = transistor.ends
        return Chain((*self.transistors, transistor), (*self.nets, b if a == self.nets[-1] else a))


def uses(devices: Devices) -> Counter[str]:
    """How many terminals of transistors and pins each net has; other devices count as two, since they need a wire."""
    found = Counter((*devices.pins, GROUND))
    for one in devices.transistors:
        found.update((one.drain, one.gate, one.source))
    for plate in devices.capacitors:
        found.update((plate.top, plate.bottom) * 2)
    for resistor in devices.resistors:
        found.update((resistor.a, resistor.b) * 2)
    return found


def chains(transistors: Sequence[Transistor], used: Counter[str], rails: Iterable[str]) -> list[Chain]:
    """As few chains as come of taking the transistors in their order.

    A chain of one gate net ends in a rail at its right, where its gate is contacted: the rail shields what is beside it. Others
    begin with a rail where they can.
    """
    left, found = list(transistors), list[Chain]()
    while left:
        chain = Chain((left[0],), left.pop(0).ends)
        while more := next(_longer(chain, left, used), None):
            chain = more[0]
            left.remove(more[1])
        found.append(_oriented(chain, set(rails)))
    return found


def _longer(chain: Chain, left: Sequence[Transistor], used: Counter[str]) -> Iterator[tuple[Chain, Transistor]]:
    for transistor in left:
        for start in (chain, chain.turned()):
            longer = start.with_right(transistor)
            if longer is not None and longer.length <= LONGEST and _contactable(longer, used):
                yield longer, transistor


def _contactable(chain: Chain, used: Counter[str]) -> bool:
    gates = chain.gates
    if len(gates) < MOST_GATE_NETS:
        return True
    inner = chain.nets[1:-1]
    return len(gates) == MOST_GATE_NETS == len(chain.transistors) and all(used[net] == 2 for net in inner)


def _oriented(chain: Chain, rails: set[str]) -> Chain:
    left, right = chain.nets[0] in rails, chain.nets[-1] in rails
    rail_at_left = len(chain.gates) > 1 and chain.first.channel == "n"
    return chain if left in (right, rail_at_left) else chain.turned()
