"""Sizes in a user's cell: counted as the process counts them, numbers where the file has parameters of sub-circuits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cosim.simulator.expressions import NotEvaluable, compiled
from cosim.simulator.flattening import Subcircuit, expression_of
from cosim.simulator.netlist_cards import Card
from cosim.simulator.scopes import Draws, Scope
from netlists.models.pdk import ModelNames
from netlists.spice_text import Definition, Statement, assignments, spice_number, words_and_values

_LENGTHS = frozenset(["w", "l", "pd", "ps", "sa", "sb", "sd", "pj", "perim", "c_width", "c_length", "r_width", "r_length"])
_AREAS = frozenset(["ad", "as", "area"])
_PURE = frozenset(["m", "mult", "nf", "ng", "nrd", "nrs", "par", "tc1", "tc2", "r", "c", "vm", "hc", "dtemp", "temp", "ic"])
_SIZED_ELEMENTS = frozenset("xmdrcq")
_SIZES = ("w", "l", "nf")
_SMALLEST_UM, _LARGEST_UM = 1e-3, 1e5
"""No drawn size is outside: it was counted in something else."""

_SHORTEST_DIFFUSION_UM, _LONGEST_DIFFUSION_UM = 0.01, 100.0

_DEEPEST = 30

_HSPICE = True
"""Our processes have ngspice read decks as HSPICE does."""


def rescaled(cards: Sequence[Card], factor: float) -> list[Card]:
    """The cards with every length times `factor`, every area times its square. Raises `InputError` for what may be either."""
    return [_rescaled(card, factor) if card.keyword[0] in _SIZED_ELEMENTS else card for card in cards]


def _rescaled(card: Card, factor: float) -> Card:
    words, given = words_and_values(card.text)
    changed = []
    for name, value in given:
        power = 1 if name in _LENGTHS else 2 if name in _AREAS else 0 if name in _PURE else None
        if power is None:
            raise card.refuse(f"{name}: length or area? .option scale leaves it open; give `ext2spice scale off` in Magic")
        changed.append((name, _times(card, name, value, factor**power) if power else value))
    return _with_values(card, words, changed) if given else card


def _times(card: Card, name: str, value: str, factor: float) -> str:
    try:
        return f"{spice_number(value.strip(chr(39) + '{}')) * factor:.9g}"
    except ValueError as error:
        raise card.refuse(f"{name}: {error}, as .option scale needs one; give `ext2spice scale off` in Magic") from error


def _with_values(card: Card, words: Iterable[str], values: Iterable[tuple[str, str]]) -> Card:
    return replace(card, text=" ".join([*words, *(f"{name}={value}" for name, value in values)]))


def in_units_of(cards: Sequence[Card], names: ModelNames, process: str) -> tuple[list[Card], list[Card]]:
    """The cards with the sizes of the process's devices counted as it counts them, and those of them that were not.

    A width of 1e-6 um can only be one of 1 um in metres. Every length and area is judged by itself; raises `InputError` for one
    that makes no sense in um and none in metres.
    """
    counted = [_counted(card, names, process) for card in cards]
    return counted, [old for old, new in zip(cards, counted, strict=True) if new is not old]


def _counted(card: Card, names: ModelNames, process: str) -> Card:
    words, given = words_and_values(card.text)
    if card.keyword[0] != "x" or len(words) < 2 or not names.are_sized(words[-1].lower()):
        return card
    sizes = {name: value for name, text in given if name in ("w", "l") and (value := _number(text)) is not None}
    if all(_is_size(value / names.um, 1, 0.0) for value in sizes.values()):
        return card
    units_um = (1.0 / names.um, 1e6, 1.0)
    meant = Scope(Draws(), "", hspice=_HSPICE)
    counted = dict(given)
    # The width first, by which areas are judged; then numbers, from which expressions follow.
    for name, text in sorted(given, key=lambda pair: (pair[0] != "w", _number(pair[1]) is None)):
        meant.define(name, _marks_off(card, text))
        power = 1 if name in _LENGTHS else 2 if name in _AREAS else 0
        value = _evaluated(meant, name) if power else 0.0
        if value == 0.0:
            continue
        width_um = (_evaluated(meant, "w") or 0.0) / names.um
        found = [um for unit in units_um if (um := (value or 0.0) * unit**power) and _is_size(um, power, width_um)]
        if not found or (_number(text) is None and value != found[0] * names.um**power):
            unit, right = ("um", "w=1 for 1 um") if names.um == 1.0 else ("m", "w=1u for 1 um")
            raise card.refuse(f"{name}={text}: {process} counts sizes in {unit}, {right}; this is no size in um and none in m")
        if _number(text) is not None:
            counted[name] = f"{found[0] * names.um**power:.9g}"
            meant.define(name, counted[name])
    return _with_values(card, words, counted.items())


def _evaluated(scope: Scope, name: str) -> float | None:
    """The value of a parameter, None where it has none."""
    try:
        value = scope[name]
    except (NotEvaluable, LookupError):
        return None
    return value if isinstance(value, float) else None


def _is_size(um: float, power: int, width_um: float) -> bool:
    """Whether it is a length (power 1), or the area of a diffusion beside a gate of this width (power 2)."""
    if power == 1:
        return _SMALLEST_UM <= um <= _LARGEST_UM
    return width_um > 0.0 and _SHORTEST_DIFFUSION_UM < um / width_um < _LONGEST_DIFFUSION_UM


def evaluated(cards: Sequence[Card], subcircuit: str, names: ModelNames) -> list[Card]:
    """The same cards where every width, length and number of fingers of a device of the process is a number.

    A sub-circuit that is called with several sets of sizes becomes as many. Raises `InputError` for a size that has no value.
    """
    if not any(_open_sizes(card, names) for card in cards):
        return list(cards)
    return _Evaluation(cards, names).cards(subcircuit)


def _open_sizes(card: Card, names: ModelNames) -> list[tuple[str, str]]:
    """Sizes of a device that are no numbers."""
    if card.keyword[0] != "x":
        return []
    words, given = words_and_values(card.text)
    if not names.are_sized(words[-1].lower()):
        return []
    return [(name, value) for name, value in given if name in _SIZES and _number(value) is None]


def _marks_off(card: Card, value: str) -> str:
    try:
        return expression_of(value)
    except NotEvaluable as error:
        raise card.refuse(str(error)) from error


def _number(value: str) -> float | None:
    try:
        return spice_number(value.strip("'{} "))
    except ValueError:
        return None


class _Evaluation:
    """Goes down the calls of a cell with the parameters of each, and writes a sub-circuit for each set of sizes."""

    def __init__(self, cards: Sequence[Card], names: ModelNames) -> None:
        self.names = names
        self.draws = Draws()
        self.top_scope = Scope(self.draws, "", hspice=_HSPICE)
        self.top: list[Card] = []
        self.bodies: dict[str, list[Card]] = {}
        self.variants: dict[tuple[str, ...], list[Card]] = {}
        body: list[Card] | None = None
        for card in cards:
            if card.keyword == ".subckt":
                if body is not None:
                    raise card.refuse("a sub-circuit inside another, with sizes that are parameters; move it out")
                body = self.bodies[card.words[1].lower()] = []
            if body is None:
                self.top.append(card)
                for name, value in assignments(card.text) if card.keyword == ".param" else ():
                    self.top_scope.define(name, _marks_off(card, value))
            else:
                body.append(card)
            if card.keyword == ".ends":
                body = None

    def cards(self, subcircuit: str) -> list[Card]:
        self._variant(subcircuit.lower(), [], self.top_scope, "")
        return self.top + [card for body in self.variants.values() for card in body]

    def _variant(self, name: str, given: Iterable[tuple[str, str]], outer: Scope, path: str) -> str:
        """The name of the sub-circuit with the sizes that this call gives it."""
        header, *elements, end = self.bodies[name]
        try:
            body_as_read = Subcircuit(Definition(name, tuple(Statement((card.text,)) for card in self.bodies[name])))
            expressions = {parameter: expression_of(value) for parameter, value in given}
        except NotEvaluable as error:
            raise header.refuse(f"its parameters cannot be evaluated: {error}; give numbers or expressions in quotes") from error
        scope = body_as_read.scope(self.draws, path, outer, expressions, _HSPICE)
        body = [self._sized(card, scope, path) if card.keyword[0] == "x" else card for card in elements]
        key = (name, *(card.text for card in body))
        if key not in self.variants:
            count = sum(known[0] == name for known in self.variants)
            words = header.text.split(maxsplit=2)
            words[1] += f"_{count + 1}" if count else ""
            while count and words[1].lower() in self.bodies:
                words[1] += "_"
            self.variants[key] = [replace(header, text=" ".join(words)), *body, replace(end, text=".ends")]
        return self.variants[key][0].words[1]

    def _sized(self, card: Card, scope: Scope, path: str) -> Card:
        """A call with the sizes of this place."""
        words, given = words_and_values(card.text)
        if words[-1].lower() in self.bodies:
            if path.count(".") > _DEEPEST:
                raise card.refuse(f"{words[-1]} calls itself")
            called = self._variant(words[-1].lower(), given, scope, f"{path}{words[0].lower()}.")
            return _with_values(card, [*words[:-1], called], given)
        sizes = {name: self._value(card, name, value, scope) for name, value in _open_sizes(card, self.names)}
        return _with_values(card, words, [(name, sizes.get(name, value)) for name, value in given]) if sizes else card

    def _value(self, card: Card, name: str, text: str, scope: Scope) -> str:
        try:
            code = compiled(expression_of(text), _HSPICE)
            value, random = (code, False) if isinstance(code, float) else self.draws.evaluate(code, scope, name)
        except (NotEvaluable, LookupError) as error:
            raise card.refuse(f"{name}={text}: has no value: {error}; give a number or a parameter of the sub-circuit") from error
        if random:
            raise card.refuse(f"{name}={text}: is a random number; sizes are the same on every die")
        return f"{value:.12g}"
