"""The page to sign says what was claimed, asked for, left out and used, as the run has it."""

from __future__ import annotations

import hashlib
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.report import render
from reports.run import read_run

OPTIONS = ".options reltol=1e-06 abstol=1e-13 method=trap .temp 27.0"


def review(run_dir: Path) -> str:
    """The text of the page; tables of the fixture are left out, which other sections draw."""
    for path in run_dir.rglob("*.parquet"):
        if path.parent.name not in ("conditions", "calibration"):
            path.unlink()
    html = render(read_run(run_dir))
    section = html[html.index('<section id="review" class="page">') :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", section)).replace("\N{NO-BREAK SPACE}", " ").split())


def change(path: Path, **values: Any) -> None:
    path.write_text(
        json.dumps({**json.loads(path.read_text()), **{name.replace("__", "."): one for name, one in values.items()}})
    )


def test_the_claim_is_of_the_metrics_and_limits_come_with_what_they_ask(run_dir: Path) -> None:
    text = review(run_dir)
    assert "Claim: of the design “Synthetic 5-5-5”, as its schematic" in text
    assert "to 512 ps rms on 12 test samples, and 96.0 % of the circuit's labels are right." in text
    failed, passed = (
        text.index("circuit.test_accuracy 96.0 % ≥ 99.0 % ✗ fail"),
        text.index("validation.error_ratio 80.5 ≥ 20 ✓ pass"),
    )
    assert failed < passed, "what does not pass comes first"
    assert "numerical error of the simulations 63.0 ps" in text
    assert [word in text for word in ("reviewer", "signature", "accepted with remarks", "not accepted")] == [True] * 4


def test_a_run_without_validation_has_nothing_to_sign(run_dir: Path) -> None:
    (run_dir / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match="substring not found"):
        review(run_dir)


def test_what_is_not_claimed_follows_from_what_was_not_done(run_dir: Path) -> None:
    text = review(run_dir)
    assert "a schematic in which 32.0 fF on every membrane stands for them" in text
    for said in ("simulated at one", "no die was simulated", "none measured on a chip", "every waveform is ngspice's"):
        assert said in text, said
    change(
        run_dir / "metrics.json", validation__mismatch_dies=24.0, validation__second_judge_rmse_s=6e-12,
        validation__silent_skipped_share=0.31, simulation__failed_points=2.0,
    )  # fmt: skip
    change(run_dir / "provenance.json", hardware="measured")
    (run_dir / "design.toml").write_text((run_dir / "design.toml").read_text() + "\n[process]\nlayout = true\n")
    (run_dir / "conditions").mkdir()
    row = {
        "biases": "fixed", "samples": 10, "labels": 0.3, "accuracy": 0.3, "model_rmse_s": 0.0, "unexpected_rmse_s": 0.0,
        "out_of_range": 0.0,
    }  # fmt: skip
    rows = [{"condition": "corner=ss", "rmse_s": 1e-9, **row}, {"condition": "corner=ff", "rmse_s": 7.46e-7, **row}]
    pd.DataFrame(rows).to_parquet(run_dir / "conditions/errors.parquet")
    text = review(run_dir)
    assert "extracted from its layout" in text and "worst of 2 other conditions: corner=ff, fixed 746 ns" in text
    for said in ("schematic in which", "simulated at one", "no die was simulated", "none measured on a chip", "every waveform"):
        assert said not in text, said
    for said in ("that were simulated: 24; none", "31.0 % of them", "2 simulations failed", "the parameters are measured"):
        assert said in text, said


def test_options_of_the_simulator_stand_once_with_the_stages_that_share_them(run_dir: Path) -> None:
    finer = OPTIONS.replace("1e-06", "9.999999999999999e-08") + " .options noopiter"
    stages = {
        "map": {"solver_options": [OPTIONS], "ngspice": "39"},
        "validate": {"solver_options": [OPTIONS, finer], "ngspice": "39"},
    }
    change(run_dir / "provenance.json", stages=stages)
    text = review(run_dir)
    assert "stages reltol abstol method temp others" in text
    assert "map, validate 1e-06 1e-13 trap 27" in text and "validate 1e-07 1e-13 trap 27 noopiter on" in text


def test_decks_and_metrics_come_with_their_digests(run_dir: Path) -> None:
    folder = run_dir / "netlist"
    folder.mkdir()
    (folder / "ode_sample_0.spice").write_bytes(deck := b"ode network\n.end\n")
    (folder / ".spiceinit").write_text("* a remark\nset ngbehavior=hsa\n")
    change(run_dir / "provenance.json", stages={"validate": {"decks_sha256": "ab" * 32, "points": 1471}, "train": {"points": 0}})
    text = review(run_dir)
    assert f"all 1471 of validate {'ab' * 32} netlist/ode_sample_0.spice {hashlib.sha256(deck).hexdigest()}" in text
    assert "ngspice version 39, options reltol 3e-06; set ngbehavior=hsa" in text and "a remark" not in text
    assert hashlib.sha256((run_dir / "metrics.json").read_bytes()).hexdigest() in text


def test_devices_are_listed_by_their_cells_with_sizes_and_totals(run_dir: Path) -> None:
    rows = [
        ("synapse", "weight", "res", "resistor", 0.35, 30.0, 1, 4),
        ("synapse", "weight", "res", "resistor", 0.35, 300.0, 1, 2),
        ("neuron", "reset_n", "nfet", "nmos_low_threshold", 0.42, 0.15, 1, 10),
        ("synapse", "cell", "own", "netlist", float("nan"), float("nan"), 1, 50),
    ]
    columns = ["cell", "device", "model", "role", "width_um", "length_um", "units", "count"]
    for path in run_dir.rglob("*.parquet"):
        path.unlink()
    pd.DataFrame(rows, columns=columns).to_parquet(run_dir / "devices.parquet")
    text = " ".join(re.sub(r"<[^>]+>", " ", render(read_run(run_dir))).split())
    assert "synapse weight res 0.350 30 … 300 1 6" in text and "neuron reset_n nfet 0.420 0.150 1 10" in text
    assert "synapse cell own – – 1 50" in text
    assert "Device list: 10 transistors, 6 resistors, 50 cells." in text
