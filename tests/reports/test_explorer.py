"""What the page's script draws: numbers of the tables, within their bounds, and in a real browser without an error."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.report import render
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


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 500])
def test_a_real_browser_draws_it_without_an_error_or_a_request(run_dir: Path, tmp_path: Path, width: int) -> None:
    browser = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no chromium is installed")
    for path in run_dir.rglob("*.parquet"):
        if path.stem not in ("waveforms", "spikes"):
            path.unlink()
    html = render(read_run(run_dir))
    assert len(html.encode()) < 3_000_000 and re.search(r'<figure class="explorer" hidden>', html)
    errors = "<head><script>wrong = []; addEventListener('error', (e) => wrong.push(e.message));</script>"
    probe = """<script>addEventListener("load", () => { const d = document, all = () => d.querySelectorAll(".uplot").length;
      const first = all(), selects = [...d.querySelectorAll(".explorer select")];
      for (const one of selects) { one.selectedIndex = one.options.length - 1; one.dispatchEvent(new Event("change")); }
      const loaded = performance.getEntriesByType("resource").filter((e) => !e.name.startsWith("data:")).length;
      const over = d.documentElement.scrollWidth - innerWidth;
      d.title = ["probe", first, all(), selects.length, loaded, over, wrong.length].join(" "); });</script></body>"""
    file = tmp_path / "probed.html"
    file.write_text(html.replace("<head>", errors, 1).replace("</body>", probe), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'p'}", f"--window-size={width},900"]
    command = [browser, *flags, "--virtual-time-budget=5000", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    title = re.search(r"<title>probe (\d+) (\d+) (\d+) (\d+) (-?\d+) (\d+)</title>", done.stdout)
    assert title is not None, done.stderr[-1000:]
    first, then, selects, loaded, over, wrong = map(int, title.groups())
    assert (first, then, selects, loaded, wrong) == (3, 3, 3, 0, 0), title[0]
    assert over <= 0
