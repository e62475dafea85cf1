"""Metal of a layout that is connected to nothing: a net of capacitors alone, which a simulator cannot solve for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from cosim.design.cell_nets import EXTRACTED
from cosim.simulator.netlist_cards import Card
from netlists.spice_text import spice_number

_PLAIN = re.compile(r"c\S*\s+\S+\s+\S+\s+[\d.]\S*", re.IGNORECASE)
_WORD = re.compile(r"[^\s(),={}'\"*/+-]+(?:[/-][^\s(),={}'\"*+-]+)*")
_MOST_NEIGHBOURS = 100


def without_floating_metal(cards: Sequence[Card]) -> tuple[list[Card], list[str]]:
    """The cards with each such net replaced by the capacitances between its neighbours, and the names of these nets.

    A net that carries no charge and meets capacitors C_i alone acts on its neighbours as capacitors C_i C_j / sum C between each
    two of them (star-mesh transformation): exactly, and nothing is left to be solved for. Only names that a layout tool gives
    count as metal.
    """
    done: list[Card] = []
    floating: list[str] = []
    body: list[Card] = []
    for card in cards:
        body.append(card)
        if card.keyword == ".ends":
            body, found = _eliminated(body)
            floating += found
        if card.keyword in (".ends", ".subckt") or body[0].keyword != ".subckt":
            # An inner sub-circuit has nets of its own: what stands before it in the outer one is left as it is.
            if card.keyword == ".subckt":
                done, body = done + body[:-1], [card]
            else:
                done, body = done + body, []
    return done + body, floating


def _eliminated(body: list[Card]) -> tuple[list[Card], list[str]]:
    """A sub-circuit without its floating metal, one net after the other: metal may couple to other metal."""
    floating = _nets_of_metal(body)
    for net in floating:
        star = [card for card in body if net in _nodes(card)]
        body = [card for card in body if net not in _nodes(card)]
        body[-1:-1] = _mesh(net, star)
    return body, floating


def _nodes(card: Card) -> list[str]:
    """The nodes of a plain capacitor, in lower case."""
    return [word.lower() for word in card.words[1:3]] if _PLAIN.fullmatch(card.text) else []


def _nets_of_metal(body: list[Card]) -> list[str]:
    """Nets that tools have named and that plain capacitors alone meet, in their order."""
    metal: dict[str, int] = defaultdict(int)
    others: set[str] = set()
    for card in body:
        if nodes := _nodes(card):
            for node in nodes:
                metal[node] += 1
        else:
            others |= {word.lower() for word in card.words} | {word.lower() for word in _WORD.findall(card.text)}
    return [net for net, count in metal.items() if net not in others and EXTRACTED.search(net) and count <= _MOST_NEIGHBOURS]


def _mesh(net: str, star: Sequence[Card]) -> list[Card]:
    farads: dict[str, float] = defaultdict(float)
    for card in star:
        for node in _nodes(card):
            if node != net:
                farads[node] += spice_number(card.words[3])
    total = sum(farads.values()) or 1.0
    return [
        Card(star[0].source, star[0].line, f"{star[0].words[0]}_{number} {a} {b} {farads[a] * farads[b] / total:.9g}")
        for number, (a, b) in enumerate(combinations(farads, 2), start=1)
    ]
