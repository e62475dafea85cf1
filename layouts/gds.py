"""GDS files and the layouts in them, layer by layer by name. Coordinates are whole database units of a nanometre."""

from __future__ import annotations

from pathlib import Path

import klayout.db as kdb

from layouts.errors import LayoutError
from layouts.technology import LAYERS

DBU_UM = 0.001


def new_layout() -> kdb.Layout:
    """An empty layout."""
    layout = kdb.Layout()
    layout.dbu = DBU_UM
    return layout


def dbu(um: float) -> int:
    """A length in database units."""
    return round(um / DBU_UM)


def region(cell: kdb.Cell, layer: str) -> kdb.Region:
    """The shapes of a drawing layer in a cell and the cells below it, not yet merged."""
    return kdb.Region(cell.begin_shapes_rec(cell.layout().layer(*LAYERS[layer])))


def read_gds(path: Path, cell: str) -> tuple[kdb.Layout, kdb.Cell]:
    """The cell of this name in a file, and the layout that has to be held while it is used. Raises `LayoutError`."""
    if not path.is_file():
        raise LayoutError(f"{path}: there is no such GDS file")
    layout = kdb.Layout()
    try:
        layout.read(str(path))
    except RuntimeError as error:
        raise LayoutError(f"{path}: cannot be read as GDS: {str(error).splitlines()[0]}") from None
    if abs(layout.dbu - DBU_UM) > 1e-9:
        raise LayoutError(f"{path}: has a database unit of {layout.dbu:g} um; {DBU_UM:g} um is what its grid needs")
    if (found := layout.cell(cell)) is None:
        names = ", ".join(sorted(top.name for top in layout.top_cells()))
        raise LayoutError(f"{path}: has no cell {cell}; on top there is {names or 'none'}")
    if found.bbox().empty():
        raise LayoutError(f"{path}: cell {cell} is empty")
    return layout, found


def flattened(cell: kdb.Cell, name: str = "") -> tuple[kdb.Layout, kdb.Cell]:
    """A copy of a cell without cells in it, and the layout that has to be held while it is used.

    Of texts it has the cell's own: one deep inside names a net there, of which there may be many.
    """
    flat = new_layout()
    copy = flat.create_cell(name or cell.name)
    source = cell.layout()
    for index in source.layer_indexes():
        target = flat.layer(source.get_info(index))
        copy.shapes(target).insert(kdb.Region(cell.begin_shapes_rec(index)))
        for text in cell.shapes(index).each(kdb.Shapes.STexts):
            copy.shapes(target).insert(text.text)
    return flat, copy
