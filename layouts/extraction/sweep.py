"""The sweep over rectangles, compiled: a layout in slabs, each of which is one-dimensional.

Between two neighbouring y at which a rectangle begins or ends everything is the same for all y: a plane is a row of intervals.
So plates are overlaps of intervals, and the field of a vertical edge runs along the row. The edges in the other direction are
those of the layout with x and y exchanged. A large layout is swept in strips, each with what lies within a halo of it: a strip
has fewer slabs, and shorter ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from layouts.extraction.model import KINDS, Tables

FIELD_NET = 0
"""The net of what lies under everything."""

_NO_NET = -1
_FIELD, _TRANSPARENT = KINDS.index("field"), KINDS.index("resistor")
_FAR = 1 << 40
STRIP = 100_000
"""Width of what is swept at once (nm)."""
_BEGIN, _END, _KIND, _NET = range(4)
_piece = njit(error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=True)


def pairs(
    rectangles: NDArray[np.int64], kind: NDArray[np.int64], net: NDArray[np.int64], tables: Tables
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Capacitances (aF) between nets: first net, second net (first < second), sum of all that join the two.

    Args:
        rectangles: [n][x1, y1, x2, y2] in nm; those of one plane do not overlap.
        kind: of each, its place in `model.KINDS`.
        net: of each; 0 is the field's.
    """
    nets = int(net.max(initial=0)) + 1
    slots = 1 << int(np.ceil(np.log2(max(4096, 64 * nets))))
    plane = tables.plane[kind]
    numbers = (tables.sends, tables.plate, tables.fringe, tables.row, tables.share, tables.sidewall, tables.offset)
    rectangles = np.ascontiguousarray(rectangles)
    exchanged = np.ascontiguousarray(rectangles[:, [1, 0, 3, 2]])
    while True:
        table = np.full(slots, -1, np.int64), np.zeros(slots), np.array([nets, 0])
        if all(
            _sweep(part[own], kind[own], net[own], plane[own], _events(part[own]), _rooms(part[own], plane[own]),
                   window, plates, numbers, tables.halo, table)
            for part, plates in ((rectangles, True), (exchanged, False))
            for window, own in _strips(part, tables.halo)
        ):  # fmt: skip
            break
        slots *= 4
    keys, sums, _ = table
    used = np.flatnonzero(keys >= 0)
    used = used[np.argsort(keys[used])]
    first, second = np.divmod(keys[used], nets)
    return first, second, sums[used]


def _strips(rectangles: NDArray[np.int64], halo: int) -> Iterator[tuple[tuple[int, int], NDArray[np.intp]]]:
    """Where each strip begins and ends, and what lies within a halo of it."""
    if not len(rectangles):
        return
    first, last = int(rectangles[:, 0].min()), int(rectangles[:, 2].max()) + 1
    for low in range(first, last, STRIP):
        high = min(low + STRIP, last)
        yield (low, high), np.flatnonzero((rectangles[:, 2] >= low - halo) & (rectangles[:, 0] <= high + halo))


def _events(rectangles: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rectangles in the order in which they begin, and in which they end."""
    return np.argsort(rectangles[:, 1], kind="stable"), np.argsort(rectangles[:, 3], kind="stable")


def _rooms(rectangles: NDArray[np.int64], plane: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Arrays for the rectangles of a slab, its rows, what planes see below and above, and how long each of these is."""
    most = [_most_at_once(rectangles[plane == p]) for p in range(int(plane.max(initial=0)) + 1)]
    planes, widest, longest = len(most), max(most) + 1, 2 * sum(most) + 2
    rows, below, above = (np.zeros((planes, length, 4), np.int64) for length in (widest, longest, longest))
    return np.zeros((planes, widest), np.int64), rows, below, above, np.zeros((4, planes), np.int64)


def _most_at_once(rectangles: NDArray[np.int64]) -> int:
    """How many rectangles one slab has at most."""
    y = np.concatenate([rectangles[:, 3], rectangles[:, 1]])
    step = np.repeat([-1, 1], len(rectangles))
    return int(np.cumsum(step[np.argsort(y, kind="stable")]).max(initial=0))


@njit(cache=True, error_model="numpy", no_cfunc_wrapper=True)
def _sweep(rectangles, kind, net, plane, events, rooms, window, plates, numbers, halo, table):  # type: ignore[no-untyped-def]
    """All slabs from below; False if the table of pairs has become too small."""
    starts, ends = events
    active, rows, below, above, counts = rooms
    planes, count, lengths, below_count, above_count = counts.shape[1], counts[0], counts[1], counts[2], counts[3]
    begun = ended = 0
    while ended < ends.size:
        y = _next_y(rectangles, starts, begun, ends, ended)
        while ended < ends.size and rectangles[ends[ended], 3] == y:
            _leave(active, count, plane[ends[ended]], ends[ended])
            ended += 1
        while begun < starts.size and rectangles[starts[begun], 1] == y:
            _enter(active, count, plane[starts[begun]], starts[begun], rectangles)
            begun += 1
        if ended == ends.size:
            break
        height_um = (_next_y(rectangles, starts, begun, ends, ended) - y) / 1000.0
        for p in range(planes):
            lengths[p] = _row(active[p], count[p], rectangles, kind, net, rows[p])
        _look_down(rows, lengths, below, below_count)
        _look_up(rows, lengths, above, above_count)
        for p in range(planes):
            if plates:
                _plates(rows[p], lengths[p], below[p], window, height_um, numbers, table)
            views = below[p], below_count[p], above[p], above_count[p]
            _edges(rows[p], lengths[p], views, window, height_um, numbers, halo, table)
        if 2 * table[2][1] > table[0].size:
            return False
    return True


@_piece
def _next_y(rectangles, starts, begun, ends, ended):  # type: ignore[no-untyped-def]
    """Where the next slab ends: no rectangle begins after the last has ended."""
    y = rectangles[ends[ended], 3]
    return min(y, rectangles[starts[begun], 1]) if begun < starts.size else y


@_piece
def _enter(active, count, p, index, rectangles):  # type: ignore[no-untyped-def]
    """Put a rectangle among those of its plane, which are sorted by x."""
    k = count[p]
    while k > 0 and rectangles[active[p, k - 1], 0] > rectangles[index, 0]:
        active[p, k] = active[p, k - 1]
        k -= 1
    active[p, k] = index
    count[p] += 1


@_piece
def _leave(active, count, p, index):  # type: ignore[no-untyped-def]
    """Take a rectangle out."""
    k = 0
    while active[p, k] != index:
        k += 1
    for later in range(k, count[p] - 1):
        active[p, later] = active[p, later + 1]
    count[p] -= 1


@_piece
def _row(active, count, rectangles, kind, net, row):  # type: ignore[no-untyped-def]
    """The intervals of a plane, rectangles that continue one another as one; returns how many."""
    length = 0
    for k in range(count):
        i = active[k]
        last = length - 1
        if length and row[last, _END] == rectangles[i, 0] and row[last, _KIND] == kind[i] and row[last, _NET] == net[i]:
            row[last, _END] = rectangles[i, 2]
        else:
            _put(row, length, rectangles[i, 0], rectangles[i, 2], kind[i], net[i])
            length += 1
    return length


@_piece
def _put(row, k, begin, end, kind, net):  # type: ignore[no-untyped-def]
    row[k, _BEGIN], row[k, _END], row[k, _KIND], row[k, _NET] = begin, end, kind, net


@_piece
def _look_down(rows, lengths, below, count):  # type: ignore[no-untyped-def]
    """What each plane sees under it, from left to right without a gap."""
    _put(below[0], 0, -_FAR, _FAR, _FIELD, FIELD_NET)
    count[0] = 1
    for p in range(1, count.size):
        count[p] = _cover(rows[p - 1], lengths[p - 1], below[p - 1], below[p])


@_piece
def _look_up(rows, lengths, above, count):  # type: ignore[no-untyped-def]
    """What each plane sees over it; where there is nothing it has no net."""
    top = count.size - 1
    _put(above[top], 0, -_FAR, _FAR, _FIELD, _NO_NET)
    count[top] = 1
    for p in range(top - 1, -1, -1):
        count[p] = _cover(rows[p + 1], lengths[p + 1], above[p + 1], above[p])


@_piece
def _cover(row, length, view, seen):  # type: ignore[no-untyped-def]
    """A view with a row of intervals in front of it; returns how many pieces it has."""
    pieces = k = 0
    x = -_FAR
    for i in range(length + 1):
        if i < length and row[i, _KIND] == _TRANSPARENT:
            continue
        until = row[i, _BEGIN] if i < length else _FAR
        while x < until:
            while view[k, _END] <= x:
                k += 1
            end = min(until, view[k, _END])
            _put(seen, pieces, x, end, view[k, _KIND], view[k, _NET])
            pieces += 1
            x = end
        if i < length:
            _put(seen, pieces, row[i, _BEGIN], row[i, _END], row[i, _KIND], row[i, _NET])
            pieces += 1
            x = row[i, _END]
    return pieces


@_piece
def _plates(row, length, below, window, height_um, numbers, table):  # type: ignore[no-untyped-def]
    """What of each interval lies in the window, over what is seen below it."""
    plate = numbers[1]
    k = 0
    for i in range(length):
        begin, end = max(row[i, _BEGIN], window[0]), min(row[i, _END], window[1])
        if begin >= end:
            continue
        while below[k, _END] <= begin:
            k += 1
        while below[k, _BEGIN] < end:
            width = min(below[k, _END], end) - max(below[k, _BEGIN], begin)
            value = plate[row[i, _KIND], below[k, _KIND]] * width / 1000.0 * height_um
            _add(table, row[i, _NET], below[k, _NET], value)
            if below[k, _END] >= end:
                break
            k += 1


@_piece
def _edges(row, length, views, window, height_um, numbers, halo, table):  # type: ignore[no-untyped-def]
    """Sidewalls and fringes of both sides of every interval that lie in the window. Where two touch there is no edge."""
    sends, sidewall, offset = numbers[0], numbers[5], numbers[6]
    below, below_count, above, above_count = views
    for i in range(length):
        of = row[i, _KIND]
        if not sends[of]:
            continue
        for side in (-1, 1):
            edge = row[i, _BEGIN] if side < 0 else row[i, _END]
            if edge < window[0] or edge >= window[1] or not _open(row, length, i, side):
                continue
            k = i + side
            while 0 <= k < length and not sends[row[k, _KIND]]:
                k += side
            distance = _FAR
            if 0 <= k < length:
                distance = edge - row[k, _END] if side < 0 else row[k, _BEGIN] - edge
                if distance < halo and _open(row, length, k, -side):
                    value = 0.5 * sidewall[of] * height_um / (distance / 1000.0 + offset[of])
                    _add(table, row[i, _NET], row[k, _NET], value)
            reach, ended = min(distance, halo), distance < halo
            _fringe_down(of, row[i, _NET], edge, side, reach, ended, below, below_count, height_um, numbers, table)
            _fringe_up(of, row[i, _NET], edge, side, reach, above, above_count, height_um, numbers, table)


@_piece
def _open(row, length, i, side):  # type: ignore[no-untyped-def]
    """Whether an interval ends in space on that side."""
    k = i + side
    if k < 0 or k >= length:
        return True
    return row[k, _END] < row[i, _BEGIN] if side < 0 else row[k, _BEGIN] > row[i, _END]


@_piece
def _fringe_down(of, net, edge, side, reach, ended, below, count, height_um, numbers, table):  # type: ignore[no-untyped-def]
    fringe, row, share = numbers[2], numbers[3], numbers[4]
    to_field = share[row[of, _FIELD]]
    left = to_field[reach] if ended else 1.0
    k = _first(below, count, edge, side)
    while 0 <= k < count:
        near, far = _distances(below[k], edge, side, reach)
        if near >= reach:
            break
        to, other = below[k, _KIND], below[k, _NET]
        if to != _FIELD or other != FIELD_NET:
            lands = share[row[of, to]]
            _add(table, net, other, fringe[of, to] * (lands[far] - lands[near]) * height_um)
            left -= to_field[far] - to_field[near]
        k += side
    _add(table, net, FIELD_NET, fringe[of, _FIELD] * left * height_um)


@_piece
def _fringe_up(of, net, edge, side, reach, above, count, height_um, numbers, table):  # type: ignore[no-untyped-def]
    fringe, row, share = numbers[2], numbers[3], numbers[4]
    k = _first(above, count, edge, side)
    while 0 <= k < count:
        near, far = _distances(above[k], edge, side, reach)
        if near >= reach:
            break
        to = above[k, _KIND]
        if above[k, _NET] >= 0 and fringe[of, to] > 0.0:
            lands = share[row[of, to]]
            _add(table, net, above[k, _NET], fringe[of, to] * (lands[far] - lands[near]) * height_um)
        k += side


@_piece
def _first(view, count, edge, side):  # type: ignore[no-untyped-def]
    """The piece of a view that lies at an edge, on its outside."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if view[middle, _END] > edge or (side < 0 and view[middle, _END] == edge):
            high = middle
        else:
            low = middle + 1
    return low


@_piece
def _distances(piece, edge, side, reach):  # type: ignore[no-untyped-def]
    """How far from the edge a piece begins and ends, within reach."""
    near, far = (piece[_BEGIN] - edge, piece[_END] - edge) if side > 0 else (edge - piece[_END], edge - piece[_BEGIN])
    return max(near, 0), min(far, reach)


@_piece
def _add(table, a, b, value):  # type: ignore[no-untyped-def]
    """Add to the pair of two nets: an open table of hashes, whose size is a power of two."""
    keys, sums, counts = table
    if a == b or value == 0.0:
        return
    key = min(a, b) * counts[0] + max(a, b)
    mask = keys.size - 1
    slot = ((key * 0x9E3779B1) >> 7) & mask
    while keys[slot] != key:
        if keys[slot] < 0:
            if 4 * counts[1] > 3 * keys.size:
                return  # too full already: the sweep will be done again with a larger one
            keys[slot] = key
            counts[1] += 1
            break
        slot = (slot + 1) & mask
    sums[slot] += value
