"""The rules by which edges and faces of wires become capacitances, and the numbers they use.

For one column of the layout (a point seen from above):

- **plate**: each conductor meets the first one below it, or the field. What lies between shields.
- **fringe**: an edge's field leaves sideways, down and up. Of the field that goes down to (or up to) a conductor, the share
  that lands between distances x1 and x2 from the edge is F(x2) - F(x1), F(x) = 2/pi atan(0.02 p x), where p is the plate
  capacitance (aF/um^2) between the two layers and x is in um. It lands on what is seen first, within `HALO_UM`. A conductor of
  the same layer, of whatever net, ends it. The field under the wires gets what nothing else catches.
- **well**: the junction of an nwell has a capacitance per area to the substrate.
- **sidewall**: two edges of a layer that face each other, with nothing of that layer between: c L / (s + offset), at most
  `HALO_UM` apart. The whole of c belongs to the *pair* of edges: half of it to each.

What device models have is left out: a diffusion and its junction, poly over its channel (it catches what comes from above and
nothing else), the body of a resistor, all that its heads have below them (they have what lies above and beside), the plates of a
MIM capacitor (its upper plate is a conductor between the two metals that meets only what lies above it).

Formulas and numbers are those of magic 8.3 with the fringe distributed over a halo and open_pdks' sky130.tech; the oldest magic
that has them is 8.3.411. Distances are whole nanometres.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALO_UM = 8.0
FRINGE_PER_AF = 0.02


class Corner(StrEnum):
    """An interconnect corner: all capacitances low, nominal or high."""

    LOW = "low"
    NOMINAL = "nominal"
    HIGH = "high"


KINDS = (
    "field", "well", "diff", "gate", "poly", "resistor", "li1", "met1", "met2", "met3", "capm", "met4", "cap2m", "met5", "head",
)  # fmt: skip
"""What a rectangle can be; the field lies under all. `well` is an nwell, `diff` a diffusion or tap outside gates, `gate` poly
over one, `head` poly that ends a `resistor`, `poly` and `met*` are wires; `capm` and `cap2m` are upper plates of MIM capacitors
over met3 and met4."""

PLANES: Mapping[str, int] = {
    "field": 0, "well": 0, "diff": 1, "gate": 1, "poly": 1, "resistor": 1, "li1": 2, "met1": 3, "met2": 4, "met3": 5, "capm": 6,
    "met4": 7, "cap2m": 8, "met5": 9, "head": 1,
}  # fmt: skip
"""In which plane each kind lies, from below; rectangles of one plane do not overlap."""

_WIRES = ("poly", "li1", "met1", "met2", "met3", "met4", "met5")
_CATCHES_AS = {"well": "field", "gate": "poly", "head": "poly", "capm": "met3", "cap2m": "met4"}
"""Kinds that catch from above what another kind would; a well has its junction below it, the others nothing."""


@dataclass(frozen=True)
class Tables:
    """The numbers of one corner as the sweep uses them: aF/um^2, aF/um, um; arrays over kinds, [of][to].

    `plane` of each kind; `sends` says which kinds have edges and lower faces of their own. `plate[u][l]` of a wire over what
    lies below it; `fringe[e][o]` of an edge; `share[row[e][o]][x]` is F at x nm; `sidewall` and `offset` by kind; `halo` in nm.
    """

    plane: NDArray[np.int64]
    sends: NDArray[np.bool_]
    plate: NDArray[np.float64]
    fringe: NDArray[np.float64]
    row: NDArray[np.int64]
    share: NDArray[np.float64]
    sidewall: NDArray[np.float64]
    offset: NDArray[np.float64]
    halo: int


@cache
def tables(corner: Corner = Corner.NOMINAL, halo_um: float = HALO_UM) -> Tables:
    """The numbers of a corner, fringe distributed over a halo of this many um."""
    count, halo = len(KINDS), round(halo_um * 1000)
    plate, fringe = np.zeros((count, count)), np.zeros((count, count))
    for (kind, of, to), value in _numbers(corner).items():
        if kind in ("plate", "fringe"):
            for name in [to, *(name for name, alike in _CATCHES_AS.items() if alike == to and name != of)]:
                {"plate": plate, "fringe": fringe}[kind][KINDS.index(of), KINDS.index(name)] = value
    either_way = np.maximum(plate, plate.T)
    spreads, row = np.unique(either_way, return_inverse=True)
    x_um = np.arange(halo + 1) / 1000
    return Tables(
        plane=np.array([PLANES[kind] for kind in KINDS]),
        sends=np.array([kind in (*_WIRES, "head") for kind in KINDS]),
        plate=plate,
        fringe=fringe,
        row=row.reshape(count, count).astype(np.int64),
        share=2 / np.pi * np.arctan(FRINGE_PER_AF * spreads[:, None] * x_um),
        sidewall=_by_kind(corner, "sidewall"),
        offset=_by_kind(corner, "sidewall_offset"),
        halo=halo,
    )


def _by_kind(corner: Corner, name: str) -> NDArray[np.float64]:
    """Between two edges of a kind; heads are poly."""
    layers = ["poly" if kind == "head" else kind for kind in KINDS]
    return np.array([_numbers(corner).get((name, layer, layer), 0.0) for layer in layers])


@cache
def _numbers(corner: Corner) -> Mapping[tuple[str, str, str], float]:
    """The table of the process at a corner, by kind of capacitance and the two layers."""
    lines = files("layouts.extraction").joinpath("capacitances.csv").read_text(encoding="utf-8").splitlines()
    rows: Any = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {(row["kind"], row["of"], row["to"]): float(row[corner.value]) for row in rows}
