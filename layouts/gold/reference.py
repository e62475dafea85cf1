"""The netlist that is simulated, as netgen can hold it against a layout: the silicon alone, ground a pin like any other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

GROUND = "ground"
"""What node 0 is called on both sides: netgen takes 0 for a global node."""

_CIRCUIT_ALONE = "VvIiCcRr"
"""Sources, and elements without a model: nothing that is drawn."""


def reference_netlist(netlist: str, top: str, pins: Sequence[str]) -> str:
    """A SPICE text whose sub-circuits all have a pin for ground.

    What stands outside sub-circuits becomes the sub-circuit `top` with these pins, unless there is one of that name.
    """
    bodies, outside = _parts(_joined(netlist))
    own = set(bodies)
    if top not in bodies:
        bodies[top] = [f".subckt {top} {' '.join(pin for pin in pins if pin != GROUND)}", *outside]
    return "".join(f"{line}\n" for body in bodies.values() for line in (*_grounded(body, own), ".ends"))


def ground_named(netlist: str) -> str:
    """A netlist that magic wrote, with its node 0 under our name."""
    return "".join(f"{_renamed(line)}\n" for line in _joined(netlist))


def pins_of(netlist: str, subcircuit: str) -> list[str]:
    """The pins of a sub-circuit of a SPICE text."""
    header = next(line for line in _joined(netlist) if line.lower().startswith(f".subckt {subcircuit.lower()} "))
    return header.split()[2:]


def unjoined_pins(netlist: str, subcircuit: str) -> set[str]:
    """The pins of a sub-circuit of a SPICE text that nothing in it is joined to, in lower case."""
    pins = {pin.lower() for pin in pins_of(netlist, subcircuit)}
    body = _parts(_joined(netlist))[0][subcircuit][1:]
    return pins - {word.lower() for line in body for word in line.split()[1:]}


def _joined(netlist: str) -> list[str]:
    """Lines without comments, continued ones as one."""
    return [line for line in re.sub(r"\n\+", " ", netlist).splitlines() if line.strip() and not line.startswith("*")]


def _parts(lines: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Sub-circuits by name, header first, and what stands outside."""
    bodies, outside, name = dict[str, list[str]](), list[str](), ""
    for line in lines:
        keyword, *words = line.split()
        if keyword.lower() == ".subckt":
            name = words[0]
            bodies[name] = []
        if keyword.lower() == ".ends":
            name = ""
        elif name:
            bodies[name].append(line)
        else:
            outside.append(line)
    return bodies, outside


def _grounded(body: Sequence[str], own: set[str]) -> Iterator[str]:
    """A sub-circuit with its pin for ground; calls of our own sub-circuits hand it on."""
    for line in body:
        words = _renamed(line).split()
        if words[0].lower() == ".subckt":
            yield " ".join([*words, GROUND])
        elif words[0][0] in "Xx":
            yield " ".join([*words[:-1], GROUND, words[-1]] if words[-1] in own else words)
        elif words[0][0] not in _CIRCUIT_ALONE and words[0][0] != ".":
            yield " ".join(words)


def _renamed(line: str) -> str:
    name, *words = line.split()
    return " ".join([name, *(GROUND if word == "0" else word for word in words)])
