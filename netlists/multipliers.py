"""Multipliers of sub-circuits, written out so that every simulator reads them alike.

`X1 a b load m=2` means two of `load` side by side. ngspice 39 adds `m` to the cards of `load`, but not to calls that it has
passed by then (it drops those of the devices in a cell that stands above its call), not where the header names `m`, and without
its compatibility with HSPICE a card's own `m` is lost. Here a sub-circuit has its number of copies as a parameter of another
name, and each of its cards says what to make of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from netlists.errors import NetlistError
from netlists.spice_text import Statement, statements

_TAKES_M = frozenset("cdgijlmqrzx")
"""Elements whose own `m` all simulators multiply."""
_NEEDS_NONE = frozenset("veh")
"""Ideal voltages, which are the same however many stand side by side."""
_MARKED = re.compile(r"\{[^{}']*\}|'[^{}']*'")
_MULTIPLIER = re.compile(r"\bm[\s+]*=", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[a-z_]\w*")


@dataclass
class _Body:
    """A sub-circuit: its header and its cards."""

    header: Statement
    cards: list[Statement] = field(default_factory=list)

    @property
    def explains_m(self) -> bool:
        """Whether its header has `m` and its cards or defaults use it: then it says itself what `m` is."""
        _, defaults = self.header.parts
        used = [value for name, value in [*defaults, *(pair for card in self.cards for pair in card.parts[1])]]
        positional = [word for card in self.cards for word in card.parts[0][1:]]
        texts = [*used, *positional]
        return "m" in dict(defaults) and any("m" in _IDENTIFIER.findall(text.lower()) for text in texts)


def written_out(netlist: str) -> str:
    """The netlist with the multipliers of the sub-circuits that it defines written out; the same text where there are none.

    Raises `NetlistError` for a card inside such a sub-circuit that has no multiplier.
    """
    if not _MULTIPLIER.search(netlist):  # every netlist comes through here, and most have none
        return netlist
    cards = list(statements(netlist.splitlines()))
    bodies = dict(_bodies(cards))
    copied = _copied(cards, bodies)
    if not copied:
        return netlist
    taken = {name for card in cards for name in card.names}
    parameter = next(name for name in _names() if name not in taken)
    lines, around = list[str](), ""
    for card in cards:
        keyword = card.words[0]
        around = card.words[1] if keyword == ".subckt" else around
        lines.append(_written(card, around, copied, parameter))
        around = "" if keyword == ".ends" else around
    return "".join(f"{line}\n" for line in lines)


def _names() -> Iterator[str]:
    yield "copies"
    number = 2
    while True:
        yield f"copies_{number}"
        number += 1


def _bodies(cards: Iterable[Statement]) -> Iterator[tuple[str, _Body]]:
    body: _Body | None = None
    for card in cards:
        if card.words[0] == ".subckt":
            body = _Body(card)
            yield card.words[1], body
        elif card.words[0] == ".ends":
            body = None
        elif body is not None:
            body.cards.append(card)


def _copied(cards: Sequence[Statement], bodies: dict[str, _Body]) -> frozenset[str]:
    """The sub-circuits that are called with a multiplier, and those that these call."""
    found: set[str] = set()
    pending = [name for card in cards if (name := _called(card)) in bodies and "m" in dict(card.parts[1])]
    while pending:
        name = pending.pop()
        if name in found or bodies[name].explains_m:
            continue
        found.add(name)
        pending += [inner for card in bodies[name].cards if (inner := _called(card)) in bodies]
    return frozenset(found)


def _called(card: Statement) -> str:
    if card.words[0][0] != "x":
        return ""
    words, _ = card.parts
    return words[-1].lower()


def _written(card: Statement, around: str, copied: frozenset[str], parameter: str) -> str:
    keyword = card.words[0]
    words, given = card.parts
    others = [pair for pair in given if pair[0] != "m"]
    if keyword == ".subckt":
        return _card(words, [*others, (parameter, "1")]) if around in copied else card.text
    factors = [parameter] if around in copied and not keyword.startswith(".") else []
    if not factors and _called(card) not in copied:
        return card.text
    if factors and keyword[0] in _NEEDS_NONE:
        return card.text
    if factors and keyword[0] not in _TAKES_M:
        raise NetlistError(
            f"{words[0]} in sub-circuit {around}, which is called with m: has no multiplier; call the sub-circuit several times"
        )
    factors += [_factor(value) for name, value in given if name == "m"]
    if not factors:
        return card.text
    name = parameter if _called(card) in copied else "m"
    return _card(words, [*others, (name, f"{{{'*'.join(factors)}}}")])


def _factor(text: str) -> str:
    return f"({text[1:-1] if _MARKED.fullmatch(text) else text})"


def _card(words: Iterable[str], given: Iterable[tuple[str, str]]) -> str:
    return " ".join([*words, *(f"{name}={value}" for name, value in given)])
