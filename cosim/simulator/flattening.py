"""A deck without hierarchy and without expressions: what ngspice would make of it, made once instead of at every load.

Sub-circuits are expanded, parameters evaluated, random numbers drawn. Such a deck loads several times faster, and points that
differ in a value or in a seed are set on the circuit that is loaded already. Draws mean what a designer expects: a parameter of
the library is drawn once and shared by all devices (the die), one inside a sub-circuit once for each device (mismatch).
Devices and nodes get the names that ngspice's own expansion gives them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from types import CodeType

from cosim.simulator.expressions import NotEvaluable, compiled, parts
from cosim.simulator.scopes import Draws, Scope
from netlists.spice_text import Definition, Statement, assignments, definitions, statements

_KEPT = frozenset({".option", ".options", ".temp", ".save", ".op", ".dc", ".tran", ".ic", ".nodeset"})
_PLAIN = frozenset("defghkst")
_DEEPEST = 30
# Model parameters whose change by command gives what loading them gives (tested). A length does not: what follows from it is
# worked out when the card is read.
_FOLLOWED = frozenset({"nfactor", "toxe", "voff", "vth0"})
_PINS = {"c": 2, "i": 2, "l": 2, "m": 4, "r": 2, "v": 2}
_WORD = re.compile(r"\{[^{}]*\}|'[^']*'|\S+")
_ASSIGNMENT = re.compile(r"\b[a-z_]\w*\s*=", re.IGNORECASE)
_EXPRESSION = re.compile(r"\{.*\}|'.*'", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*", re.IGNORECASE)
_QUOTED = re.compile(r"\{[^{}]*\}|'[^']*'")
_RUN = re.compile(r"\b[vi]\s*\(|\b(?:temper|time|hertz)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Slot:
    """A number that a seed or a value decides. `command` sets it on the loaded circuit; where it is None nothing can."""

    name: str
    command: str | None
    nominal: float
    code: CodeType | None = None
    scope: Scope | None = None


Piece = str | Slot


@dataclass(frozen=True)
class FlatDeck:
    """The cards of a deck (without title): text, and numbers that seed and values decide."""

    pieces: list[Piece]
    slots: list[Slot]
    scopes: list[Scope]
    draws: Draws

    @property
    def draws_numbers(self) -> bool:
        """Whether the seed matters."""
        return any(slot.code is not None for slot in self.slots)

    def numbers(self, values: Mapping[str, float], seed: int | None) -> list[float]:
        """The number of every slot."""
        self.draws.seed = seed
        for scope in self.scopes:
            scope.forget_draws()
        return [values[slot.name] if slot.name in values else self._number(slot) for slot in self.slots]

    def _number(self, slot: Slot) -> float:
        if slot.code is None or slot.scope is None:
            return slot.nominal
        return self.draws.evaluate(slot.code, slot.scope, slot.name)[0]

    def text(self, numbers: list[float]) -> str:
        """The cards with these numbers."""
        given = iter(numbers)
        return "".join(piece if isinstance(piece, str) else repr(next(given)) for piece in self.pieces)


def flatten(cards: str, values: Iterable[str] = ()) -> FlatDeck:
    """Flatten a deck's cards. `values` names the numbers of the top level that will be set: `element` or `element[parameter]`.

    Raises `NotEvaluable` for what this module does not know; ngspice may know it.
    """
    lines = list(statements(cards.splitlines()))
    keywords = [line.words[0] for line in lines]
    if keywords.count(".subckt") != keywords.count(".ends"):
        raise NotEvaluable("a sub-circuit does not end")
    return _Flattener(frozenset(values)).flatten(definitions(lines))


@dataclass(frozen=True)
class _Level:
    """Where an element stands: inside which call, among which nodes, parameters and models, how many times in parallel."""

    path: str
    nodes: Mapping[str, str]
    scope: Scope
    models: Mapping[str, Statement]
    multiplier: float = 1.0

    def node(self, name: str) -> str:
        name = name.lower()
        return "0" if name in ("0", "gnd") else self.nodes.get(name, f"{self.path}{name}")


class _Flattener:
    def __init__(self, values: frozenset[str]) -> None:
        self.values = values
        self.draws = Draws()
        self.top = Scope(self.draws, "")
        self.scopes = [self.top]
        self.subcircuits: dict[str, Definition] = {}
        self.models: dict[str, str] = {}
        self.pieces: list[Piece] = []

    def flatten(self, items: list[Definition]) -> FlatDeck:
        level = _Level("", {}, self.top, {})
        if (celsius := _temperature(items)) is not None:
            self.top.define("temper", celsius)
        cards = [item.statements[0] for item in items if not self._take_up(item)]
        # Options say how the sizes in all other cards are to be read.
        for card in sorted(cards, key=lambda card: not card.words[0].startswith(".option")):
            self.pieces += self._element(card, level)
        self.pieces.append(".end\n")
        slots = [piece for piece in self.pieces if isinstance(piece, Slot)]
        if missing := self.values - {slot.name for slot in slots}:
            raise NotEvaluable(f"{min(missing)} is not a number of the top level")
        return FlatDeck(_joined(self.pieces), slots, self.scopes, self.draws)

    def _take_up(self, item: Definition) -> bool:
        """Keep a parameter or sub-circuit for later; False for any other card."""
        if item.is_parameter:
            self.top.define(item.name, assignments(item.statements[0].text)[0][1])
        elif item.statements[0].words[0] == ".subckt":
            self.subcircuits[item.name] = item
        else:
            return False
        return True

    def _element(self, card: Statement, level: _Level) -> list[Piece]:
        keyword = card.words[0]
        if keyword == ".end":
            return []
        if keyword in _KEPT and not level.path:
            return [card.text + "\n"]
        if keyword[0] == "x":
            return self._call(card, level)
        if keyword == ".model" and not level.path:
            return [*self._model(card, level, card.words[1]), "\n"]
        if keyword[0] in _PINS:
            return self._device(card, level) if level.path else self._top_device(card, level)
        if keyword[0] in _PLAIN and not level.path and not _EXPRESSION.search(card.text):
            return [card.text + "\n"]
        raise NotEvaluable(f"not known: {card.text}")

    def _call(self, card: Statement, level: _Level) -> list[Piece]:
        """The elements of the sub-circuit that an X card calls."""
        words, given = _split(card)
        body = self.subcircuits.get(words[-1].lower())
        if body is None:
            raise NotEvaluable(f"unknown sub-circuit {words[-1]}")
        if level.path.count(".") > _DEEPEST:
            raise NotEvaluable(f"{words[-1]} calls itself")
        (_, _, *pins), defaults = _split(body.statements[0])
        if len(pins) != len(words) - 2:
            raise NotEvaluable(f"wrong number of nodes: {card.text}")
        path = f"{level.path}{words[0].lower()}."
        scope = Scope(self.draws, path, self.top)
        self.scopes.append(scope)
        local = [pair for card in body.statements[1:] if card.words[0] == ".param" for pair in assignments(card.text)]
        for name, expression in [*defaults, *local]:
            scope.define(name, expression)
        multiplier = level.multiplier
        for name, expression in given:
            scope.define(name, expression, read_in=level.scope)
            if name == "m":
                multiplier *= self._constant(expression, level.scope, f"{path}{name}")
        nodes = dict(zip(map(str.lower, pins), map(level.node, words[1:-1]), strict=True))
        inside = _Level(path, nodes, scope, _models_of(body), multiplier)
        elements = [card for card in body.statements[1:-1] if card.words[0] not in (".param", ".model")]
        return [piece for element in elements for piece in self._element(element, inside)]

    def _device(self, card: Statement, level: _Level) -> list[Piece]:
        """An element inside a sub-circuit, by the name that ngspice would give it."""
        words, given = _split(card)
        letter = words[0][0].lower()
        name, pins = f"{letter}.{level.path}{words[0].lower()}", _PINS[letter]
        pieces: list[Piece] = [" ".join([name, *map(level.node, words[1 : pins + 1])])]
        for word in words[pins + 1 :]:
            is_model = not (_EXPRESSION.fullmatch(word) or _NUMBER.fullmatch(word))
            pieces += [" ", *(self._model_name(word.lower(), level) if is_model else self._number(word, level, name))]
        for parameter, expression in given:
            main = parameter == letter
            pieces += [f" {parameter}=", *self._number(expression, level, name, "" if main else parameter)]
        return [*pieces, f" m={level.multiplier!r}\n" if level.multiplier != 1.0 else "\n"]

    def _top_device(self, card: Statement, level: _Level) -> list[Piece]:
        """An element of the top level stays as it is, but for its expressions and for the numbers that will be set."""
        words, given = _split(card)
        name, pins = words[0].lower(), _PINS[words[0][0].lower()]
        rest = words[pins + 1 :]
        if name in self.values and [word.lower() for word in rest[:-1]] not in ([], ["dc"]):
            raise NotEvaluable(f"{name} has no single value: {card.text}")
        pieces: list[Piece] = [" ".join(words[: pins + 1])]
        for word in rest:
            is_number = word is rest[-1] and name in self.values
            pieces += [" ", *(self._number(word, level, name) if is_number or _EXPRESSION.fullmatch(word) else [word])]
        for parameter, expression in given:
            pieces += [f" {parameter}=", *self._number(expression, level, name, parameter)]
        return [*pieces, "\n"]

    def _model_name(self, word: str, level: _Level) -> list[Piece]:
        """The name of a flat model with the parameters of this place; its cards are written when it is first needed."""
        bins = {name[len(word) :]: card for name, card in level.models.items() if word in (name, name.rpartition(".")[0])}
        if not bins:
            return [word]
        cards = {number: self._model(card, level, f"{level.path}{word}{number}") for number, card in bins.items()}
        if any(isinstance(piece, Slot) for pieces in cards.values() for piece in pieces):
            self.pieces += [piece for pieces in cards.values() for piece in [*pieces, "\n"]]
            return [f"{level.path}{word}"]
        bodies = {number: "".join(map(str, pieces[1:])) for number, pieces in cards.items()}
        text = "".join(f"{number}{body}" for number, body in bodies.items())
        if text not in self.models:
            self.models[text] = f"{word}_{len(self.models)}"
            self.pieces += [f".model {self.models[text]}{number}{body}\n" for number, body in bodies.items()]
        return [self.models[text]]

    def _model(self, card: Statement, level: _Level, name: str) -> list[Piece]:
        """A model card; its first piece holds the name."""
        words, given = _split(card)
        pieces: list[Piece] = [f".model {name}", f" {words[2].strip('(')}"]
        for number, (parameter, expression) in enumerate(given):
            pieces.append("\n+ " if number % 8 == 7 else " ")
            pieces += [f"{parameter}=", *self._number(expression.rstrip(") "), level, name, parameter)]
        return pieces

    def _number(self, text: str, level: _Level, name: str, parameter: str = "") -> list[Piece]:
        """A number as text or, where a seed or a value decides it, as a slot."""
        key = f"{name}[{parameter}]" if parameter else name
        to_be_set = not level.path and key in self.values
        if _NUMBER.fullmatch(text) and not to_be_set:
            return [text]
        if _RUN.search(text):
            return self._expression_of_the_run(text, level, key)
        code = compiled(text)
        value, random = (code, False) if isinstance(code, float) else self.draws.evaluate(code, level.scope, key)
        if not (random or to_be_set):
            return [repr(value)]
        slot = Slot(key, _command(name, parameter), value)
        return [replace(slot, code=code, scope=level.scope) if random and not isinstance(code, float) else slot]

    def _expression_of_the_run(self, text: str, level: _Level, key: str) -> list[Piece]:
        """An expression that ngspice evaluates, with the numbers of its parameters, which no command reaches."""
        pieces: list[Piece] = []
        for part, word in parts(text, level.node):
            found = self._number(word, level, f"{key}.{word}") if word else [part]
            pieces += [replace(piece, command=None) if isinstance(piece, Slot) else piece for piece in found]
        return pieces

    def _constant(self, text: str, scope: Scope, where: str) -> float:
        code = compiled(text)
        value, random = (code, False) if isinstance(code, float) else self.draws.evaluate(code, scope, where)
        if random:
            raise NotEvaluable(f"{where}: a random number that no command can set")
        return value


def _temperature(items: Iterable[Definition]) -> str | None:
    """The temperature of the run, which parameters may depend on; None where it is swept or not given."""
    cards = [item.statements[0].text.lower().split() for item in items]
    given = [words[1] for words in cards if words[0] == ".temp" and len(words) == 2]
    swept = any(words[0] == ".dc" and "temp" in words for words in cards)
    return given[-1] if given and not swept else None


def _command(name: str, parameter: str) -> str | None:
    """What sets a number on a loaded circuit, up to the number; None where ngspice would not follow it everywhere."""
    if not parameter:
        return f"alter {name} = "
    if parameter in ("delvto", "mulu0"):
        return f"alter @{name}[{parameter}] = "
    return f"altermod {name} {parameter} = " if parameter in _FOLLOWED else None


@functools.lru_cache(maxsize=4096)
def _split(card: Statement) -> tuple[list[str], list[tuple[str, str]]]:
    """The words of a card before its first `name = value`, and these pairs."""
    text = card.text
    masked = _QUOTED.sub(lambda match: "#" * len(match[0]), text)
    first = _ASSIGNMENT.search(masked)
    words = _WORD.findall(text[: first.start()] if first else text)
    return [word for word in words if word.lower() != "params:"], assignments(text)


def _models_of(body: Definition) -> dict[str, Statement]:
    return {card.words[1]: card for card in body.statements if card.words[0] == ".model"}


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The same with neighbouring texts in one."""
    joined: list[Piece] = []
    for is_text, run in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        pieces_of_run = list(run)
        joined += ["".join(map(str, pieces_of_run))] if is_text else pieces_of_run
    return joined
