"""GDS files: what is read is what was written, and what cannot be read is one line. Reading nothing must never look clean."""

from __future__ import annotations

from pathlib import Path

import klayout.db as kdb
import pytest

from layouts.errors import LayoutError
from layouts.gds import dbu, new_layout, read_gds, region
from layouts.technology import LABELS, LAYERS, PINS


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    layout = new_layout()
    layout.create_cell("plate").shapes(layout.layer(*LAYERS["met4"])).insert(kdb.Box(0, 0, dbu(1.5), dbu(2.0)))
    layout.create_cell("hollow")
    path = tmp_path / "plate.gds"
    layout.write(str(path))
    return path


def test_a_shape_comes_back_on_its_layer(plate: Path) -> None:
    layout, cell = read_gds(plate, "plate")
    assert region(cell, "met4").area() * layout.dbu**2 == pytest.approx(3.0)
    assert region(cell, "met3").is_empty()


def test_what_is_not_there_or_no_gds_or_empty_is_one_line(plate: Path, tmp_path: Path) -> None:
    (tmp_path / "text.gds").write_text("not a layout")
    coarse = kdb.Layout()
    coarse.dbu = 0.005
    coarse.create_cell("plate").shapes(coarse.layer(71, 20)).insert(kdb.Box(0, 0, 1, 1))
    coarse.write(str(tmp_path / "coarse.gds"))
    for path, cell, said in (
        (tmp_path / "none.gds", "plate", "there is no such GDS file"),
        (tmp_path / "text.gds", "plate", "cannot be read as GDS"),
        (plate, "neuron", "has no cell neuron; on top there is hollow, plate"),
        (plate, "hollow", "cell hollow is empty"),
        (tmp_path / "coarse.gds", "plate", "database unit of 0.005 um"),
    ):
        with pytest.raises(LayoutError, match=said) as told:
            read_gds(path, cell)
        assert "\n" not in str(told.value)


def test_no_two_layers_share_their_numbers() -> None:
    numbers = [*LAYERS.values(), *LABELS.values(), *PINS.values()]
    assert len(set(numbers)) == len(numbers)
