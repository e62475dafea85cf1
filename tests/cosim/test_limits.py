"""Limits: inclusive, zero counts, a missing metric fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.design.metric_names import is_metric, nearest
from cosim.design.sections import Limit
from cosim.runs.limits import judge


@pytest.mark.parametrize(
    ("limit", "value", "passed"),
    [
        (Limit(max=2.0), 2.0, True),
        (Limit(max=2.0), 2.0000001, False),
        (Limit(min=0.0), 0.0, True),
        (Limit(min=0.0), -1e-30, False),
        (Limit(max=0.0), 1e-30, False),
        (Limit(min=1.0, max=2.0), 1.5, True),
        (Limit(min=1.0, max=2.0), 0.5, False),
        (Limit(max=2.0), None, False),
        (Limit(max=2.0), float("nan"), False),
    ],
)
def test_verdict(limit: Limit, value: float | None, passed: bool) -> None:
    metrics = {} if value is None else {"a.b": value}
    [verdict] = judge({"a.b": limit}, metrics)
    assert verdict.passed is passed
    assert verdict.name == "a.b"


def test_every_metric_that_a_run_gives_can_have_a_limit() -> None:
    """What the stages write, as the sources say it; a name that they do not is refused with the likeliest one."""
    written = set[str]()
    for file in ("cosim/validation/metrics.py", "cosim/validation/mismatch.py", "cosim/validation/simulate.py",
                 "cosim/cost/figures.py", "cosim/networks/training.py", "cosim/pipeline/work/characterize.py",
                 "cosim/pipeline/work/map_weights.py", "cosim/pipeline/execution.py"):  # fmt: skip
        text = (Path(__file__).parents[2] / file).read_text()
        groups = "characterization|training|mapping|validation|circuit|energy|cost|time|simulation"
        written |= set(re.findall(rf'"((?:{groups})\.[a-z_0-9.]+)"', text))
    assert len(written) > 30 and [name for name in sorted(written) if not is_metric(name)] == ["mapping.parquet"]
    assert all(is_metric(f"validation.{name}.layer_12_spike_rmse_s") for name in ("ode", "conventional"))
    assert not is_metric("validation.ode.layer_0_spike_rmse_s") and not is_metric("circuit.test_accuracy2")
    assert nearest("circuit.test_acuracy")[0] == "circuit.test_accuracy"
