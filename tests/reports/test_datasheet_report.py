"""The datasheet's page from tables alone: no simulator, no physics."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from paper import outside_margins, words_of

from reports.datasheet import datasheet, render
from reports.errors import ReportError
from reports.sections.datasheet import _three_sigma, value
from reports.sheet import read_sheet

FAILED = {"name": "fixed.e_dis", "value": 5.0, "min": 6.0, "typ": 6.5, "max": None, "margin": -1.0, "at": "ss, -40 C, 1.62 V"}
PASSED = {"name": "rebiased.e_dis", "value": 6.2, "min": 6.0, "typ": None, "max": None, "margin": 0.2, "at": "ff, 27 C, 1.8 V"}
LIMITS = [{**FAILED, "passed": False}, {**PASSED, "passed": True}]


def _extremes() -> pd.DataFrame:
    common = {"group": "neuron", "min_at": "a", "max_at": "b", "worst_at": "ss, -40 C, 1.62 V", "circuits": 4}
    rows = [
        {"mode": mode, "parameter": name, "what": what, "unit": unit, "min": 0.5 * typ, "typ": typ, "max": 2 * typ, **common}
        for mode in ("fixed", "rebiased")
        for name, what, unit, typ in (("e_dis", "reversal of the discharger", "", 6.5), ("spike_s", "output spike", "s", 1e-6))
    ]
    return pd.DataFrame(rows).assign(rerun="cosim sweep x --only 'corner=ss'")


def _pvt() -> pd.DataFrame:
    rows = [
        ("fixed", corner, t, 1.8, f"{corner} {t}", name, v)
        for corner in ("tt", "ss_hh")
        for t in (-40.0, 27.0)
        for name, v in (("e_dis", 6.0), ("spike_s", 1e-6 * (1 + t / 100)))
    ]
    return pd.DataFrame(rows, columns=["mode", "corner", "temperature_c", "supply_v", "condition", "parameter", "value"])


def _dies() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    spikes = 1e-6 * np.exp(0.1 * generator.standard_normal(40))
    spikes[7] = np.nan
    return pd.DataFrame({"seed": range(40), "e_dis": 6.5 + 0.1 * generator.standard_normal(40), "spike_s": spikes})


def _statistics() -> pd.DataFrame:
    common = {"dies": 39, "missing": 1, "sigma": 0.1, "sigma_low": 0.08, "sigma_high": 0.13, "sigma_die": 0.06, "group": "neuron"}
    rows: list[dict[str, Any]] = []
    for model_set, device in (("continuous", 0.08), ("binned", np.nan)):
        for name, unit, scale, mean in (("e_dis", "", "linear", 6.5), ("spike_s", "s", "log", 1e-6)):
            own = {"model_set": model_set, "parameter": name, "mean": mean, "sigma_device": device, "what": name, "unit": unit}
            rows.append({**common, **own, "scale": scale, "q0.00135": 0.9 * mean, "q0.5": mean, "q0.99865": 1.1 * mean})
    constant = {"parameter": "constant_v", "sigma": 0.0, "sigma_low": 0.0, "sigma_high": 0.0, "scale": "linear", "unit": "V"}
    return pd.DataFrame([*rows, {**rows[0], **constant}])


def _ladder() -> pd.DataFrame:
    rows = [
        ("ideal", 0, 0.12, 0.123, 0.479),
        ("+ reversal", 2, 0.0121, 0.0154, 0.0426),
        ("hardware model", 0, 5e-4, 6e-4, 1.75e-3),
    ]
    return pd.DataFrame(rows, columns=["rung", "fitted_parameters", "fit_rms_v", "held_out_rms_v", "held_out_worst_v"])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "datasheet"
    folder.mkdir()
    (tmp_path / "design.toml").write_text('name = "x"\ntitle = "A <cell> & more"\n')
    record = {
        "conditions": 4,
        "dies": 40,
        "points": 80,
        "failed_points": 1,
        "statistics": "foundry's deck",
        "versions": {"ngspice": "39"},
    }
    (folder / "datasheet.json").write_text(json.dumps(record))
    (folder / "limits.json").write_text(json.dumps(LIMITS))
    outlier = {"parameter": "e_dis", "seed": 17, "value": 9.0, "sigmas": 6.1, "rerun": "cosim sweep x --only seed=17"}
    failure = {"measurement": "sensing", "condition": "corner=ss", "reason": "timeout", "rerun": "cosim again"}
    tables = {
        "extremes": _extremes(), "pvt": _pvt(), "dies": _dies(), "statistics": _statistics(), "outliers": pd.DataFrame([outlier]),
        "failures": pd.DataFrame([failure]),
        "ladder": _ladder(),
        "unreached": pd.DataFrame(columns=["condition", "weight", "wanted", "lowest", "highest"]),
    }  # fmt: skip
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return tmp_path


def _keep_only(run: Path, *tables: str) -> None:
    """Leave a datasheet with these tables alone: a page without figures is made in no time."""
    for path in run.rglob("*.parquet"):
        if path.stem not in tables:
            path.unlink()


def test_the_page_says_what_the_tables_say(run: Path) -> None:
    text = render(read_sheet(run))
    assert "A &lt;cell&gt; &amp; more" in text and "cosim datasheet" in text
    words = re.sub(r"<[^>]+>", " ", text)
    assert "ss, -40 C, 1.62 V" in words and "fixed.e_dis" in words
    assert len(re.findall(r"mark-fail", text)) > len(re.findall(r"\.mark-fail", text)), "a failed limit is marked"
    assert "1 of 2" in words and "timeout" in words and "cosim again" in words and "cosim sweep x --only seed=17" in words
    assert "0.100 ln" in words, "sigma of what is spread over factors is that of its logarithm"
    assert "1 without" not in words and "binned" in words
    assert "for 39 dies have no quantile 0.00135" in words and "±3 σ: median or mean and 3 times σ" in words
    assert "Weights out of reach" not in words, "nothing was out of reach"
    assert "15.4 mV" in words and "12.1 mV" in words and "500 µV" not in words, (
        "what was fitted to nothing has no error of the fit"
    )
    assert text.count("<svg") >= 4 and "http" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", text)


def test_missing_tables_drop_their_sections(run: Path) -> None:
    for name in ("dies", "statistics", "outliers", "pvt", "failures"):
        (run / f"datasheet/{name}.parquet").unlink()
    text = render(read_sheet(run))
    assert "Monte Carlo</h2>" not in text and "Points that failed" not in text and "Parameters</h2>" in text


@pytest.mark.parametrize("rerun", [None, ""])
def test_points_that_failed_without_a_known_command_are_listed_all_the_same(run: Path, rerun: str | None) -> None:
    """As in run directories of earlier versions, and where Python asked and no command did."""
    file = run / "datasheet/failures.parquet"
    table = pd.read_parquet(file)
    _keep_only(run, "failures")
    (table.drop(columns="rerun") if rerun is None else table.assign(rerun=rerun)).to_parquet(file)
    text = render(read_sheet(run))
    assert "timeout" in text and "Tries them again" not in text


def test_written_files_are_whole_and_the_pdf_is_one(run: Path) -> None:
    _keep_only(run, "extremes", "ladder")
    made = datasheet(run)
    assert list(made) == ["datasheet.html", "datasheet.pdf"] and not list(run.glob("datasheet.*")), "who asked writes them"
    html, pdf = made.values()
    assert html.startswith(b"<!DOCTYPE html>") and html.rstrip().endswith(b"</html>")
    assert pdf.startswith(b"%PDF") and pdf.rstrip().endswith(b"%%EOF")


def test_no_datasheet_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"datasheet\.json: missing; `cosim characterize DESIGN` writes it"):
        read_sheet(tmp_path)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (1.4e-13, "F", "140 fF"),
        (6.5, "", "6.50"),
        (21.7, "1/V", "21.7 /V"),
        (-5.8, "V/s", "−5.80 V/s"),
        (None, "s", "–"),
        (0.0, "", "0"),
    ],
)
def test_values_carry_their_unit(number: float | None, unit: str, text: str) -> None:
    assert value(number, unit) == text


@pytest.mark.parametrize(("dies", "at", "off"), [(60, 0.40 - 3 * 0.01, 0.00598), (1000, 0.372, 0.00513)])
def test_three_sigma_has_an_interval(dies: int, at: float, off: float) -> None:
    """Of few dies sqrt(1/n + 9/(2(n - 1))) of mean + 3 sigma; of many sqrt(p(1 - p)/n) over the density at their quantile."""
    row = {
        "unit": "V",
        "dies": dies,
        "scale": "linear",
        "sigma": 0.01,
        "mean": 0.40,
        "q0.5": 0.401,
        "q0.00135": 0.372,
        "q0.99865": 0.43,
    }
    found = re.fullmatch(r"([\d.]+) mV ± ([\d.]+) mV", _three_sigma(row, -1))
    assert (
        found is not None and float(found[1]) == pytest.approx(1e3 * at) and float(found[2]) == pytest.approx(1e3 * off, rel=0.01)
    )
    assert _three_sigma({**row, "sigma": 0.1, "scale": "log"}, 1).count("×÷") == 1
    assert _three_sigma({**row, "dies": 1}, 1) == "–"


@pytest.mark.slow
def test_the_widest_table_stays_on_its_page(run: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils is not installed")
    _keep_only(run, "statistics")
    path = run / "datasheet" / "statistics.parquet"
    wide = {"parameter": "curvature_minus_per_v2", "unit": "1/V2", "mean": -0.00383, "sigma": 5.28e-4, "sigma_die": 5.07e-4}
    table = pd.read_parquet(path)
    pd.concat([table, table.head(1).assign(**wide, sigma_device=1.63e-6)]).to_parquet(path)
    pdf = run / "datasheet.pdf"
    pdf.write_bytes(datasheet(run)["datasheet.pdf"])
    pages = words_of(pdf)
    assert {"parameter", "without", "median"} <= {word for words in pages for word, *_ in words}
    assert outside_margins(pages) == []
