"""Which devices of a model library a netlist uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netlists.errors import GeometryError
from netlists.models.pdk import ModelNames
from netlists.spice_text import Statement, assignments, model_name, spice_number, statements

_SPACED_EQUALS = re.compile(r"\s*=\s*")
_QUOTED = re.compile(r"\{[^{}]*\}|'[^']*'")
_IDENTIFIER = re.compile(r"[a-z_][\w.]*")
# Where the model of an element may stand, the element's name counted; a bipolar transistor may have a substrate node before it.
_MODEL_AT = {"m": (5,), "d": (3,), "j": (4,), "q": (4, 5), "s": (5,), "w": (4,), "r": (3,), "c": (3,)}


@dataclass(frozen=True)
class DeviceUse:
    """A device in a netlist: drawn sizes in um, None where the call leaves them to the sub-circuit.

    `width_um` is the whole width of its `fingers`. `any_size`: its sizes are not known, and may be any that the library covers.
    """

    subckt: str
    width_um: float | None = None
    length_um: float | None = None
    fingers: float = 1
    any_size: bool = False


def device_uses(netlist: str, names: ModelNames, of_any_size: bool = False) -> set[DeviceUse]:
    """The sub-circuits and models that a netlist calls and does not define itself, nested sub-circuits included.

    Devices of the process (`Xname nodes DEVICE w=1 l=0.15`) come with their sizes, others without. Where a size of the former is
    not a number, `of_any_size` takes the device for one of any size. Raises `GeometryError` otherwise.
    """
    return uses_of(list(statements(netlist.splitlines())), names, of_any_size)


def uses_of(cards: Sequence[Statement], names: ModelNames, of_any_size: bool = False) -> set[DeviceUse]:
    """The same of statements."""
    defined = {card.words[1] for card in cards if card.words[0] == ".subckt" and len(card.words) > 1}
    defined |= {model_name(card) for card in cards if card.words[0] == ".model" and len(card.words) > 1}
    # A bare word of a resistor or capacitor may be a parameter.
    defined |= {name for card in cards if card.words[0] in (".param", ".subckt") for name, _ in assignments(card.text)}
    return {use for card in cards for use in _uses(card, names, of_any_size) if use.subckt not in defined}


def _uses(card: Statement, names: ModelNames, of_any_size: bool) -> Iterator[DeviceUse]:
    positional = _before_parameters(card.text.lower())
    letter = positional[0][0] if positional else "."
    if letter == "x" and len(positional) > 1:
        name = positional[-1]
        yield _sized(card, name, names.um, of_any_size) if names.are_sized(name) else DeviceUse(name)
    elif letter in _MODEL_AT:
        candidates = [positional[at] for at in _MODEL_AT[letter] if at < len(positional)]
        if found := [word for word in candidates if _IDENTIFIER.fullmatch(word)]:
            yield DeviceUse(found[-1])


def _before_parameters(text: str) -> list[str]:
    """The words of an element before its first `name = value`."""
    before, equals, _ = _SPACED_EQUALS.sub("=", _QUOTED.sub("0", text)).partition("=")
    words = [word for word in before.split() if word != "params:"]
    return words[:-1] if equals else words


def _sized(call: Statement, name: str, um: float, of_any_size: bool) -> DeviceUse:
    sizes = dict(call.parts[1])
    try:
        width, length, fingers = (spice_number(sizes[key].strip("{}' ")) if key in sizes else None for key in ("w", "l", "nf"))
    except ValueError as error:
        if of_any_size:
            return DeviceUse(name, any_size=True)
        unit = "um" if um == 1.0 else "m" if um == 1e-6 else f"{1 / um:g} um"
        raise GeometryError(f"{call.text.split()[0]}: {name} needs w, l and nf as plain numbers in {unit}: {error}") from error
    if of_any_size and (width is None or length is None):
        return DeviceUse(name, any_size=True)
    width_um, length_um = (None if size is None else size / um for size in (width, length))
    return DeviceUse(name, width_um, length_um, fingers or 1)
