"""The devices of a sub-circuit, read off its SPICE text: what is drawn is what is simulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from layouts.errors import LayoutError
from layouts.technology import GRID_UM
from netlists.spice_text import spice_number, words_and_values

PREFIX = "sky130_fd_pr__"
GROUND = "0"


@dataclass(frozen=True)
class Implant:
    """A kind of transistor: its channel, and the layer that marks its threshold."""

    channel: str
    marker: str = ""


TRANSISTORS: Mapping[str, Implant] = {
    f"{PREFIX}nfet_01v8": Implant("n"),
    f"{PREFIX}nfet_01v8_lvt": Implant("n", "lvtn"),
    f"{PREFIX}pfet_01v8": Implant("p"),
    f"{PREFIX}pfet_01v8_hvt": Implant("p", "hvtp"),
}
"""Transistors that can be drawn, by their models."""
CAPACITOR = f"{PREFIX}cap_mim_m3_2"
RESISTOR = f"{PREFIX}res_xhigh_po"
RESISTORS: Mapping[str, int] = {
    f"{RESISTOR}_{name}": nm for name, nm in (("0p35", 350), ("0p69", 690), ("1p41", 1410), ("2p85", 2850), ("5p73", 5730))
}
"""Resistors of high-resistance poly, by their models: how wide each is, in nm."""


@dataclass(frozen=True)
class Transistor:
    """A transistor; lengths in nm."""

    name: str
    model: str
    drain: str
    gate: str
    source: str
    bulk: str
    width: int
    length: int

    @property
    def channel(self) -> str:
        """`n` or `p`."""
        return TRANSISTORS[self.model].channel

    @property
    def marker(self) -> str:
        """The layer that marks its threshold; empty where that is the usual one."""
        return TRANSISTORS[self.model].marker

    @property
    def ends(self) -> tuple[str, str]:
        """Nets of its diffusions."""
        return self.drain, self.source


@dataclass(frozen=True)
class Capacitor:
    """A plate of cap2m between met5 (`top`) and met4 (`bottom`); lengths in nm."""

    name: str
    top: str
    bottom: str
    width: int
    length: int


@dataclass(frozen=True)
class Resistor:
    """A resistor of high-resistance poly; lengths in nm."""

    name: str
    model: str
    a: str
    b: str
    bulk: str
    length: int

    @property
    def width(self) -> int:
        """Of the poly."""
        return RESISTORS[self.model]


@dataclass(frozen=True)
class Devices:
    """What a sub-circuit is made of, sub-circuits within it taken apart."""

    pins: tuple[str, ...]
    transistors: tuple[Transistor, ...] = ()
    capacitors: tuple[Capacitor, ...] = ()
    resistors: tuple[Resistor, ...] = field(default=())


def with_nets(devices: Devices, nets: Mapping[str, str]) -> Devices:
    """The transistors of a cell with some of its nets joined to others: its pins are the fewer."""

    def joined(one: Transistor) -> Transistor:
        drain, gate, source, bulk = (nets.get(net, net) for net in (one.drain, one.gate, one.source, one.bulk))
        return replace(one, drain=drain, gate=gate, source=source, bulk=bulk)

    pins = tuple(dict.fromkeys(nets.get(net, net) for net in devices.pins))
    return replace(devices, pins=pins, transistors=tuple(map(joined, devices.transistors)))


def devices_of(cell: Any, others: Iterable[Any] = ()) -> Devices:
    """The devices of a PySpice sub-circuit that may call `others`. Raises `LayoutError` for one that cannot be drawn.

    Capacitors of no model stand in for wires, and are not drawn: the wires are.
    """
    known = {str(one.name).lower(): _lines(one) for one in (*others, cell)}
    pins, _ = known[str(cell.name).lower()]
    found = Devices(pins)
    for name, nodes, model, sizes in _flat(known, str(cell.name).lower(), "", dict(zip(pins, pins, strict=True))):
        found = _with_device(found, name, nodes, model, sizes)
    return found


def _lines(cell: Any) -> tuple[tuple[str, ...], list[str]]:
    first, *lines = str(cell).splitlines()
    return tuple(first.split()[2:]), [line for line in lines if line[:1] in "Xx" and line]


def _flat(known: Mapping[str, tuple[tuple[str, ...], list[str]]], cell: str, prefix: str, nets: dict[str, str]) -> Any:
    """Name, nets, model and sizes of every device, where `nets` is what the pins of the cell are connected to."""
    for line in known[cell][1]:
        words, values = words_and_values(line)
        name, nodes, model = f"{prefix}{words[0][1:]}", words[1:-1], words[-1].lower()
        connected = tuple(node if node == GROUND else nets.get(node, f"{prefix}{node}") for node in nodes)
        if model in known:
            yield from _flat(known, model, f"{name}.", dict(zip(known[model][0], connected, strict=True)))
        else:
            yield name, connected, model, {key: spice_number(value) for key, value in values}


def _with_device(found: Devices, name: str, nodes: Sequence[str], model: str, sizes: Mapping[str, float]) -> Devices:
    if model in TRANSISTORS:
        width, length = _nm(name, "w", sizes), _nm(name, "l", sizes)
        units = round(sizes.get("m", sizes.get("mult", 1.0)))
        names = [name] if units == 1 else [f"{name}.{k}" for k in range(units)]
        drain, gate, source, bulk = nodes
        added = tuple(Transistor(one, model, drain, gate, source, bulk, width, length) for one in names)
        return replace(found, transistors=found.transistors + added)
    if model == CAPACITOR:
        top, bottom = nodes
        return replace(
            found, capacitors=(*found.capacitors, Capacitor(name, top, bottom, _nm(name, "w", sizes), _nm(name, "l", sizes)))
        )
    if model in RESISTORS:
        a, b, bulk = nodes
        return replace(found, resistors=(*found.resistors, Resistor(name, model, a, b, bulk, _nm(name, "l", sizes))))
    drawn = ", ".join(one.removeprefix(PREFIX) for one in (*TRANSISTORS, CAPACITOR, *RESISTORS))
    raise LayoutError(f"{name}: {model.removeprefix(PREFIX)} cannot be drawn; there are drawings of {drawn}")


def _nm(name: str, quantity: str, sizes: Mapping[str, float]) -> int:
    """A size in nm, on the grid."""
    step = round(GRID_UM * 1000)
    nm = sizes[quantity] * 1000
    nearest = round(nm / step) * step
    if abs(nm - nearest) > 1e-3:
        raise LayoutError(
            f"{name}: {quantity.upper()} = {sizes[quantity]:g} um is off the manufacturing grid of {GRID_UM:g} um (rule x.1a); "
            f"{nearest / 1000:g} um would be on it"
        )
    return nearest
