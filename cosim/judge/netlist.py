"""A deck in VACASK's language: transistors of the BSIM4 kind, voltage and current sources, resistors, capacitors.

The deck is made flat by our own expansion, its bins are chosen here, and sizes come in metres: VACASK knows neither bins nor
ngspice's scale of a library. Whatever else a deck holds is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from cosim.simulator.deck import Deck, OperatingPoint, Transient, flat_deck
from cosim.simulator.errors import Reason, SimulationError
from netlists.spice_text import Statement, assignments, model_name, spice_number, statements

CONVERTER_VERSION = 1
"""Raise when the same deck becomes another netlist, so that stored results are judged anew."""

ANALYSIS = "judged"
"""What the analysis is called, and the file of its result."""

LOADED = ("spice/bsim4v8.osdi", "spice/resistor.osdi", "spice/capacitor.osdi")
"""The compiled models in use; these BSIM4 equations are those of ngspice, and not only Berkeley's."""

_HEAD = """include "builtins.inc"
model resistor_ sp_resistor
model capacitor_ sp_capacitor
"""
_SKIPPED = (".option", ".options", ".temp", ".save", ".tran", ".op", ".dc", ".param", ".end")
"""What stands in the deck's fields too, and parameters, which only expressions of the run still name: those are refused."""
_BSIM4_LEVELS = ("14", "54")
_LIMITS = ("wmin", "wmax", "lmin", "lmax")
_DEFAULTS_OF: dict[str, dict[str, str]] = {"4.5": {"ud": "1e14"}, "4.8": {}}
"""Versions of BSIM4 whose currents the equations in use, 4.8.3, give -> defaults that are others in these."""

# Noise plays no part in what is judged, and this kind of it adds a node inside each device.
_OF_THE_MODEL = {"tnoimod": "0"}
_SHOWN = 60
_SIZES = {"l": 1, "w": 1, "pd": 1, "ps": 1, "sa": 1, "sb": 1, "sd": 1, "ad": 2, "as": 2}
"""Parameters of a transistor that ngspice's `scale` scales -> by which power of it."""
_OTHER = ("nrd", "nrs", "nf", "delvto", "mulu0", "m")
_MODEL_OF = {"r": "resistor_", "c": "capacitor_"}
_KINDS = {"r": ("r", "res"), "c": ("c", "cap")}
_LINEAR = ("tc1", "tc2", "tnom", "dtemp", "m")
_TNOM_C = 27.0
_FIRST_PARAMETER = re.compile(r"[a-z_]\w*\s*=", re.IGNORECASE)
_DC = re.compile(r"(?:dc\s*=?\s*)?([^\s()]+)", re.IGNORECASE)
_PWL = re.compile(r"(?:dc\s*=?\s*[^\s()]+\s*)?pwl\s*\(([^()]*)\)", re.IGNORECASE)
_VECTOR = re.compile(r"([vi])\((.*)\)", re.IGNORECASE)


@dataclass(frozen=True)
class Translation:
    """`text` is the netlist; `vectors` tells by what name its result holds each vector that the deck saves."""

    text: str
    vectors: Mapping[str, str]


def translated(deck: Deck) -> Translation:
    """The deck for VACASK. Raises `SimulationError` (LOAD) for what is not known here, with the card."""
    flat = flat_deck(deck.base)
    if flat is None:
        raise _unknown("a deck that only ngspice itself can expand")
    cards = list(statements(flat.text(flat.numbers(dict(deck.values), deck.seed)).splitlines()))
    return _Translator(deck, cards).translate()


def _unknown(what: str) -> SimulationError:
    return SimulationError(Reason.LOAD, f"the second judge does not know {what}")


@dataclass(frozen=True)
class _Model:
    """A model card: its parameters, and the range of sizes (m) that it holds for, none where it is not binned."""

    name: str
    text: str
    limits: Mapping[str, float]

    @classmethod
    def of(cls, card: Statement) -> Self:
        """Raises `SimulationError` for a model of another kind."""
        given = {name: value.rstrip(") ") for name, value in assignments(card.text)}
        kind = card.words[2].strip("(")
        if kind not in ("nmos", "pmos") or given.pop("level", "") not in _BSIM4_LEVELS:
            raise _unknown(f"a model but BSIM4: {card.text[:_SHOWN]}")
        limits = {name: _value(given.pop(name), card) for name in _LIMITS if name in given}
        version = given.pop("version", "4.8").strip("\"'")[:3]
        if version not in _DEFAULTS_OF:
            raise _unknown(f"version {version} of BSIM4: {card.text[:_SHOWN]}")
        whole = {**_DEFAULTS_OF[version], **given, **_OF_THE_MODEL}
        values = " ".join(f"{name}={_value(value, card)!r}" for name, value in whole.items())
        text = f"type={1 if kind == 'nmos' else -1} {values}"
        return cls(card.words[1], text, limits if len(limits) == len(_LIMITS) else {})

    def holds(self, width_m: float, length_m: float) -> bool:
        """Whether a size lies in the bin; its lower edge does, its upper one does not."""
        if not self.limits:
            return True
        sizes = (("wmin", "wmax", width_m), ("lmin", "lmax", length_m))
        return all(self.limits[low] * (1 - 1e-9) <= size < self.limits[high] * (1 - 1e-9) for low, high, size in sizes)


@dataclass
class _Names:
    """Names of SPICE as names of VACASK, which takes letters, digits and underscores."""

    given: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def of(self, name: str) -> str:
        name = name.lower()
        if name in ("0", "gnd"):
            return "0"
        if name not in self.given:
            plain = re.sub(r"\W", "_", name)
            plain = plain if plain[0].isalpha() else f"n_{plain}"
            while plain in self.taken:
                plain += "_"
            self.taken.add(plain)
            self.given[name] = plain
        return self.given[name]


class _Translator:
    def __init__(self, deck: Deck, cards: list[Statement]) -> None:
        self.deck, self.cards = deck, cards
        self.scale = _scale(cards)
        self.nodes, self.elements, self.model_names = _Names(), _Names(), _Names()
        self.cards_of_models: dict[str, list[Statement]] = {}
        self.models: dict[str, list[_Model]] = {}
        self.used: dict[str, _Model] = {}

    def translate(self) -> Translation:
        for card in self.cards:
            if card.words[0] == ".model":
                self.cards_of_models.setdefault(model_name(card), []).append(card)
        rest = [card for card in self.cards if card.words[0] != ".model" and card.words[0] not in _SKIPPED]
        circuit = [self._element(card) for card in rest]
        models = [f"model {name} sp_bsim4v8 ( {model.text} )" for name, model in self.used.items()]
        loads = [f'load "{file}"' for file in LOADED]
        vectors = {name: self._vector(name) for name in self.deck.save}
        saves = [f"save {self._saved(name)}" for name in self.deck.save]
        lines = ["deck", *loads, _HEAD, *models, *circuit, "control", self._options(), *saves, self._analysis(), "endc"]
        return Translation("\n".join(lines) + "\n", vectors)

    def _element(self, card: Statement) -> str:
        letter = card.words[0][0]
        if letter == "m":
            return self._transistor(card)
        if letter in "vi":
            return self._source(card)
        if letter in _MODEL_OF:
            return self._two_terminal(card)
        raise _unknown(f"the card {card.text[:_SHOWN]}")

    def _transistor(self, card: Statement) -> str:
        words, given = _split(card)
        if len(words) != 6:
            raise _unknown(f"the card {card.text[:_SHOWN]}")
        values: dict[str, float] = {}
        for name, text in given:
            if name not in _SIZES and name not in _OTHER:
                raise _unknown(f"{name} of a transistor: {card.text[:_SHOWN]}")
            values[name] = _value(text, card) * self.scale ** _SIZES.get(name, 0)
        if "w" not in values or "l" not in values:
            raise _unknown(f"a transistor without w and l: {card.text[:_SHOWN]}")
        model = self._model(words[5].lower(), values["w"] / values.get("nf", 1.0), values["l"], card)
        return self._placed(words[0], words[1:5], model, values.items())

    def _model(self, family: str, width_m: float, length_m: float, card: Statement) -> str:
        if family not in self.models:
            self.models[family] = [_Model.of(card) for card in self.cards_of_models.get(family, ())]
        found = [model for model in self.models[family] if model.holds(width_m, length_m)]
        if len(found) != 1:
            raise _unknown(f"which of {len(found)} models of this size is meant: {card.text[:_SHOWN]}")
        name = self.model_names.of(found[0].name)
        self.used[name] = found[0]
        return name

    def _source(self, card: Statement) -> str:
        words, _ = _split(card)
        behind = card.text.split(maxsplit=3)[3] if len(card.text.split(maxsplit=3)) == 4 else "0"
        model = {"v": "vsource", "i": "isource"}[card.words[0][0]]
        if match := _PWL.fullmatch(behind.strip()):
            points = [_value(word, card) for word in re.split(r"[\s,]+", match[1].strip())]
            if len(points) == 2:  # which VACASK takes for no wave
                return self._placed(words[0], words[1:3], model, [("dc", points[1])])
            return self._placed(words[0], words[1:3], model, (), f'type="pwl" wave=[{",".join(map(repr, points))}]')
        if match := _DC.fullmatch(behind.strip()):
            return self._placed(words[0], words[1:3], model, [("dc", _value(match[1], card))])
        raise _unknown(f"the source {card.text[:_SHOWN]}")

    def _two_terminal(self, card: Statement) -> str:
        """A resistor or capacitor, at the temperature of the deck."""
        words, given = _split(card)
        letter = card.words[0][0]
        values = {name: _value(text, card) for name, text in given}
        if len(words) == 4 and words[3].lower() in self.cards_of_models:
            values = {**self._linear_model(words[3].lower(), letter), **values}
        elif len(words) == 4:
            values[letter] = _value(words[3], card)
        if not 3 <= len(words) <= 4 or letter not in values or values.keys() - {letter, *_LINEAR}:
            raise _unknown(f"the card {card.text[:_SHOWN]}")
        warmth = self.deck.options.temperature_c + values.get("dtemp", 0.0) - values.get("tnom", _TNOM_C)
        factor = 1 + warmth * (values.get("tc1", 0.0) + warmth * values.get("tc2", 0.0))
        multiplier = [("m", values["m"])] if "m" in values else []
        return self._placed(words[0], words[1:3], _MODEL_OF[letter], [(letter, values[letter] * factor), *multiplier])

    def _linear_model(self, name: str, letter: str) -> dict[str, float]:
        """What the model of a resistor or capacitor says, by the names of its card."""
        card = self.cards_of_models[name][0]
        said = {"cap": "c", "res": "r"}
        if card.words[2].strip("(") not in _KINDS[letter]:
            raise _unknown(f"a model of another kind: {card.text[:_SHOWN]}")
        return {said.get(key, key): _value(value.rstrip(") "), card) for key, value in assignments(card.text)}

    def _placed(self, name: str, nodes: Iterable[str], model: str, values: Iterable[tuple[str, float]], more: str = "") -> str:
        given = " ".join(f"{'$mfactor' if key == 'm' else key}={value!r}" for key, value in values)
        return f"{self.elements.of(name)} ({' '.join(map(self.nodes.of, nodes))}) {model} {given}{more}"

    def _options(self) -> str:
        options = self.deck.options
        tolerances = " ".join(f"{name}={getattr(options, name)!r}" for name in ("reltol", "abstol", "vntol", "chgtol", "gmin"))
        # The default of relref compares each signal with its own past and dies at the first edge.
        fixed = f'temp={options.temperature_c!r} tnom={_TNOM_C!r} tran_method="{options.method}" rawfile="binary"'
        return f'  options {tolerances} relref="sigglobal" {fixed}'

    def _analysis(self) -> str:
        match self.deck.analysis:
            case OperatingPoint():
                return f"  analysis {ANALYSIS} op"
            case Transient(use_initial_conditions=False) as run:
                times = f"step={run.print_step_s!r} stop={run.stop_s!r} start={run.start_s!r} maxstep={run.max_step_s!r}"
                return f"  analysis {ANALYSIS} tran {times}"
        raise _unknown(f"the analysis {self.deck.analysis.card()}")

    def _saved(self, name: str) -> str:
        kind, inside = self._parts(name)
        return f"v({self.nodes.of(inside)})" if kind == "v" else f"i({self.elements.of(inside)})"

    def _vector(self, name: str) -> str:
        kind, inside = self._parts(name)
        return self.nodes.of(inside) if kind == "v" else f"{self.elements.of(inside)}:flow(br)"

    def _parts(self, name: str) -> tuple[str, str]:
        match = _VECTOR.fullmatch(name)
        known = match and (self.nodes if match[1].lower() == "v" else self.elements).given
        if match is None or match[2].lower() not in (known or {}):
            raise SimulationError(Reason.MISSING_VECTOR, f"the second judge has no {name}")
        return match[1].lower(), match[2]


def _scale(cards: Iterable[Statement]) -> float:
    """What sizes on cards are multiplied by to be metres."""
    found = [
        value
        for card in cards
        if card.words[0].startswith(".option")
        for name, value in assignments(card.text)
        if name == "scale"
    ]
    return spice_number(found[-1]) if found else 1.0


def _split(card: Statement) -> tuple[list[str], list[tuple[str, str]]]:
    """The words of a card before its first `name = value`, and these pairs."""
    first = _FIRST_PARAMETER.search(card.text)
    return (card.text[: first.start()] if first else card.text).split(), assignments(card.text)


def _value(text: str, card: Statement) -> float:
    try:
        return spice_number(text)
    except ValueError:
        raise _unknown(f"the value {text[:_SHOWN]} of {card.text[:_SHOWN]}") from None
