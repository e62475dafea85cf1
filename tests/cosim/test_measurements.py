"""What a sweep makes of waveforms, without a simulator; and that every measurement makes decks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.characterize.measurements.leakage import current_of_membrane
from cosim.characterize.measurements.synapse_current import over_membrane
from cosim.design import load_design
from cosim.design.cells import sizes_by_key
from cosim.errors import InputError
from cosim.simulator import Waveforms
from netlists.section import FetSize, fet

MISMATCH_ON = re.compile(r"\b(mc_mm_switch|sw_stat_mismatch) = 1\b")
DESIGNS = sorted((Path(__file__).parents[2] / "designs").glob("*.toml"))


def test_a_straight_line_gives_its_own_parameters() -> None:
    volts = np.linspace(0.5, 1.3, 9)
    row = over_membrane(Waveforms(volts, {"i(vmembrane)": -30e-9 * (1 + 0.4 * (volts - 1.3))}), rest_v=1.3)
    assert row["current_a"] == pytest.approx(30e-9)
    assert row["lambda_per_v"] == pytest.approx(0.4)
    assert row["residual_fraction"] < 1e-9


def test_a_current_into_the_membrane_has_lambda_positive_towards_its_rail() -> None:
    volts = np.linspace(0.5, 1.3, 9)
    row = over_membrane(Waveforms(volts, {"i(vmembrane)": 30e-9 * (1 - 0.7 * (volts - 1.3))}), rest_v=1.3)
    assert row["current_a"] == pytest.approx(-30e-9)
    assert row["lambda_per_v"] == pytest.approx(-0.7)


def test_leakage_is_what_flows_out() -> None:
    assert current_of_membrane(Waveforms(np.zeros(1), {"i(vmembrane)": np.array([-2e-14])})) == {"leakage_a": 2e-14}


@pytest.mark.parametrize("name", MEASUREMENTS)
@pytest.mark.parametrize("design", DESIGNS, ids=lambda path: path.stem)
def test_every_measurement_works_on_every_design(name: str, design: Path) -> None:
    loaded = load_design(design)
    bench = Bench(loaded, loaded.process.pdk(), None, statistics=True)
    points = list(MEASUREMENTS[name].points(bench))
    assert points and all(MISMATCH_ON.search(point.deck.library.lower()) for point in points)


@pytest.mark.parametrize(
    ("key", "size", "measurement", "complaint"),
    [
        ("synapse.nmos", (0.1, 0.25), "synapse_current", "W = 0.1 um; it must lie between 0.42 and 100 um"),
        ("neuron.discharger", (1.0, 500.0), "resting_neuron", "L = 500 um; it must lie between 0.15 and"),
        ("neuron.membrane_capacitor_um", (0.5, 7.0), "resting_neuron", "W = 0.5 um; it must lie between"),
    ],
)
def test_a_size_that_no_device_has_is_told_by_its_key(
    key: str, size: tuple[float, float], measurement: str, complaint: str
) -> None:
    """As the first deck is made, before anything is simulated."""
    design = load_design(DESIGNS[0].with_name("iris_5_5_5.toml"))
    section, field = key.split(".")
    own = getattr(design, section)
    value = fet(*size) if isinstance(getattr(own, field), FetSize) else size
    changed = design.model_copy(update={section: own.model_copy(update={field: value})})
    with pytest.raises(InputError, match=rf"^{key}: .*{complaint}"), sizes_by_key(changed):
        list(MEASUREMENTS[measurement].points(Bench(changed, changed.process.pdk(), None)))
