"""The rules of the extraction pixel by pixel: nothing but loops, no interval and no sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import atan, pi

from layouts.extraction.model import FRINGE_PER_AF, KINDS, PLANES, Tables

Pixel = tuple[int, int]
Drawing = Mapping[int, Mapping[Pixel, tuple[int, int]]]
"""By plane, what each pixel holds: (kind, net)."""

_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
_RESISTOR = KINDS.index("resistor")


def capacitances(drawing: Drawing, size: int, tables: Tables) -> dict[tuple[int, int], float]:
    """aF between nets of a drawing whose pixels are `size` nm wide; the halo is a whole number of pixels."""
    sums: dict[tuple[int, int], float] = defaultdict(float)
    for a, b, value in _contributions(drawing, size, tables):
        if a != b:
            sums[min(a, b), max(a, b)] += value
    return {pair: value for pair, value in sums.items() if abs(value) > 1e-12}


def _contributions(drawing: Drawing, size: int, tables: Tables) -> Iterator[tuple[int, int, float]]:
    um = size / 1000
    for plane, pixels in drawing.items():
        for pixel, (kind, net) in pixels.items():
            below, other = _below(drawing, plane, pixel)
            yield net, other, tables.plate[kind, below] * um * um
            if not tables.sends[kind]:
                continue
            for step in _NEIGHBOURS:
                if _moved(pixel, step, 1) not in pixels:
                    yield from _edge(drawing, plane, pixel, step, um, tables)


def _edge(drawing: Drawing, plane: int, pixel: Pixel, step: Pixel, um: float, tables: Tables) -> Iterator[tuple[int, int, float]]:
    pixels = drawing[plane]
    kind, net = pixels[pixel]

    def share(to: int, distance: int) -> float:
        p = max(tables.plate[kind, to], tables.plate[to, kind])
        return 2 / pi * atan(FRINGE_PER_AF * p * distance * um)

    gone = 0
    while gone * um < tables.halo / 1000:
        here = _moved(pixel, step, gone + 1)
        if here in pixels and tables.sends[pixels[here][0]]:
            if _moved(pixel, step, gone) not in pixels:
                yield net, pixels[here][1], 0.5 * tables.sidewall[kind] * um / (gone * um + tables.offset[kind])
            break
        to, other = _below(drawing, plane, here)
        yield net, other, tables.fringe[kind, to] * (share(to, gone + 1) - share(to, gone)) * um
        if (above := _above(drawing, plane, here)) is not None:
            to, other = above
            yield net, other, tables.fringe[kind, to] * (share(to, gone + 1) - share(to, gone)) * um
        gone += 1
    else:
        yield net, 0, tables.fringe[kind, 0] * (1 - share(0, gone)) * um


def _below(drawing: Drawing, plane: int, pixel: Pixel) -> tuple[int, int]:
    for p in range(plane - 1, -1, -1):
        if (found := drawing.get(p, {}).get(pixel)) is not None and found[0] != _RESISTOR:
            return found
    return 0, 0


def _above(drawing: Drawing, plane: int, pixel: Pixel) -> tuple[int, int] | None:
    for p in range(plane + 1, max(PLANES.values()) + 1):
        if (found := drawing.get(p, {}).get(pixel)) is not None and found[0] != _RESISTOR:
            return found
    return None


def _moved(pixel: Pixel, step: Pixel, times: int) -> Pixel:
    return pixel[0] + times * step[0], pixel[1] + times * step[1]
