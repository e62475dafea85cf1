"""Figures of the layout that are not measured here are read from where they are stored, and say so."""

from __future__ import annotations

import pytest

from benchmarks.figure import stored
from benchmarks.layout import spikes


def test_what_is_stored_has_its_age_and_no_run_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("COSIM_RUNS", str(tmp_path))
    found = {figure.name: figure for figure in spikes.figures(quick=False)}
    assert {"layout.output_spike_rmse_s", "layout.one_synapse_for_all_rmse_s", "layout.numerical_error_s"} <= found.keys()
    best, alike = found["layout.output_spike_rmse_s"], found["layout.one_synapse_for_all_rmse_s"]
    assert 0 < best.value < alike.value and best.unit == "s" and best.is_stored
    assert "stored " in best.detail and "revision " in best.detail


@pytest.mark.parametrize("name", ["layout.gold", "layout.gold_cells", "layout.rails", "layout.large"])
def test_every_part_that_needs_more_than_this_machine_has_is_stored(name: str) -> None:
    assert all(figure.name.startswith("layout.") and figure.is_stored for figure in stored(name))
