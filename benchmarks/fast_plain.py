"""Decks at random and every device of the model sets: the fast path against ngspice's own reading."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from cosim.simulator import Deck, OperatingPoint, Point, Pool, Reason, Row, SolverOptions, Waveforms, stream
from cosim.simulator.deck import flat_deck
from cosim.simulator.expressions import FUNCTIONS, NotEvaluable, compiled, evaluate
from netlists.errors import NetlistError
from netlists.models.library import read_section
from netlists.models.pdk import Pdk
from netlists.models.pruning import device_uses, prune
from netlists.spice_text import Definition, assignments, definitions, spice_number, words_and_values

OPTIONS = SolverOptions(reltol=1e-6, abstol=1e-15, vntol=1e-9, gmin=1e-13)
HSPICE = ("set ngbehavior=hsa", "set ng_nomodcheck")
MODELS = """\
.model dm d is=1e-14 n=1.1
.model nm nmos level=1 vto=0.4 kp=200u lambda=0.05
.model rm r rsh=1k
"""
RELATIVE, ABSOLUTE = 1e-9, 1e-13
"""What two readings of a deck may differ by: volts and amperes below the latter are nothing."""


class Compared(NamedTuple):
    """A deck read both ways: the largest relative difference, whether the fast path read it, whether it could be simulated."""

    deck: Deck
    worst: float
    flat: bool
    simulated: bool


def compared(decks: Iterable[Deck], pool: Pool) -> Iterator[Compared]:
    """Each deck on the fast path and as it is. What only one of the two can read differs without limit."""
    points = [Point({}, dataclasses.replace(deck, plain=plain), Waveforms.last) for deck in decks for plain in (False, True)]
    outcomes = {outcome.index: outcome for outcome in stream(points, None, pool)}
    for number in range(0, len(points), 2):
        pair, deck = (outcomes[number], outcomes[number + 1]), points[number].deck
        unsolved = any(one.error is not None and one.error.reason in _UNSOLVED for one in pair)
        worst = 0.0 if unsolved else _worst(pair[0].row, pair[1].row)
        yield Compared(deck, worst, flat_deck(deck.base) is not None, None not in (pair[0].row, pair[1].row))


_UNSOLVED = {Reason.NO_CONVERGENCE, Reason.OPERATING_POINT, Reason.SINGULAR_MATRIX, Reason.TIMEOUT}
"""A deck that was read, whose circuit has no solution that ngspice finds."""


def _worst(fast: Row | None, plain: Row | None) -> float:
    if fast is None or plain is None:
        return 0.0 if fast is plain else math.inf
    far = {name: max(0.0, abs(fast[name] - plain[name]) - ABSOLUTE) for name in plain}
    return float(max(far[name] / max(abs(plain[name]), ABSOLUTE) for name in plain))


@dataclass
class _Writer:
    """Writes one deck at random; what it draws is all that decides it."""

    random: Random

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def number(self) -> str:
        return self.random.choice(["1", "2", "3", "0.5", "1.5", "4"])

    def expression(self, names: list[str]) -> str:
        """Positive for positive parameters."""
        one, two = (self.random.choice([*names, self.number()]) for _ in range(2))
        return self.random.choice([
            f"{one}*{two}", f"{one}+{two}", f"{one}/{two}", f"({one}+2)*{two}", f"sqrt({one})", f"max({one},{two})",
            f"int({one}+1)*{two}", f"{one}**2", f"2*{one}", f"{one}+({two}>1)", f"pwr({one},2)+{two}",
            f"{one} * ({two} + 1)", f"3-{one}/(1+{one})", f"nint({one}+0.3)+1", f"{one}**0.5**2", f"2+!({one}>2)",
        ])  # fmt: skip

    def value(self, names: list[str], bare: bool = True) -> str:
        """A number, a parameter or an expression, in any of the marks that people put around it; `bare`: in none as well."""
        form = self.random.choice(["number", "name", "{name}", "{}", "''", *(["bare"] if bare else [])])
        if form == "number" or not names:
            return self.number()
        if form in ("name", "{name}"):
            name = self.random.choice(names)
            return name if form == "name" else f"{{{name}}}"
        expression = self.expression(names)
        return {"{}": f"{{{expression}}}", "''": f"'{expression}'", "bare": expression.replace(" ", "")}[form]

    def multiplier(self, names: list[str]) -> str:
        return f" m={self.value(names)}" if self.chance(0.35) else ""

    def element(self, kind: str, name: str, nodes: list[str], names: list[str]) -> list[str]:
        """The cards of one element, and of what keeps a current in it finite."""
        a, b = self.random.sample(nodes, 2)
        inner, m, other = f"n{name}", self.multiplier(names), self.random.choice(nodes)
        word = self.random.choice(["", {"c": "c=", "v": "dc "}.get(kind, "")])
        value, bare = self.value(names, bare=False), self.value(names)
        return {
            "r": [f"r{name} {a} {b} {self.resistance(a, b, names)}{m}"],
            "c": [f"c{name} {a} {b} {word}{bare if word else value}{m}"],
            "l": [f"l{name} {a} {inner} 1u{m}", f"r{name} {inner} {b} {value}"],
            "v": [f"v{name} {a} {inner} {word}{value}", f"r{name} {inner} {b} 7"],
            "i": [f"i{name} {a} {b} {value}{m}"],
            "b": [
                f"b{name} {a} {inner} {self.random.choice('iv')}={self.of_the_run(a, b, names)}",
                f"r{name} {inner} {b} 5",
                f"rb{name} {a} {inner} 9",
            ],
            "d": [f"d{name} {a} {inner} dm{m}", f"r{name} {inner} {b} 3"],
            "m": [f"m{name} {a} {other} {b} 0 nm w={bare} l={value}{m}"],
            "g": [f"g{name} {a} {b} {other} 0 {self.random.choice(['1m', '{1m}'])}{m}"],
            "e": [f"e{name} {inner} {b} {a} 0 {value}", f"r{name} {inner} {a} 11"],
        }[kind]

    def of_the_run(self, a: str, b: str, names: list[str]) -> str:
        one = self.random.choice([*names, "2"])
        text = self.random.choice([
            f"{one}*v({a})+1", f"{one}*(1+0.1*v({a},{b}))", f"v({a})>{one} ? 1 : {one}", f"exp(-v({a})*v({a}))*{one}",
            f"tanh(v({a})-v({b}))/{one}", f"({one}+2)*sqrt(1+v({a})*v({a}))",
        ])  # fmt: skip
        return self.random.choice([text, f"{{{text}}}", f"'{text}'"])

    def resistance(self, a: str, b: str, names: list[str]) -> str:
        if self.chance(0.7):
            word = self.random.choice(["", "r="])
            return word + self.value(names, bool(word))
        one = self.random.choice([*names, "2"])
        text = self.random.choice(
            [f"{one}*(1.5+0.2*tanh(v({a},{b})))", f"({one}+1)*exp(0.1*tanh(v({a})))", f"{one}+3+tanh(v({b}))"]
        )
        return self.random.choice([f"{{{text}}}", f"'{text}'", f"r={{{text}}}", f"r='{text}'", f"r={text}"])

    def call(self, name: str, callee: _Callee, nodes: list[str], names: list[str]) -> str:
        given = [
            f"{one}={one if one in names and self.chance(0.3) else self.value(names)}"
            for one in callee.parameters
            if self.chance(0.5)
        ]
        if given and self.chance(0.2) and callee.parameters:
            # as a schematic does: an expression of what the same call says
            given.append(f"{callee.parameters[-1]}='{self.expression(callee.parameters[:1])}'")
            given = list({one.partition("=")[0]: one for one in given}.values())
        m = [self.multiplier(names).strip()]
        pins = self.random.choices(nodes, k=2)
        return " ".join([f"x{name}", *pins, callee.name, *filter(None, [*given, *m])])

    def subcircuit(self, name: str, callees: list[_Callee], outer: list[str]) -> tuple[_Callee, list[str]]:
        header = [f"{name}p{k}" if self.chance(0.6) else f"q{k}" for k in range(self.random.randrange(4))]
        header = list(dict.fromkeys(header))
        known = [one for one in outer if one not in header or self.chance(0.02)]
        defaults = [f"{one}={self.value([*header[:k], *known])}" for k, one in enumerate(header)]
        if self.chance(0.25):
            header, defaults = [*header, "m"], [*defaults, "m=1"]
        local = [f"{name}l{k}" for k in range(self.random.randrange(2))]
        cards = [f".subckt {name} a b {' '.join(defaults)}".rstrip()]
        cards += [f".param {one}={self.value(header)}" for one in local]
        names = [*header, *local, *outer]
        nodes = ["a", "b", "k", "0"]
        cards += [f"rh{name} k 0 50", f"rk{name} a k 20"]
        for k in range(self.random.randrange(1, 5)):
            cards += self.element(self.random.choice("rrrclvibdmge"), f"{name}{k}", nodes, names)
        cards += [
            self.call(f"{name}{k}", self.random.choice(callees), nodes[:3], names)
            for k in range(self.random.randrange(3))
            if callees
        ]
        return _Callee(name, header), [*cards, ".ends"]

    def deck(self, title: str) -> Deck:
        outer = [f"q{k}" for k in range(self.random.randrange(1, 4))]
        cards = [f".param {one}={self.value(outer[:k])}" for k, one in enumerate(outer)]
        callees: list[_Callee] = []
        definitions: list[list[str]] = []
        for k in range(self.random.randrange(1, 4)):
            callee, body = self.subcircuit(f"s{k}", callees, outer)
            callees.append(callee)
            definitions.append(body)
        nodes = ["in", "n1", "n2", "0"]
        calls = ["vin in 0 2", "r1 in n1 4", "r2 n1 n2 6", "r3 n2 0 8"]
        for k in range(self.random.randrange(3)):
            calls += self.element(self.random.choice("rrrclvibdmge"), f"t{k}", nodes, outer)
        calls += [self.call(f"t{k}", self.random.choice(callees), nodes[:3], outer) for k in range(self.random.randrange(1, 4))]
        blocks = [*definitions, calls]
        if self.chance(0.5):
            self.random.shuffle(blocks)
        netlist = "\n".join([*cards, *(card for block in blocks for card in block)])
        setup = HSPICE if self.chance(0.6) else ()
        return Deck(title, netlist, MODELS, OperatingPoint(), ("v(n1)", "v(n2)", "i(vin)"), OPTIONS, setup=setup)


class _Callee(NamedTuple):
    name: str
    parameters: list[str]


def generated(random: Random, title: str = "generated") -> Deck:
    """A deck of nested sub-circuits with parameters, multipliers, expressions and behavioural elements."""
    return _Writer(random).deck(title)


def of_devices(pdk: Pdk, section: str, setup: tuple[str, ...]) -> Iterator[Deck]:
    """Every sub-circuit of a library, each of its pins at a voltage: alone, and two in parallel (`m=2`).

    Sizes are those of a bin where its models are binned, else the sub-circuit's own.
    """
    for item in definitions(read_section(pdk.library, section, pdk.root)[0]):
        if not item.is_subcircuit:
            continue
        (_, name, *pins), _ = words_and_values(item.statements[0].text)
        sources = [f"v{number} p{number} 0 {0.3 + 0.25 * number}" for number in range(len(pins))]
        for m in ("", " m=2"):
            call = f"x1 {' '.join(f'p{number}' for number in range(len(pins)))} {name.lower()}{_sizes(item, pdk)}{m}"
            netlist = "\n".join([*sources, call])
            try:
                library = prune(pdk, section, device_uses(netlist, pdk.names)).text
            except NetlistError:  # a size or a model that the library does not hold
                continue
            save = tuple(f"i(v{number})" for number in range(len(pins)))
            title = f"{pdk.model_set} {name.lower()}{m}"
            yield Deck(title, netlist, library, OperatingPoint(), save, OPTIONS, setup=setup)


_SIZES = ("w", "l", "wr", "lr", "r_width", "r_length", "c_width", "c_length")


def _sizes(item: Definition, pdk: Pdk) -> str:
    """Width and length in the middle of the first bin; of a device without bins 10 um where it has no number of its own."""
    bins = [dict(assignments(card.text)) for card in item.statements if card.words[0] == ".model"]
    sized = next((one for one in bins if {"wmin", "wmax", "lmin", "lmax"} <= one.keys()), None)
    if sized is not None and pdk.names.are_sized(item.name):
        metres = {size: (spice_number(sized[f"{size}min"]) + spice_number(sized[f"{size}max"])) / 2 for size in ("w", "l")}
    else:
        own = dict(assignments(" ".join(card.text for card in item.statements if card.words[0] in (".subckt", ".param"))))
        metres = {size: 1e-5 for size in _SIZES if size in item.names and not own.get(size, "?")[0].isdigit()}
    return "".join(f" {size}={length * 1e6 * pdk.names.um:.6g}" for size, length in metres.items())


def expressions(random: Random, decks: int, setup: tuple[str, ...], of_each: int = 20) -> Iterator[Deck]:
    """Decks of so many expressions, each the voltage of a source; expressions that ngspice leaves as they are do not appear."""
    for number in range(decks):
        chosen: list[str] = []
        while len(chosen) < of_each:
            text = _expression(random, 3)
            with contextlib.suppress(NotEvaluable):
                code = compiled(text, hspice=bool(setup))
                value = code if isinstance(code, float) else evaluate(code, {**FUNCTIONS, **_PARAMETERS})
                chosen += [text] if 1e-12 < abs(value) < 1e12 else []
        cards = [f".param {' '.join(f'{name}={value!r}' for name, value in _PARAMETERS.items())}"]
        cards += [f"v{k} n{k} 0 {{{text}}}\nr{k} n{k} 0 1k" for k, text in enumerate(chosen)]
        save = tuple(f"v(n{k})" for k in range(of_each))
        yield Deck(f"expressions {number}", "\n".join(cards), "", OperatingPoint(), save, OPTIONS, setup=setup)


_PARAMETERS = {"pa": 2.5, "pb": 0.75, "pc": -1.5, "pz": 0.0, "as": 3.0}


_FUNCTIONS = ("sqrt", "exp", "ln", "abs", "int", "nint", "floor", "ceil", "sgn", "sqr", "tanh", "atan", "log10")


def _expression(random: Random, depth: int) -> str:
    """Any expression, sense or not."""
    if depth == 0 or random.random() < 0.2:
        return random.choice([*_PARAMETERS, "1", "2", "0.5", "3k", "1mil", "2meg", "1a", "4u", "1e-2", ".5", "7"])
    one, two = _expression(random, depth - 1), _expression(random, depth - 1)
    operator = random.choice("+ - * / ** ^ % < > <= >= == != <> && ||".split())  # noqa: SIM905
    return random.choice([
        f"{one}{operator}{two}", f"{one} {operator} {two}", f"({one}){operator}({two})", f"-{one}", f"!{one}", f"({one})",
        f"{random.choice(['pow', 'pwr', 'min', 'max'])}({one},{two})",
        f"{random.choice(_FUNCTIONS)}({one})",
    ])  # fmt: skip
