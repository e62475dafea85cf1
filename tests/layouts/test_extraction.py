"""Extracted capacitances: against closed forms, and against the rules applied pixel by pixel."""

from __future__ import annotations

from math import atan, pi

import klayout.db as kdb
import numpy as np
import pytest
from drawn import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from pixels import Pixel, capacitances

from benchmarks.layout.checks import cells
from layouts.errors import LayoutError
from layouts.extraction import Capacitances, Corner, conductors, extract, extract_conductors, sweep
from layouts.extraction.model import KINDS, PLANES, tables
from layouts.extraction.sweep import pairs
from layouts.project import draw

AF = 1e-18
BY_PLANE = {p: [k for k, kind in enumerate(KINDS) if PLANES[kind] == p] for p in sorted(set(PLANES.values()))}
PIXELS = 9
LOWER = ("field", "diff", "poly", "li1", "met1", "met2", "met3")


def extracted(drawn: Drawn, corner: Corner = Corner.NOMINAL) -> Capacitances:
    return extract(drawn.cell, corner)


def share(p: float, x_um: float) -> float:
    return 2 / pi * atan(0.02 * p * x_um)


def test_plate_over_the_field() -> None:
    """A met1 square of 100 um: its area at 25.78 aF/um^2, its edges at 40.57 aF/um, next to nothing else."""
    found = extracted(Drawn().box("met1", 0, 0, 100, 100, "plate"))
    assert found.total()["plate"] == pytest.approx((1e4 * 25.78 + 400 * 40.57) * AF, rel=1e-9)
    assert found.between("plate", found.field) == found.total()["plate"]


@pytest.mark.parametrize("space_um", [0.14, 0.6, 3.0, 7.9])
def test_two_parallel_wires(space_um: float) -> None:
    """met2, 20 um long: 50 aF/um over space + 0.3 um for the pair, and of the fringe between them what lands before the other."""
    drawn = Drawn().box("met2", 0, 0, 0.3, 20, "a").box("met2", 0.3 + space_um, 0, 0.6 + space_um, 20, "b")
    found = extracted(drawn)
    assert found.between("a", "b") == pytest.approx(50 * 20 / (space_um + 0.3) * AF, rel=1e-9)
    alone = 0.3 * 20 * 17.5 + (20 + 0.6) * 37.76
    assert found.between("a", found.field) == pytest.approx((alone + 20 * 37.76 * share(17.5, space_um)) * AF, rel=1e-9)


def test_wires_that_do_not_see_each_other() -> None:
    """Beyond the halo, and behind a third wire."""
    apart = Drawn().box("met2", 0, 0, 0.3, 20, "a").box("met2", 8.3, 0, 8.6, 20, "b")
    assert extracted(apart).between("a", "b") == 0.0
    behind = Drawn().box("met2", 0, 0, 0.3, 20, "a").box("met2", 1, 0, 1.3, 20, "shield").box("met2", 2, 0, 2.3, 20, "b")
    assert extracted(behind).between("a", "b") == 0.0
    assert extracted(behind).between("a", "shield") == pytest.approx(1000 / 1.0 * AF, rel=1e-9)


def test_crossing() -> None:
    """met4 over met3, both far longer than the halo: the plate, met4's two edges down, met3's two edges up."""
    drawn = Drawn().box("met3", -20, 0, 20, 0.5, "low").box("met4", 0, -20, 0.6, 20, "high")
    plate = 0.5 * 0.6 * 84.03
    down = 2 * 0.5 * 70.52 * share(84.03, 8.0)
    up = 2 * 0.6 * 42.64 * share(84.03, 8.0)
    assert extracted(drawn).between("low", "high") == pytest.approx((plate + down + up) * AF, rel=1e-9)


def test_comb() -> None:
    """Two combs of five met1 fingers each, fed at their far ends: nine facing pairs of edges, 10 um long."""
    drawn = Drawn()
    for k in range(5):
        drawn.box("met1", 0.5 * k, 0, 0.5 * k + 0.14, 11.0).box("met1", 0.5 * k + 0.25, 1.0, 0.5 * k + 0.39, 12.0)
    drawn.box("met1", 0, -0.14, 2.39, 0, "one").box("met1", 0, 12.0, 2.39, 12.14, "other")
    facing = 9 * 44 * 10 / (0.11 + 0.25)
    ends = 10 * 44 * 0.14 / (1.0 + 0.25)
    assert extracted(drawn).between("one", "other") == pytest.approx((facing + ends) * AF, rel=0.02)


def test_a_capacitor_alone() -> None:
    """The device model has what lies between its plates: met5 meets met4 only where it reaches beyond cap2m."""
    drawn = Drawn().box("met4", 0, 0, 12, 12, "bottom").box("cap2m", 0.5, 0.5, 11.5, 11.5)
    drawn.box("via4", 5, 5, 5.8, 5.8).box("met5", 0, 0, 12, 12, "top")
    found = extracted(drawn)
    assert found.between("bottom", "top") == pytest.approx((144 - 121) * 68.33 * AF, rel=1e-9)
    assert found.between("bottom", found.field) == pytest.approx((144 * 8.42 + 48 * 36.68) * AF, rel=1e-9)
    assert found.between("top", found.field) == pytest.approx(48 * 38.85 * AF, rel=1e-9)


def test_a_stranger_over_a_capacitor_meets_its_upper_plate() -> None:
    drawn = Drawn().box("met4", 0, 0, 6, 6, "bottom").box("cap2m", 0.5, 0.5, 5.5, 5.5)
    drawn.box("via4", 1, 1, 1.8, 1.8).box("met5", 0.5, 0.5, 2.1, 5.5, "top").box("met5", 3.9, 0.5, 5.5, 5.5, "stranger")
    found = extracted(drawn)
    assert found.between("stranger", "top") > 1.6 * 5 * 68.33 * AF
    assert found.between("stranger", "bottom") < 0.25 * found.between("stranger", "top")


def test_a_channel_belongs_to_its_transistor() -> None:
    """Poly over diffusion has no plate; metal above meets the gate, not the diffusion under it."""
    drawn = Drawn().box("diff", 0, 0, 10, 2).box("poly", 4, -1, 6, 3).box("met1", 4, 0, 6, 2, "m")
    gate = Drawn().box("poly", 4, -1, 6, 3).box("met1", 4, 0, 6, 2, "m")
    found, wire = extracted(drawn), extracted(gate)
    plates = [value for _, _, value in found if value == pytest.approx(4 * 44.81 * AF, rel=0.05)]
    assert plates
    assert found.total()["m"] == pytest.approx(wire.total()["m"], rel=0.02)


def test_corners_are_in_order() -> None:
    drawn = Drawn().box("met1", 0, 0, 10, 10, "a").box("met2", 0, 0, 10, 10, "b")
    low, nominal, high = (extracted(drawn, corner).between("a", "b") for corner in Corner)
    assert low < nominal < high
    assert high == pytest.approx(100 * 212.0 * AF, rel=1e-9)


@pytest.mark.parametrize("corner", Corner)
def test_a_plate_holds_the_less_the_lower_it_lies(corner: Corner) -> None:
    plate = tables(corner).plate
    for upper in ("met1", "met2", "met3", "met4", "met5"):
        under = [
            plate[KINDS.index(upper), KINDS.index(kind)] for kind in ("field", "diff", "poly", "li1", "met1", "met2", "met3")
        ]
        values = [value for value in under if value]
        assert len(values) >= 4
        assert values == sorted(values)


def test_nets_follow_contacts() -> None:
    """Three layers joined by cuts are one net; the wire that is labelled 0 is the field under everything."""
    drawn = Drawn().box("li1", 0, 0, 5, 0.4).box("mcon", 0.1, 0.1, 0.27, 0.27).box("met1", 0, 0, 0.4, 5, "w")
    drawn.box("tap", 20, 0, 21, 1).box("psdm", 19, -1, 22, 2).box("licon1", 20.4, 0.4, 20.57, 0.57).box("li1", 20, 0, 21, 1, "0")
    found = extracted(drawn)
    assert found.field == "0"
    assert set(found.total()) == {"0", "w"}


def test_strips_make_one_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network in strips narrower than the halo."""
    project = draw(cells(), (2, 1), "small")
    drawn = conductors(project.network.cell)
    whole = extract_conductors(drawn).pairs()
    monkeypatch.setattr(sweep, "STRIP", 7001)
    assert extract_conductors(drawn).pairs() == pytest.approx(whole, rel=1e-9, abs=1e-30)


def test_a_slanted_edge_is_refused() -> None:
    drawn = Drawn("slanted")
    drawn.cell.shapes(drawn.layout.layer(68, 20)).insert(kdb.DPolygon([kdb.DPoint(0, 0), kdb.DPoint(0, 5), kdb.DPoint(5, 0)]))
    with pytest.raises(LayoutError, match=r"slanted: met1 of net .* slanted edge at .*only rectangles"):
        extracted(drawn)


@st.composite
def drawings(draw: st.DrawFn) -> dict[int, dict[Pixel, tuple[int, int]]]:
    """Up to five rectangles in each plane, of any kind and net; later ones lie over earlier ones."""
    place, width = st.integers(0, PIXELS - 1), st.integers(1, 4)
    drawing = {}
    for plane, kinds in BY_PLANE.items():
        pixels: dict[Pixel, tuple[int, int]] = {}
        rectangle = st.tuples(place, place, width, width, st.sampled_from(kinds), st.integers(0, 5))
        for x, y, wide, high, kind, net in draw(st.lists(rectangle, max_size=5)):
            pixels |= {(x + i, y + j): (kind, net) for i in range(wide) for j in range(high)}
        drawing[plane] = pixels
    return drawing


@given(drawings(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_sweep_does_what_the_rules_say(drawing: dict[int, dict[Pixel, tuple[int, int]]], random: object) -> None:
    """Halo of a micrometre, pixels of a tenth; rectangles cut from the pixels in any way."""
    size, numbers = 100, tables(Corner.NOMINAL, 1.0)
    cut = [rectangle for plane in drawing.values() for rectangle in _cut(plane, random)]
    table = np.array(cut, np.int64).reshape(-1, 6)
    first, second, value = pairs(size * table[:, :4], table[:, 4].copy(), table[:, 5].copy(), numbers)
    found = {
        pair: attofarads for *pair_, attofarads in zip(first, second, value, strict=True) if (pair := tuple(map(int, pair_)))
    }
    wanted = capacitances(drawing, size, numbers)
    for pair in wanted.keys() | found.keys():
        assert found.get(pair, 0.0) == pytest.approx(wanted.get(pair, 0.0), rel=1e-9, abs=1e-9)


def _cut(pixels: dict[Pixel, tuple[int, int]], random: object) -> list[tuple[int, ...]]:
    """Rectangles that make up a plane, x1 y1 x2 y2 kind net."""
    left, found = dict(pixels), []
    while left:
        x, y = random.choice(sorted(left))  # type: ignore[attr-defined]
        held, right, top = left[x, y], x + 1, y + 1
        while left.get((right, y)) == held:
            right += 1
        while all(left.get((i, top)) == held for i in range(x, right)):
            top += 1
        for i in range(x, right):
            for j in range(y, top):
                del left[i, j]
        found.append((x, y, right, top, *held))
    return found
