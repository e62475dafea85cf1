"""A deck without hierarchy and without expressions: what ngspice would make of it, made once instead of at every load.

Sub-circuits are expanded, parameters evaluated, random numbers drawn. Such a deck loads several times faster, and points that
differ in a value or in a seed are set on the circuit that is loaded already. Draws mean what a designer expects: a parameter of
the library is drawn once and shared by all devices (the die), one inside a sub-circuit once for each device (mismatch).
Devices and nodes get the names that ngspice's own expansion gives them.

What is written here is ngspice 39's reading of a deck (its `inpcom.c`, `subckt.c` and numparam), oddities included, and tested
against it over decks at random. Every card or word that is not known raises `NotEvaluable`: the deck is left to ngspice.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import CodeType

from cosim.simulator.commands import setting
from cosim.simulator.expressions import NotEvaluable, compiled, parts
from cosim.simulator.scopes import Draws, Scope
from netlists.spice_text import DRAWING, Definition, Statement, assignments, definitions, statements, words_and_values

_KEPT = frozenset({".option", ".options", ".temp", ".save", ".op", ".dc", ".tran", ".ic", ".nodeset"})
_KNOWN = _KEPT | {".param", ".model", ".subckt", ".ends", ".end"}
_PLAIN = frozenset("defghkst")
_DEEPEST = 30
_MOST_CALLS = 200_000
"""More calls of sub-circuits than this are left to ngspice, in a process that may be ended."""
PINS = {"b": 2, "c": 2, "d": 2, "e": 4, "g": 4, "i": 2, "l": 2, "m": 4, "r": 2, "v": 2}
"""Nodes of an element, by its letter."""
_WITHOUT_MULTIPLIER = frozenset("bvehaknopstuwy")
"""Elements that ngspice does not hand the multiplier of the call around them."""
_MARKED = re.compile(r"\{[^{}']*\}|'[^{}']*'")
"""A whole expression in braces or quotes."""
_MARKS = re.compile(r"[{}'\"]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*", re.IGNORECASE)
_NUMERIC_START = re.compile(r"[+-]?[.\d]|true|false", re.IGNORECASE)
"""What ngspice takes for a number where an element says `parameter = `, however it goes on."""
_IDENTIFIER = re.compile(r"(?<!\w)[a-z_]\w*")
_SEPARATOR = re.compile(r"[(),={}'\"]")
_PARAMS = re.compile(r"\sparams:", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"\w+", re.ASCII)
_RUN = re.compile(r"\b[vi]\s*\(|\b(?:temper|time|hertz)\b", re.IGNORECASE)
_NOT_TEMPERATURE = re.compile(r"\b[vi]\s*\(|\b(?:time|hertz)\b", re.IGNORECASE)
_TO_EVALUATE = re.compile(r"[{}'\"]|^\.(?!option).*=\s*[a-z_(]", re.IGNORECASE)
_OF_THE_RUN = "expression of the run"
_DRAW = re.compile(rf"\b(?:{'|'.join(DRAWING)})\b", re.IGNORECASE)
_COMMENT = re.compile(r"\s\$|//|\"")


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


def flatten(cards: str, values: Iterable[str] = (), hspice: bool = False) -> FlatDeck:
    """Flatten a deck's cards. `values` names the numbers of the top level that will be set: `element` or `element[parameter]`;
    `hspice` says whether ngspice is told to be compatible with HSPICE.

    Raises `NotEvaluable` for what this module does not know; ngspice may know it.
    """
    if any(line.lstrip().startswith(";") for line in cards.splitlines()):
        raise NotEvaluable("a comment that ends the continuation of a card")
    lines = list(statements(cards.splitlines()))
    for line in lines:
        _check_form(line)
    keywords = [line.words[0] for line in lines]
    if keywords.count(".subckt") != keywords.count(".ends"):
        raise NotEvaluable("a sub-circuit does not end")
    return _Flattener(frozenset(values), hspice).flatten(definitions(lines))


def _check_form(card: Statement) -> None:
    """Of any card, also where nothing calls it. Raises `NotEvaluable` for what ngspice may read as something else."""
    keyword = card.words[0]
    if _COMMENT.search(card.text) or (keyword.startswith(".") and keyword not in _KNOWN):
        raise NotEvaluable(f"not known: {card.text}")
    if keyword == ".param":
        words, given = words_and_values(card.text)
        if words != card.text.split()[:1] or not given:
            raise NotEvaluable(f"not one parameter after the other: {card.text}")


def _check_names(names: Iterable[str]) -> None:
    """Of elements and nodes. Raises `NotEvaluable` for a sign at which ngspice ends a name."""
    for name in names:
        if _SEPARATOR.search(name):
            raise NotEvaluable(f"{name} is more than a name")


@dataclass(frozen=True)
class _Parameter:
    """A parameter of a sub-circuit and its default; one that draws is, to ngspice, its expression wherever it is used."""

    name: str
    expression: str
    draws: bool = False

    @property
    def identifiers(self) -> set[str]:
        return set(_IDENTIFIER.findall(self.expression.lower()))


class Subcircuit:
    """A definition, as ngspice reads it: its parameters in the order in which a call evaluates them."""

    def __init__(self, body: Definition) -> None:
        header, *cards, _ = body.statements
        (_, _, *self.pins), defaults = _split(header)
        _check_names(self.pins)
        self.cards = [card for card in cards if card.words[0] not in (".param", ".model")]
        self.models = {card.words[1]: card for card in cards if card.words[0] == ".model"}
        local = [pair for card in cards if card.words[0] == ".param" for pair in assignments(card.text)]
        everything = [_parameter(*pair) for pair in [*_in_order(defaults), *local]]
        self.draws = [one for one in everything if one.draws]
        names = {one.name for one in self.draws}
        ordered = _in_order([(one.name, one.expression) for one in everything if one.name not in names])
        self.parameters = [_Parameter(*pair) for pair in ordered]
        self.of_temperature = _of_temperature({one.name: one.expression for one in self.parameters})
        self.hands_on_its_multiplier = False
        """Whether its cards get the multiplier of its call."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self.parameters)

    def hand_on_multiplier(self) -> None:
        """Unless its header says what `m` is."""
        if "m" not in self.names:
            self.hands_on_its_multiplier = True
            self.parameters.append(_Parameter("m", "1"))

    def scope(self, draws: Draws, path: str, caller: Scope, given: Mapping[str, str], hspice: bool) -> Scope:
        """The parameters of a call with what it gives, expressions without marks; ngspice evaluates plain numbers first."""
        scope = Scope(draws, path, caller, hspice)
        for one in self.draws:
            scope.define_draw(one.name, one.expression)
        expressions = {one.name: given.get(one.name, one.expression) for one in self.parameters}
        for name, expression in sorted(expressions.items(), key=lambda pair: not _NUMBER.fullmatch(pair[1].strip())):
            scope.define(name, expression)
        return scope


def _parameter(name: str, text: str) -> _Parameter:
    if not _DRAW.search(text):
        return _Parameter(name, expression_of(text))
    if _MARKS.search(_MARKED.sub("", text)):
        raise NotEvaluable(f"{name}: marks without another, {text}")
    # ngspice makes a function of it, and then braces and quotes mean nothing.
    return _Parameter(name, _MARKS.sub("", text).strip(), draws=True)


def _in_order(parameters: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Parameters as ngspice sorts them: those on which others depend first; of two of a name the later counts."""
    last = dict(parameters)
    places = {name: place for place, (name, _) in enumerate(parameters)}
    named = {name: set(_IDENTIFIER.findall(text.lower())) & last.keys() - {name} for name, text in last.items()}
    levels: dict[str, int] = {}

    def level(name: str, above: tuple[str, ...] = ()) -> int:
        if name in above or len(above) > 200:
            raise NotEvaluable(f"{name} depends on itself")
        if name not in levels:
            levels[name] = max((level(other, (*above, name)) + 1 for other in named[name]), default=0)
        return levels[name]

    return [(name, last[name]) for name in sorted(last, key=lambda name: (level(name), places[name]))]


def _of_temperature(expressions: Mapping[str, str]) -> set[str]:
    """Parameters in whose expressions the temperature stands, or one of these: ngspice makes functions of them."""
    named = {name: set(_IDENTIFIER.findall(text.lower())) for name, text in expressions.items()}
    found: set[str] = set()
    while more := {name for name, names in named.items() if names & {"temper", *found}} - found:
        found |= more
    return found


@dataclass(frozen=True)
class _Level:
    """Where an element stands: inside which call, among which nodes, parameters and models."""

    path: str
    nodes: Mapping[str, str]
    scope: Scope
    inside: Subcircuit | None = None

    def node(self, name: str) -> str:
        name = name.lower()
        return "0" if name in ("0", "gnd") else self.nodes.get(name, f"{self.path}{name}")

    def element(self, name: str) -> str:
        """The name that ngspice gives an element of this place."""
        name = name.lower()
        return f"{name[0]}.{self.path}{name}" if self.path else name

    @property
    def hands_on_multiplier(self) -> bool:
        return self.inside is not None and self.inside.hands_on_its_multiplier


class _Flattener:
    def __init__(self, values: frozenset[str], hspice: bool) -> None:
        self.values, self.hspice = values, hspice
        self.draws = Draws()
        self.top = Scope(self.draws, "", hspice=hspice)
        self.scopes = [self.top]
        self.subcircuits: dict[str, Subcircuit] = {}
        self.models: dict[str, str] = {}
        self.parameters = self.calls = 0
        self.drawn: set[str] = set()
        """Parameters of the top level that draw."""
        self.of_temperature: set[str] = set()
        """Parameters of the top level that depend on the temperature."""
        self.of_any_temperature: set[str] = set()
        """Those of all sub-circuits as well."""
        self.pieces: list[Piece] = []

    def flatten(self, items: list[Definition]) -> FlatDeck:
        level = _Level("", {}, self.top)
        if (celsius := _temperature(items)) is not None:
            self.top.define("temper", celsius)
        cards = [item.statements[0] for item in items if not self._take_up(item)]
        self.of_temperature = _of_temperature({name: self.top.expression(name) for name in self.top.names})
        self.of_any_temperature = self.of_temperature.union(*(body.of_temperature for body in self.subcircuits.values()))
        self.top.evaluate_all()
        self._spread_multipliers(items)
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
            name, text = assignments(item.statements[0].text)[0]
            parameter = _parameter(name, text)
            if name in self.top.names:
                # With some sub-circuits ngspice 39 then evaluates nothing without marks any more.
                raise NotEvaluable(f"{name} is defined twice")
            self.top.define(name, parameter.expression)
            self.drawn |= {name} if parameter.draws else set()
        elif item.is_subcircuit:
            if item.name in self.subcircuits:
                raise NotEvaluable(f"{item.name} is defined twice")
            self.subcircuits[item.name] = Subcircuit(item)
        else:
            return False
        return True

    def _spread_multipliers(self, items: Iterable[Definition]) -> None:
        """Which sub-circuits hand on the multiplier of their call.

        ngspice goes through the deck once. A sub-circuit that is called with `m` gets it as a parameter, and each of its cards
        then has it, calls too; but a call that it has passed by then is not looked at again.
        """
        for item in items:
            around = self.subcircuits[item.name] if item.is_subcircuit else None
            for card in around.cards if around else item.statements[:1]:
                if card.words[0][0] != "x":
                    continue
                words, given = _split(card)
                called = self.subcircuits.get(words[-1].lower())
                if called and ("m" in dict(given) or (around and around.hands_on_its_multiplier)):
                    called.hand_on_multiplier()

    def _element(self, card: Statement, level: _Level) -> list[Piece]:
        keyword, letter = card.words[0], card.words[0][0]
        if keyword == ".end":
            return []
        if keyword in _KEPT and not level.path and not _TO_EVALUATE.search(card.text):
            return [card.text + "\n"]
        if letter == "x":
            return self._call(card, level)
        if keyword == ".model" and not level.path:
            return [*self._model(card, level, card.words[1]), "\n"]
        if letter in PINS and (found := self._device(card, level)):
            return found
        if letter in _PLAIN and not level.path and not self._holds_parameters(card.text.split()[1:], level):
            return [card.text + "\n"]
        raise NotEvaluable(f"not known: {card.text}")

    def _is_parameter(self, word: str, level: _Level) -> bool:
        """Whether ngspice takes a bare word behind the nodes of an element for a parameter."""
        word = word.lower()
        return word in self.top.names or (level.inside is not None and word in level.scope.names)

    def _holds_parameters(self, words: Iterable[str], level: _Level) -> bool:
        """Whether there is something to evaluate in these words."""
        text = " ".join(words)
        names = _IDENTIFIER.findall(text.lower())
        return bool(_MARKS.search(text)) or any(self._is_parameter(name, level) for name in names)

    def _call(self, card: Statement, level: _Level) -> list[Piece]:
        """The elements of the sub-circuit that an X card calls."""
        words, given = _split(card)
        if len(dict(given)) < len(given):
            raise NotEvaluable(f"a parameter is given twice: {card.text}")
        if self.hspice and _PARAMS.search(card.text):
            raise NotEvaluable(f"ngspice takes params: for a node here: {card.text}")
        body = self.subcircuits.get(words[-1].lower())
        if body is None or self._is_parameter(words[-1], level):
            raise NotEvaluable(f"unknown sub-circuit {words[-1]}")
        if level.path.count(".") > _DEEPEST:
            raise NotEvaluable(f"{words[-1]} calls itself")
        self.calls += 1
        if self.calls > _MOST_CALLS:
            raise NotEvaluable(f"more than {_MOST_CALLS} calls of sub-circuits")
        _check_names(words)
        if len(body.pins) != len(words) - 2:
            raise NotEvaluable(f"wrong number of nodes: {card.text}")
        if (given or body.parameters) and not _PLAIN_NAME.fullmatch(words[-1]):
            raise NotEvaluable(f"{words[-1]}: ngspice hands no parameters to a sub-circuit of this name")
        path = f"{level.path}{words[0].lower()}."
        scope = self._called(body, path, level, dict(given))
        nodes = dict(zip(map(str.lower, body.pins), map(level.node, words[1:-1]), strict=True))
        inside = _Level(path, nodes, scope, body)
        return [piece for element in body.cards for piece in self._element(element, inside)]

    def _called(self, body: Subcircuit, path: str, level: _Level, texts: dict[str, str]) -> Scope:
        """The parameters of a call; what the sub-circuit does not know of is left out, as ngspice does."""
        for one in body.parameters:
            # ngspice makes functions of both kinds, and what comes of one inside the other is not known.
            if "temper" in one.expression.lower() and one.identifiers & self.drawn:
                raise NotEvaluable(f"{path}{one.name}: of temperature and random numbers")
            if one.identifiers & self.of_any_temperature - body.names:
                raise NotEvaluable(f"{path}{one.name}: of a temperature from elsewhere")
        handed_on = any("temper" in text.lower() or self._names_temperature(text, level) for text in texts.values())
        if handed_on or texts.keys() & body.of_temperature:
            raise NotEvaluable(f"{path}: a temperature is handed on")
        given, own_m = {name: expression_of(text) for name, text in texts.items()}, texts.get("m")
        if level.hands_on_multiplier:
            given["m"] = self._multiplied([own_m] if own_m else [])
        if (given and not body.parameters) or given.keys() & {one.name for one in body.draws}:
            raise NotEvaluable(f"{path}: a parameter that {', '.join(given)} cannot be")
        scope = body.scope(self.draws, path, level.scope, given, self.hspice)
        self.scopes.append(scope)
        scope.evaluate_all()  # as ngspice does: what nobody uses may be wrong too
        return scope

    def _names_temperature(self, text: str, level: _Level) -> bool:
        """Whether a parameter of temperature stands in an expression. Raises `NotEvaluable` for one of elsewhere."""
        if not self.of_any_temperature:
            return False
        names, inside = set(_IDENTIFIER.findall(text.lower())), level.inside
        own = inside.of_temperature if inside else self.of_temperature
        if inside and names & self.of_any_temperature - inside.names:
            raise NotEvaluable(f"of a temperature from elsewhere: {text}")
        return bool(names & own)

    def _device(self, card: Statement, level: _Level) -> list[Piece] | None:
        """An element that has no element inside; None where it is left to others."""
        words, given = _split(card)
        letter, pins = words[0][0].lower(), PINS[words[0][0].lower()]
        name, rest = level.element(words[0]), words[pins + 1 :]
        first = name if level.path else words[0]
        pieces: list[Piece] = [" ".join([first, *map(level.node if level.path else str, words[1 : pins + 1])])]
        if len(dict(given)) < len(given):
            raise NotEvaluable(f"a parameter is given twice: {card.text}")
        of_the_run = bool(_RUN.search(card.text))
        if of_the_run and any("," in text for parameter, text in given if parameter == "m"):
            raise NotEvaluable(f"{name}: ngspice reads its multiplier up to the comma")
        if len(words) <= pins:
            raise NotEvaluable(f"{name}: too few nodes")
        _check_names(words[: pins + 1])
        if letter == "b":
            return [*pieces, *self._behaviour(card, level, name), "\n"]
        own_m = [text for parameter, text in given if parameter == "m"]
        pieces += [" ", *found] if (found := self._words(letter, rest, level, name)) else []
        for parameter, text in given:
            key = "" if parameter == letter and level.path else parameter
            if parameter != "m" or not level.hands_on_multiplier:
                if not _MARKED.fullmatch(text) and self._names_temperature(text, level):
                    raise NotEvaluable(f"{key}={text}: a parameter of temperature without marks")
                number = self._number(_value(parameter, text), level, name, key, letter)
                pieces += [f" {parameter}=", *(_in_marks(number, text) if of_the_run else number)]
        if level.hands_on_multiplier and letter not in _WITHOUT_MULTIPLIER:
            m = self._constant(self._multiplied(own_m), level, f"{name}[m]")
            pieces += [f" m={{{m!r}}}" if of_the_run else f" m={m!r}"] if m != 1.0 else []
        return [*pieces, "\n"]

    def _multiplied(self, own: list[str]) -> str:
        """The multiplier of a card inside a sub-circuit that hands on its own, `own` what the card says."""
        if not own:
            return "m"
        text = own[0]
        unmarked = _NUMERIC_START.match(text) and not _NUMBER.fullmatch(text)
        if not self.hspice or "," in text or unmarked or len(own) > 1:
            raise NotEvaluable(f"m={text}: a multiplier that ngspice does not multiply")
        return f"m*({expression_of(text)})"

    def _words(self, letter: str, words: list[str], level: _Level, name: str) -> list[Piece]:
        """What stands between the nodes of an element and its first `parameter = `: a model, a value, the form of a source."""
        pieces: list[Piece] = []
        if letter in "md":
            if not words or not all(word.lower() == "off" or _NUMBER.fullmatch(word) for word in words[1:]):
                raise NotEvaluable(f"{name}: {' '.join(words)}")
            model = self._model_name(words[0].lower(), level) if level.path else [words[0]]
            return [*model, *(f" {word}" for word in words[1:])]
        if letter in "eg" and len(words) != 1 and (level.path or self._holds_parameters(words, level)):
            raise NotEvaluable(f"{name}: {' '.join(words)}")
        if name in self.values and [word.lower() for word in words[:-1]] not in ([], ["dc"]) and words:
            raise NotEvaluable(f"{name} has no single value: {' '.join(words)}")
        for place, word in enumerate(words):
            is_last = place == len(words) - 1
            if not _MARKED.fullmatch(word) and self._names_temperature(word, level):
                raise NotEvaluable(f"{name}: {word}, a parameter of temperature without marks")
            pieces += [" "] if pieces else []
            if _MARKED.fullmatch(word) or self._is_parameter(word, level) or (is_last and _NUMBER.fullmatch(word)):
                of_a_source = letter in "vi" and not is_last
                pieces += self._number(expression_of(word), level, f"{name}.{place}" if of_a_source else name, kind=letter)
            elif self._holds_parameters([word], level):
                raise NotEvaluable(f"{name}: {word}")
            elif letter in "rc" and level.path and not _NUMBER.fullmatch(word):
                pieces += self._model_name(word.lower(), level)
            elif letter in "vi" or _NUMBER.fullmatch(word) or (letter in "rc" and not level.path):
                pieces.append(word)
            else:
                raise NotEvaluable(f"{name}: {word}")
        return pieces

    def _behaviour(self, card: Statement, level: _Level, name: str) -> list[Piece]:
        """The one expression of a behavioural source."""
        words, given = _split(card)
        if len(words) != 3 or len(given) != 1 or given[0][0] not in ("i", "v"):
            raise NotEvaluable(f"not known: {card.text}")
        quantity, text = given[0]
        inner = text[1:-1] if _MARKED.fullmatch(text) else text
        if _MARKS.search(inner):
            raise NotEvaluable(f"not known: {card.text}")
        return [f" {quantity} = ", *self._expression_of_the_run(inner, level, name)]

    def _model_name(self, word: str, level: _Level) -> list[Piece]:
        """The name of a flat model with the parameters of this place; its cards are written when it is first needed."""
        models = level.inside.models if level.inside else {}
        bins = {name[len(word) :]: card for name, card in models.items() if word in (name, name.rpartition(".")[0])}
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
        pieces: list[Piece] = [f".model {name}"]
        for part in _model_parts(card):
            pieces += [part] if isinstance(part, str) else self._number(part[1], level, name, part[0], ".")
        return pieces

    def _number(self, text: str, level: _Level, name: str, parameter: str = "", kind: str = "") -> list[Piece]:
        """A number as text or, where a seed or a value decides it, as a slot."""
        key = f"{name}[{parameter}]" if parameter else name
        to_be_set = not level.path and key in self.values
        if _NUMBER.fullmatch(text) and not to_be_set:
            return [text]
        if self._names_temperature(text, level) and not _follows_temperature(kind, parameter):
            raise NotEvaluable(f"{key}: a number of temperature, {text}")
        if _RUN.search(text):
            if kind not in ("r", "c", "l") and (kind not in ("m", ".") or _NOT_TEMPERATURE.search(text)):
                raise NotEvaluable(f"{key}: only the run knows {text}")
            return ["{", *self._expression_of_the_run(text, level, key), "}"]
        code = compiled(text, self.hspice)
        value, random = (code, False) if isinstance(code, float) else self.draws.evaluate(code, level.scope, key)
        if not (random or to_be_set):
            return [repr(value)]
        slot = Slot(key, setting(name, parameter), value)
        return [replace(slot, code=code, scope=level.scope) if random and not isinstance(code, float) else slot]

    def _expression_of_the_run(self, text: str, level: _Level, key: str) -> list[Piece]:
        """An expression that ngspice evaluates. Its parameters stay some, as ngspice rounds a number in it to eleven digits."""
        pieces: list[Piece] = []
        for part, word in parts(text, level.node, level.element):
            if not word:
                pieces.append(part)
                continue
            number = self._number(word, level, f"{key}.{word}", kind=_OF_THE_RUN)
            # No command reaches them.
            known = [replace(piece, command=None) if isinstance(piece, Slot) else piece for piece in number]
            self.parameters += 1
            self.pieces += [f".param flat_{self.parameters}=", *known, "\n"]
            pieces.append(f"flat_{self.parameters}")
        return pieces

    def _constant(self, text: str, level: _Level, where: str) -> float:
        if self._names_temperature(text, level):
            raise NotEvaluable(f"{where}: a multiplier of temperature")
        code = compiled(text, self.hspice)
        value, random = (code, False) if isinstance(code, float) else self.draws.evaluate(code, level.scope, where)
        if random:
            raise NotEvaluable(f"{where}: a random number that no command can set")
        return value


def expression_of(text: str) -> str:
    """What is to be evaluated, without the braces or quotes around it. Raises `NotEvaluable` where they do not hold all of it."""
    text = text.strip()
    if _MARKED.fullmatch(text):
        inner = text[1:-1].strip()
        # Read in an expression, a unit is not what it is elsewhere.
        return repr(compiled(inner)) if _NUMBER.fullmatch(inner) and inner[-1].isalpha() else inner
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter in "{}'\"; \t" or (letter == "," and not depth) or depth < 0:
            raise NotEvaluable(f"{text} is not one expression")
    return text


def _follows_temperature(kind: str, parameter: str) -> bool:
    """Whether ngspice takes a number that depends on the temperature there: the value of an element, a transistor or a model."""
    return (
        kind == _OF_THE_RUN or (kind in ("m", ".") and parameter != "m") or (kind in ("r", "c", "l") and parameter in ("", kind))
    )


def _in_marks(number: list[Piece], text: str) -> list[Piece]:
    """A number that was in marks, in marks: ngspice reads it with all its digits then."""
    return number if _NUMBER.fullmatch(text) or number[0] == "{" else ["{", *number, "}"]


def _value(parameter: str, text: str) -> str:
    """What stands behind `parameter = ` of an element or a model, to be evaluated."""
    if _NUMBER.fullmatch(text):
        return text
    if not _MARKED.fullmatch(text) and _NUMERIC_START.match(text):
        raise NotEvaluable(f"ngspice reads {parameter}={text} up to where it is no number")
    return expression_of(text)


@functools.lru_cache(maxsize=4096)
def _model_parts(card: Statement) -> list[str | tuple[str, str]]:
    """A model behind its name: text, and parameters with what is to be evaluated. Most of hundreds are plain numbers."""
    words, given = _split(card)
    if [word for word in words[3:] if word != "("]:
        raise NotEvaluable(f"not known: {card.text}")
    found: list[str | tuple[str, str]] = []
    text = f" {words[2].strip('(')}"
    for number, (parameter, value) in enumerate(given):
        inner = _value(parameter, _without_parenthesis(value))
        text += ("\n+ " if number % 8 == 7 else " ") + f"{parameter}="
        if _NUMBER.fullmatch(inner):
            text += inner
        else:
            found += [text, (parameter, inner)]
            text = ""
    return [*found, text] if text else found


def _without_parenthesis(text: str) -> str:
    """The last value of a model whose parameters stand in parentheses."""
    inner = text.rstrip(") ")
    return inner if inner != text and (_NUMBER.fullmatch(inner) or _MARKED.fullmatch(inner)) else text.strip()


def _temperature(items: Iterable[Definition]) -> str | None:
    """The temperature of the run, which parameters may depend on; None where it is swept or not given."""
    cards = [item.statements[0].text.lower().split() for item in items]
    given = [words[1] for words in cards if words[0] == ".temp" and len(words) == 2]
    swept = any(words[0] == ".dc" and "temp" in words for words in cards)
    return given[-1] if given and not swept else None


@functools.lru_cache(maxsize=4096)
def _split(card: Statement) -> tuple[list[str], list[tuple[str, str]]]:
    """The words of a card before its first `name = value`, and these pairs."""
    return words_and_values(card.text)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The same with neighbouring texts in one."""
    joined: list[Piece] = []
    for is_text, run in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        pieces_of_run = list(run)
        joined += ["".join(map(str, pieces_of_run))] if is_text else pieces_of_run
    return joined
