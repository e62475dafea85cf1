"""Pictures of cells, as PNG, without a display."""

from __future__ import annotations

from collections.abc import Sequence

import klayout.db as kdb
from klayout import lay

from layouts.technology import LABELS, LAYERS

_COLOURS = {
    "nwell": 0xF0E4C0, "diff": 0x3F9B4F, "tap": 0x8FCB7F, "lvtn": 0xA0A0A0, "hvtp": 0xA0A0A0, "urpm": 0xE0B0B0,
    "poly": 0xC8323C, "poly_res": 0xE08080, "li1": 0x8C64B4, "met1": 0x3C6EC8, "licon1": 0xFFFFFF, "mcon": 0x10306C,
    "via": 0x202020, "met2": 0xD2691E, "via2": 0x202020, "met3": 0x00A0A0, "via3": 0x202020, "met4": 0xB4A000,
    "cap2m": 0xE070C0, "via4": 0x404040, "met5": 0x9090A8,
}  # fmt: skip
"""What is drawn, from the bottom up; contacts over the metal that would hide them."""
_HATCHED = ("nwell", "lvtn", "hvtp", "met2", "met3", "met4", "met5", "cap2m", "urpm")
_SOLID, _HATCH = 0, 5


def picture(
    layout: kdb.Layout,
    cell: kdb.Cell,
    marks: Sequence[kdb.Box] = (),
    area: kdb.Box | None = None,
    names: bool = True,
    width: int = 1400,
) -> bytes:
    """A picture of a cell, or of an area of it, as PNG; `marks` (places in database units) are framed, `names` shows its nets."""
    view = lay.LayoutView()
    view.set_config("background-color", "#ffffff")
    view.set_config("grid-visible", "false")
    view.set_config("text-color", "#000000")
    view.show_layout(layout.dup(), False)  # the view deletes what it shows
    view.active_cellview().cell_name = cell.name
    view.max_hier()
    view.clear_layers()
    for name, colour in _COLOURS.items():
        _show(view, LAYERS[name], colour, _HATCH if name in _HATCHED else _SOLID)
    for layer in LABELS.values() if names else ():
        _show(view, layer, 0x000000, _SOLID)
    for mark in marks:
        _frame(view, mark, layout.dbu)
    box = (area or cell.bbox()).to_dtype(layout.dbu)
    box = box.enlarged(0.03 * box.width(), 0.03 * box.height())
    height = max(200, min(2400, round(width * box.height() / box.width())))
    view.zoom_box(box)
    pixels = view.get_pixels_with_options(width, height, 0, 2, 0.0, box)
    png: bytes = pixels.to_png_data()
    return png


def _show(view: lay.LayoutView, layer: tuple[int, int], colour: int, pattern: int) -> None:
    node = lay.LayerProperties()
    node.source = f"{layer[0]}/{layer[1]}"
    node.fill_color = node.frame_color = colour
    node.dither_pattern = pattern
    view.insert_layer(view.end_layers(), node)


def _frame(view: lay.LayoutView, mark: kdb.Box, dbu: float) -> None:
    marker = lay.Marker(view)
    marker.set(mark.to_dtype(dbu).enlarged(0.1, 0.1))
    marker.color = 0xFF0000
    marker.line_width = 3
    marker.halo = 1
