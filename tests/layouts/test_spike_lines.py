"""Lines of spikes as resistances, beside what a strip of the same length has."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.layout.checks import cells
from layouts.extraction.conductors import FlatCell
from layouts.extraction.rails import spike_lines
from layouts.project import draw
from layouts.technology import CUT_OHM, SHEET_OHM


def test_a_spike_line_is_its_strip_of_met4_behind_what_leads_to_it() -> None:
    project = draw(cells(), (2, 2, 1), "lines")
    drawn, flat = project.network, FlatCell(project.network.cell)
    lines = {line.net: line for line in spike_lines(drawn, flat, 1, range(2))}
    assert list(lines) == ["input_0", "input_0_bar", "input_1", "input_1_bar"]
    far, near = np.sort(list(lines["input_0"].drop_ohm().values()))[::-1]
    squares = drawn.layers[0].pitch / 360  # from row to row, 0.36 um wide
    assert far - near == pytest.approx(squares * SHEET_OHM["met4"], rel=0.05)
    assert near > CUT_OHM["via2"] + CUT_OHM["via3"]
    # Elmore: half of the capacitance in either row.
    assert lines["input_0"].delay_s(2e-15) == pytest.approx(1e-15 * (far + near), rel=1e-6)
    hidden = next(spike_lines(drawn, flat, 2, [0]))
    assert hidden.net == "layer_1_spike_0"
    assert max(hidden.drop_ohm().values()) > 2 * far
