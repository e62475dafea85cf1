"""What the page's script draws: numbers of the tables, within their bounds. tests/reports/test_seen.py draws them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.run import read_run
from reports.sections import explore


def content(run_dir: Path) -> dict[str, Any]:
    [block] = explore.explorer(read_run(run_dir))
    return dict(json.loads(block.content))  # type: ignore[union-attr]


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_lines_are_those_of_the_table(run_dir: Path) -> None:
    waveforms = pd.read_parquet(run_dir / "validation" / "waveforms.parquet")
    found = {one["name"]: one for one in content(run_dir)["mappings"]}
    assert set(found) == set(waveforms.mapping)
    for name, layer in ((name, layer) for name, one in found.items() for layer in one["layers"]):
        time = floats(layer["time"])
        for line in layer["lines"]:
            keys = (waveforms.mapping == name) & (waveforms.layer == layer["layer"])
            own = waveforms[keys & (waveforms["sample"] == line["sample"]) & (waveforms.neuron == line["neuron"])]
            for key in ("circuit", "model"):
                wanted = np.interp(time, own.time_s, own[f"{key}_v"])
                np.testing.assert_allclose(floats(line[key]), wanted, atol=2e-4)


def test_spikes_are_those_of_the_outputs_of_the_nominal_circuit(run_dir: Path) -> None:
    table = pd.read_parquet(run_dir / "validation" / "spikes.parquet")
    [own] = [one["spikes"] for one in content(run_dir)["mappings"] if one["name"] == "ode"]
    last = table[table.die.isna() & (table.mapping == "ode") & (table.layer == table.layer.max())]
    assert len(own["sample"]) == len(last) > 3
    error = 1e9 * (last.circuit_spike_s - last.model_spike_s)
    np.testing.assert_allclose(np.sort(floats(own["error"])), np.sort(error), rtol=1e-4, atol=1e-4)
    assert (np.diff(floats(own["model"])) >= 0).all()


def test_many_lines_have_fewer_points_and_too_many_are_left_out(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(json.dumps(content(run_dir)))
    lines = sum(len(layer["lines"]) for one in content(run_dir)["mappings"] for layer in one["layers"])
    monkeypatch.setattr(explore, "MOST_BYTES", 8 * 100 * lines)
    assert len(floats(content(run_dir)["mappings"][0]["layers"][0]["time"])) == 100 and len(json.dumps(content(run_dir))) < whole
    monkeypatch.setattr(explore, "MOST_BYTES", 8 * 10 * lines)
    assert explore.explorer(read_run(run_dir)) == []


def test_a_hostile_name_ends_no_script(run_dir: Path) -> None:
    for name in ("waveforms", "spikes"):
        path = run_dir / "validation" / f"{name}.parquet"
        pd.read_parquet(path).replace({"mapping": {"ode": "</script><!--<script>"}}).to_parquet(path)
    [block] = explore.explorer(read_run(run_dir))
    assert "<" not in block.content and "</script>" in json.dumps(content(run_dir))  # type: ignore[union-attr]
