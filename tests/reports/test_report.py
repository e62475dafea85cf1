"""The report says what the tables say, drops what is missing, and escapes what is hostile."""

import io
import json
import re
from base64 import b64decode
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from benchmarks.report_pictures import pictures
from reports import page
from reports.errors import ReportError
from reports.figures.style import WIDE, axes, look, svg
from reports.formatting import metric
from reports.report import render, report
from reports.run import read_run
from reports.typesetting import for_paper


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<(style|svg).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)).split())


def _page(run_dir: Path) -> str:
    return _text(render(read_run(run_dir)))


def _keep_only(run_dir: Path, *tables: str) -> None:
    """Leave a run with these tables alone: a page without figures is made in no time."""
    for path in run_dir.rglob("*.parquet"):
        if str(path.relative_to(run_dir).with_suffix("")) not in tables:
            path.unlink()


def test_figures_are_drawn_to_a_hundredth_of_a_point() -> None:
    at = np.linspace(0, 1, 400)

    def wave() -> Figure:
        figure, grid = axes(1, 1, WIDE, 2.0)
        grid[0, 0].plot(at, np.sin(20 * at))
        return figure

    def coordinates(page: str) -> np.ndarray:
        lines = [np.array(re.findall(r"-?[0-9.]+", line), dtype=float) for line in re.findall(r'd="(M[^"]*)"', page)]
        return max(lines, key=len)

    with look():
        wave().savefig(buffer := io.StringIO(), format="svg")
    exact, ours = buffer.getvalue(), svg(wave)()
    assert len(coordinates(exact)) == len(coordinates(ours)) > 300
    assert np.abs(coordinates(exact) - coordinates(ours)).max() <= 0.005 + 1e-9
    assert len(ours) < 0.9 * len(exact) and "> <" not in ours and ">\n" not in ours.rstrip()


def test_on_paper_a_figure_is_an_image_of_itself_and_scripts_are_none() -> None:
    page = '<p>a</p><svg viewBox="0 0 1 1"><path d="M 0 0"/></svg><script>let a = "<svg>";</script><p>b</p><svg><g/></svg>'
    paper = for_paper(page)
    drawn = [b64decode(content).decode() for content in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', paper)]
    assert drawn == ['<svg viewBox="0 0 1 1"><path d="M 0 0"/></svg>', "<svg><g/></svg>"]
    assert re.sub("<img[^>]*>", "|", paper) == "<p>a</p>|<p>b</p>|"


def test_the_headline_is_the_metrics(run_dir: Path) -> None:
    _keep_only(run_dir)
    page = _page(run_dir)
    # metrics.json of the fixture: 5.12e-10 s, 4.12e-8 s, 80.5, 0.96; two of its three limits hold
    for shown in ("512 ps", "41.2 ns", "80.5", "96.0 %", "2 / 3", "1 of 3 limits do not pass"):
        assert shown in page, shown


def test_the_page_says_who_judged(run_dir: Path) -> None:
    _keep_only(run_dir)
    alone = _page(run_dir)
    assert "The simulator's own error is 63.0 ps." in alone and "A second simulator (" not in alone
    metrics = json.loads((run_dir / "metrics.json").read_text())
    metrics |= {"validation.second_judge_rmse_s": 1.4e-12, "validation.second_judge_samples": 3.0}
    (run_dir / "metrics.json").write_text(json.dumps({**metrics, "validation.both_judges_error_s": 6.4e-11}))
    (run_dir / "provenance.json").write_text(json.dumps({"stages": {"validate": {"second_judge": "another 1.2"}}}))
    page = _page(run_dir)
    assert "A second simulator (another 1.2)" in page and "by 1.40 ps on 3 samples. Both together: 64.0 ps." in page


def test_a_changed_metric_changes_the_page_and_the_verdict(run_dir: Path) -> None:
    _keep_only(run_dir)
    metrics = run_dir / "metrics.json"
    metrics.write_text(metrics.read_text().replace("5.12e-10", "2.5e-09"))
    page = _page(run_dir)
    assert "2.50 ns" in page
    assert "1 / 3" in page


def test_published_values_stand_beside_the_measured(run_dir: Path) -> None:
    _keep_only(run_dir, "characterization/published")
    page = _page(run_dir)
    for shown in ("39.04 ns", "1.970 ns", "19.8", "0.4075 /V", "post-layout", "schematic"):
        assert shown in page, shown


def test_a_run_in_its_layout_is_like_the_published_one(run_dir: Path) -> None:
    _keep_only(run_dir, "characterization/published")
    assert "not like for like" in _page(run_dir)
    design = run_dir / "design.toml"
    design.write_text(f"{design.read_text()}\n[process]\nlayout = true\n")
    page = _page(run_dir)
    assert "this run (post-layout)" in page and "of its own drawing" in page and "not like for like" not in page


def test_a_changed_table_changes_its_numbers(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/energy")
    before = _page(run_dir)
    path = run_dir / "validation" / "energy.parquet"
    energy = pd.read_parquet(path)
    energy.assign(energy_j=energy.energy_j * 1000).to_parquet(path)
    after = _page(run_dir)
    assert "2.22 pJ" in before
    assert "2.22 nJ" in after


def test_the_energy_of_the_model_stands_beside_that_of_the_circuit_and_runs_without_it_are_shown(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/energy")
    page = _page(run_dir)
    for shown in ("predicted by the model", "2.08 pJ", "1.23 % rms", "31.2", "823 um²", "7 fJ an operation"):
        assert shown in page, shown
    assert metric("energy.tops_per_w", 10.5) == "10.5 /W", "no watts"
    path = run_dir / "validation" / "energy.parquet"
    pd.read_parquet(path).drop(columns="model_j").to_parquet(path)
    assert "predicted by the model" not in _page(run_dir)


def test_samples_whose_labels_differ_are_listed_with_their_margins(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/labels")
    assert "12.3 ns" in _page(run_dir)


def test_a_missing_table_drops_its_part_and_says_so(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/energy", "validation/gain_search")
    page = _page(run_dir)
    for table in ("validation/spikes", "validation/waveforms", "characterization/firing", "training", "mapping"):
        assert f"{table}.parquet" in page, table
    assert "validation/energy.parquet" not in page
    assert "2.22 pJ" in page


def test_what_did_not_pass_is_named_beside_the_published_numbers(run_dir: Path) -> None:
    _keep_only(run_dir)
    page = _page(run_dir)
    assert "missed: circuit.test_accuracy (96.0 %)" in page
    for published in ("published 1.97 ns", "published 39.04 ns", "published 19.8"):
        assert published in page, published


def test_the_continuous_models_are_said_to_overstate_mismatch(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/spikes", "validation/labels")
    caveat = "continuous model set of this run overstates it"
    assert caveat not in _page(run_dir)
    record = run_dir / "provenance.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "model_set": "continuous"}))
    page = _page(run_dir)
    assert caveat in page
    assert "not of measured silicon" in page


def test_simulated_dies_stand_beside_what_the_model_expects_of_them(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/spikes", "validation/labels")
    assert "expects" not in _page(run_dir)
    metrics = json.loads((run_dir / "metrics.json").read_text())
    names = ("predicted_spike_rmse_s", "label_agreement", "predicted_label_agreement")
    added = {f"validation.mismatch.{name}": value for name, value in zip(names, (139e-9, 0.7, 0.685), strict=True)}
    (run_dir / "metrics.json").write_text(json.dumps({**metrics, **added}))
    assert "expects 139 ns and 68.5 %" in _page(run_dir).replace("\N{NO-BREAK SPACE}", " ")


def test_calibrated_dies_and_other_conditions_are_shown_where_they_were_asked_for(run_dir: Path) -> None:
    _keep_only(run_dir)
    assert "Calibrated dies" not in _page(run_dir) and "Other conditions" not in _page(run_dir)
    row = {
        "condition": "own biases, 10+6 patterns", "patterns": 16, "before_hidden_rmse_s": 9e-8, "after_hidden_rmse_s": 2e-10,
        "before_labels": 0.7, "after_labels": 1.0, "misfit": 0.3, "cpu_s": 1.6,
    }  # fmt: skip
    dies = [
        {**row, "die": 1, "before_rmse_s": 9e-8, "after_rmse_s": 3e-10},
        {**row, "die": 2, "before_rmse_s": 1.2e-7, "after_rmse_s": 4e-10},
    ]
    (run_dir / "calibration").mkdir()
    pd.DataFrame(dies).to_parquet(run_dir / "calibration/dies.parquet")
    shown = _page(run_dir)
    # rms of 90 and 120 ns, and of 300 and 400 ps
    assert "own biases, 10+6 patterns: 2 dies, 16 test patterns each" in shown
    assert "106 ns before, 354 ps after, at worst 400 ps; labels as it has them: 70.0 % before, 100.0 % after" in shown
    assert "worst die" not in shown and "in the loop" not in shown
    looped = {**dies[0], "condition": "own biases, not identified, loop 1", "after_rmse_s": 3e-8}
    pd.DataFrame([*dies, looped]).to_parquet(run_dir / "calibration/dies.parquet")
    steps = {"condition": looped["condition"], "die": 1, "step": [0, 1], "seen_rmse_s": [9e-8, 2.5e-8]}
    pd.DataFrame(steps).to_parquet(run_dir / "calibration/loop.parquet")
    shown = _page(run_dir).replace("\N{NO-BREAK SPACE}", " ")
    assert "own biases, 10+6 patterns 2 106 ns 70.0 % 354 ps 400 ps 100.0 %" in shown
    assert "own biases, not identified, loop 1 1 90, 25" in shown
    conditions = {
        "condition": "corner=ff,temperature_c=85.0",
        "biases": "fixed",
        "samples": 10,
        "rmse_s": 7.46e-7,
        "labels": 0.3,
        "accuracy": 0.3,
        "model_rmse_s": np.nan,
        "unexpected_rmse_s": np.nan,
        "out_of_range": np.nan,
    }
    on_board = {"condition": "environment.rest_shift_v=0.005", "rmse_s": 5.72e-9, "model_rmse_s": 5.61e-9}
    (run_dir / "conditions").mkdir()
    rows = [conditions, {**conditions, **on_board, "unexpected_rmse_s": 2e-10, "out_of_range": 224.0}]
    pd.DataFrame(rows).to_parquet(run_dir / "conditions/errors.parquet")
    shown = _page(run_dir).replace("\N{NO-BREAK SPACE}", " ")
    assert "corner=ff,temperature_c=85.0 fixed 10 746 ns – – 30.0 % 30.0 % –" in shown
    assert "environment.rest_shift_v=0.005 fixed 10 5.72 ns 5.61 ns 200 ps 30.0 % 30.0 % 224" in shown


def test_accuracy_over_dies_of_the_model_has_a_picture_and_a_yield(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/spikes", "validation/labels")
    assert "dies of the model" not in _page(run_dir)
    dies = {"die": [1, 2, 3, 4], "spike_rmse_s": [1e-9] * 4, "label_agreement": [1.0] * 4, "accuracy": [0.97, 0.99, 0.98, 0.90]}
    pd.DataFrame(dies).to_parquet(run_dir / "validation/model_dies.parquet")
    metrics = json.loads((run_dir / "metrics.json").read_text())
    values = {"yield": 0.75, "worst_accuracy": 0.90, "good_from": 0.95}
    metrics |= {f"validation.mismatch.predicted_{name}": value for name, value in values.items()}
    (run_dir / "metrics.json").write_text(json.dumps(metrics))
    page = _page(run_dir).replace("\N{NO-BREAK SPACE}", " ")
    assert "Test accuracy of 4 dies of the model: 96.0 % on average, 90.0 % at worst; 75.0 % reach 95.0 %" in page
    assert "Ticks: dies that were simulated" in page


def test_a_run_that_has_only_its_design_still_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "design.toml").write_text('name = "bare"\n')
    assert "not been validated" in _page(tmp_path)


@pytest.mark.slow
def test_the_pictures_of_the_readme_are_those_of_a_run(run_dir: Path) -> None:
    made = dict(pictures(run_dir))
    assert set(made) == {"membranes.png", "spike_times.png"}
    for content in made.values():
        width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
        assert content.startswith(b"\x89PNG") and (width, height > 400) == (972, True)
        assert len(content) < 40_000, "in few colours"


def test_a_failed_simulation_is_listed(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/spikes")
    row = {
        "mapping": "ode",
        "die": 2,
        "sample": 3,
        "corner": "tt",
        "seed": 5,
        "reason": "timeout",
        "message": "no answer in 300 s",
    }
    pd.DataFrame([row]).to_parquet(run_dir / "validation" / "failures.parquet")
    page = _page(run_dir)
    assert "1 simulations failed" in page
    assert "no answer in 300 s" in page


def test_hostile_text_is_escaped(run_dir: Path) -> None:
    _keep_only(run_dir)
    design = run_dir / "design.toml"
    design.write_text(design.read_text().replace("Synthetic 5-5-5", "<script>alert(1)</script>"))
    html = render(read_run(run_dir))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_words_in_a_column_of_numbers_are_one_line(run_dir: Path) -> None:
    path = run_dir / "validation" / "energy.parquet"
    pd.read_parquet(path).assign(energy_j="many").to_parquet(path)
    with pytest.raises(ReportError, match=r"energy\.parquet: column energy_j .* not numbers"):
        read_run(run_dir)


@pytest.mark.parametrize("name", ["metrics.json", "design.toml"])
def test_a_corrupt_file_is_one_line(run_dir: Path, name: str) -> None:
    (run_dir / name).write_text("{ not = = valid")
    with pytest.raises(ReportError, match=name) as error:
        report(run_dir, pdf=False)
    assert len(str(error.value).splitlines()) == 1


def _refers_to_nothing_outside(html: str) -> bool:
    return not re.search(r'(src|href)="(?!data:|#)', html) and "@import" not in html


def test_the_page_is_self_contained(run_dir: Path) -> None:
    _keep_only(run_dir, "validation/labels", "validation/gain_search", "characterization/firing")
    ((name, content),) = report(run_dir, pdf=False).items()
    html = content.decode()
    assert name == "report.html" and not (run_dir / name).exists(), "who asked writes it"
    assert html.count("<svg") >= 2 and html.count("data:image/svg+xml") == 1, "figures stand in it, drawings in their own image"
    assert _refers_to_nothing_outside(html)


def test_a_machine_without_fonts_gets_the_page_and_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pango crashes there (a segmentation fault), and took the whole command with it."""
    none = tmp_path / "fonts.conf"
    none.write_text(f"<fontconfig><dir>{tmp_path}/none</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(none))
    said: list[str] = []
    assert page.files("report", "<p>text</p>", pdf=True, say=said.append) == {"report.html": b"<p>text</p>"}
    assert len(said) == 1 and said[0].startswith("report.pdf: the typesetter crashed") and "fonts-dejavu" in said[0]
    with pytest.raises(ReportError, match="without fonts"):
        page.files("report", "<p>text</p>", pdf=True)
    monkeypatch.delenv("FONTCONFIG_FILE")
    assert page.files("report", "<p>text</p>", pdf=True)["report.pdf"].startswith(b"%PDF")


def test_a_layout_that_was_drawn_is_shown_with_its_verdicts(run_dir: Path) -> None:
    _keep_only(run_dir)
    assert "as drawn" not in _page(run_dir)
    folder = run_dir / "layout"
    folder.mkdir()
    cells = [
        {"cell": "neuron", "width_um": 20.7, "height_um": 7.28, "devices": 16, "drc_violations": [], "lvs_match": True},
        {"cell": "top", "width_um": 67.5, "height_um": 113.0, "devices": 390, "drc_violations": ["m1.1 ..."], "lvs_match": False},
    ]
    areas = {"synapse": 45.5, "neuron": 162.3, "network": 7604.2}
    wires = [{"what": "membrane", "layer": 2, "schematic_f": 28.5e-15, "least_f": 17.6e-15, "mean_f": 17.8e-15, "most_f": 18e-15}]
    by_magic = [{"cell": "top", "drc_violations": [], "lvs_match": True, "nets": 190, "c_net_error": 0.0087, "pairs": 0}]
    record = {"cells": cells, "areas_um2": areas, "bias_share_of_crossbars": 0.457, "wires": wires}
    record["gold"] = {"tools": "magic 8.3.677, netgen 1.5.323", "cells": by_magic}
    (folder / "layout.json").write_text(json.dumps(record))
    (folder / "neuron.png").write_bytes(b"\x89PNG of a neuron")
    html = render(read_run(run_dir))
    shown = _text(html)
    for said in (
        "neuron 20.7 7.28 16 0 match",
        "top 67.5 113 390 1 mismatch",
        "a synapse in its row",
        "45.5",
        "45.7 %",
        "membrane 2 28.5 17.8 17.6 18",
        "The same by magic 8.3.677, netgen 1.5.323",
        "top 0 match 190 0.9 % 0 –",
    ):
        assert said in shown, said
    assert html.count("data:image/png") == 1
    (folder / "neuron.png").write_bytes(b"no picture")
    with pytest.raises(ReportError, match=r"neuron\.png: is no PNG picture"):
        read_run(run_dir)
