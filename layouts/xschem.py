"""A cell as a schematic of xschem, of the symbols of SKY130 (`sky130_fd_pr/*.sym` of xschem_sky130).

Devices stand in rows, with a label on every pin: what belongs together has one name, and nobody has placed it for the eye.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from layouts.devices import CAPACITOR, GROUND, PREFIX, Devices, Transistor

_HEADER = "v {xschem version=3.4.4 file_version=1.2}\nG {}\nK {}\nV {}\nS {}\nE {}\n"
_ACROSS, _DOWN, _PER_ROW = 260, 160, 6
"""Distances of two devices, and how many stand in a row."""

Spots = Mapping[str, tuple[int, int]]
"""Where the pins of a symbol are."""

_PMOS: Spots = {"drain": (20, 30), "gate": (-20, 0), "source": (20, -30), "bulk": (20, 0)}
_NMOS: Spots = {"drain": (20, -30), "gate": (-20, 0), "source": (20, 30), "bulk": (20, 0)}
_PLATES: Spots = {"top": (0, -30), "bottom": (0, 30)}
_ENDS: Spots = {"a": (0, -30), "b": (0, 30), "bulk": (-20, 0)}


def schematic(devices: Devices) -> str:
    """The text of a `.sch`: pins of the cell in a column to the left, its devices beside them. Sizes are in um."""
    lines = [_HEADER.rstrip("\n")]
    for k, pin in enumerate(devices.pins):
        lines.append(f"C {{devices/iopin.sym}} {-_ACROSS} {40 * k} 0 1 {{name=pin_{k} lab={pin}}}")
    number = 0
    for k, (model, name, sizes, spots, nets) in enumerate(_devices(devices)):
        x, y = _ACROSS * (k % _PER_ROW), _DOWN * (k // _PER_ROW)
        given = " ".join(f"{key}={value}" for key, value in sizes.items())
        lines.append(f"C {{sky130_fd_pr/{model}.sym}} {x} {y} 0 0 {{name={name} {given} model={model} spiceprefix=X}}")
        for pin, net in nets.items():
            dx, dy = spots[pin]
            flipped = int(dx > 0)  # a label to the right of its pin
            label = "0" if net == GROUND else net
            lines.append(f"C {{devices/lab_pin.sym}} {x + dx} {y + dy} 0 {flipped} {{name=net_{number} lab={label}}}")
            number += 1
    return "\n".join(lines) + "\n"


def _devices(devices: Devices) -> Iterator[tuple[str, str, dict[str, str], Spots, dict[str, str]]]:
    """Symbol, name, sizes, where its pins are, and what they are joined to."""
    for fet in devices.transistors:
        sizes = {"W": _um(fet.width), "L": _um(fet.length), "nf": "1", "mult": "1"}
        yield _model(fet.model), _name("M", fet.name), sizes, _spots(fet), _nets(fet, "drain", "gate", "source", "bulk")
    for plate in devices.capacitors:
        sizes = {"W": _um(plate.width), "L": _um(plate.length), "MF": "1"}
        yield _model(CAPACITOR), _name("C", plate.name), sizes, _PLATES, _nets(plate, "top", "bottom")
    for body in devices.resistors:
        sizes = {"L": _um(body.length), "mult": "1"}
        yield _model(body.model), _name("R", body.name), sizes, _ENDS, _nets(body, "a", "b", "bulk")


def _spots(fet: Transistor) -> Spots:
    return _PMOS if fet.channel == "p" else _NMOS


def _nets(device: object, *pins: str) -> dict[str, str]:
    return {pin: getattr(device, pin) for pin in pins}


def _model(name: str) -> str:
    return name.removeprefix(PREFIX)


def _name(letter: str, name: str) -> str:
    return f"{letter}_{name.replace('.', '_')}"


def _um(nm: int) -> str:
    return f"{nm / 1000:g}"
