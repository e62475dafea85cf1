"""Nets of a user's cell that nothing holds: a name that was mistyped, a capacitor to metal that is connected to nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cosim.simulator.netlist_cards import Card
from netlists.models.pdk import ModelNames
from netlists.spice_text import words_and_values

_GROUND = "0"
_PATHS = {"r": 2, "l": 2, "v": 2, "d": 2, "b": 2, "f": 2, "h": 2, "w": 2, "t": 4, "j": 3, "q": 3}
"""Elements all of whose nodes a direct current joins, and how many they have."""

_GATED = {"m": 4, "s": 4, "e": 4, "g": 4}
_SENSED = re.compile(r"\bv\s*\(([^()]*)\)", re.IGNORECASE)
EXTRACTED = re.compile(r"#$|\.[nt]\d+$|\$|/")
"""Names that layout tools give; nobody mistypes them."""

_DEEPEST = 30


@dataclass(frozen=True)
class _Node:
    """Where a net meets a device: `held` if a direct current can flow there, `idle` if all else of the device is one net."""

    card: Card
    held: bool
    idle: bool = False


def check_nets(cards: Sequence[Card], subcircuit: str, names: ModelNames) -> None:
    """Raises `InputError` for a net with one connection, and for one that only gates and capacitors reach: nothing holds it.

    A net that a layout tool has named may end at a device that can hold it: a dummy's diffusion, the end of a wire.
    """
    nets = _Nets(cards, names)
    pins = nets.expand(subcircuit)
    for net, nodes in nets.nodes.items():
        if net in pins:
            continue
        if len(nodes) == 1 and not (nodes[0].held and (nodes[0].idle or EXTRACTED.search(net))):
            device = nodes[0].card.words[0]
            raise nodes[0].card.refuse(f"{device}: net {net} has no other connection; connect it, or leave {device} out")
        if nets.root(net) not in {nets.root(pin) for pin in pins}:
            devices = ", ".join(dict.fromkeys(node.card.words[0] for node in islice(nodes, 4)))
            raise nodes[0].card.refuse(
                f"net {net} (at {devices}): no direct current reaches it from a pin or ground, so nothing holds its voltage; "
                "connect it, or leave out what hangs on it"
            )


class _Nets:
    """The nets of a cell with its sub-circuits in place, and which of them a direct current joins."""

    def __init__(self, cards: Sequence[Card], names: ModelNames) -> None:
        self.names = names
        self.nodes: dict[str, list[_Node]] = defaultdict(list)
        self._parent: dict[str, str] = {}
        self._bodies = _bodies(cards)

    def expand(self, subcircuit: str) -> set[str]:
        """Take in a sub-circuit; returns its pins and ground, which hold what they reach."""
        pins = _pins(self._bodies[subcircuit.lower()][0])
        self._take_in(subcircuit.lower(), {pin: pin for pin in pins}, "")
        return {*pins, _GROUND}

    def root(self, net: str) -> str:
        """The net that stands for all that a direct current joins with this one."""
        while (above := self._parent.get(net, net)) != net:
            net = above
        return net

    def _take_in(self, subcircuit: str, outside: Mapping[str, str], path: str) -> None:
        def net(name: str) -> str:
            name = name.lower()
            return _GROUND if name in ("0", "gnd") and name not in outside else outside.get(name, f"{path}{name}")

        for card in self._bodies[subcircuit][1:]:
            if card.keyword.startswith((".", "k")):
                continue
            words, _ = words_and_values(card.text)
            for sensed in _SENSED.findall(card.text):
                for name in sensed.split(","):
                    self.nodes[net(name.strip())].append(_Node(card, held=False))
            called = words[-1].lower()
            if card.keyword[0] == "x" and called in self._bodies:
                self._call(card, words, called, [net(name) for name in words[1:-1]], path)
            else:
                self._connect(card, [(net(name), held) for name, held in self._terminals(card, words)])

    def _call(self, card: Card, words: list[str], called: str, nets: list[str], path: str) -> None:
        pins = _pins(self._bodies[called][0])
        if len(pins) != len(nets):
            raise card.refuse(f"{words[0]} gives {len(nets)} nodes, sub-circuit {words[-1]} has {len(pins)} ({', '.join(pins)})")
        if path.count(".") > _DEEPEST:
            raise card.refuse(f"{words[-1]} calls itself")
        self._take_in(called, dict(zip(pins, nets, strict=True)), f"{path}{words[0].lower()}.")

    def _terminals(self, card: Card, words: list[str]) -> Iterator[tuple[str, bool]]:
        """The nodes of a device, and whether a direct current can flow there."""
        letter = card.keyword[0]
        if letter == "x":
            model = words[-1].lower()
            for k, name in enumerate(words[1:-1]):
                gate = k == 1 and bool(self.names.transistors and self.names.transistors.match(model))
                yield name, not (gate or (self.names.capacitors and self.names.capacitors.match(model)))
        elif letter in _PATHS:
            yield from ((name, True) for name in words[1 : 1 + _PATHS[letter]])
        elif letter == "m":
            if len(words) < 6:
                raise card.refuse(f"{words[0]} has {len(words) - 2} nodes; a transistor has four: drain, gate, source, bulk")
            yield from ((name, k != 1) for k, name in enumerate(words[1:5]))
        elif letter in _GATED:  # a source or a switch, then what controls it
            controlled = len(words) > _GATED[letter] + 1 and not any("(" in word for word in words[3:5])
            yield from ((name, k < 2) for k, name in enumerate(words[1 : 5 if controlled else 3]))
        else:  # a capacitor, a current source
            yield from ((name, False) for name in words[1:3])

    def _connect(self, card: Card, terminals: list[tuple[str, bool]]) -> None:
        for net, held in terminals:
            others = [other for other, _ in terminals]
            others.remove(net)
            self.nodes[net].append(_Node(card, held, idle=card.keyword[0] in "xm" and len(set(others)) == 1))
        joined = [net for net, held in terminals if held]
        for net in joined[1:]:
            self._parent[self.root(net)] = self.root(joined[0])


def _bodies(cards: Sequence[Card]) -> dict[str, list[Card]]:
    """Sub-circuits by name: the header and what stands inside; one inside another is found as well."""
    found: dict[str, list[Card]] = {}
    opened: list[list[Card]] = []
    for card in cards:
        if card.keyword == ".subckt":
            opened.append(found.setdefault(card.words[1].lower(), []))
        if opened:
            opened[-1].append(card)
        if card.keyword == ".ends":
            opened.pop()
    return found


def _pins(header: Card) -> list[str]:
    words, _ = words_and_values(header.text)
    return [word.lower() for word in words[2:]]
