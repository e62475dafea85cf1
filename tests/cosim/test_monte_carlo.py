"""Statistics over dies: against known distributions, and against dies of the real models."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.datasheet.monte_carlo import on_scale, outliers, shared, spread, statistics_of, variation
from cosim.datasheet.parameters import no_values
from cosim.design import load_design
from cosim.simulator import Point, WorkerPool, simulate
from netlists.errors import GeometryError
from netlists.models.pruning import prune, without_process
from netlists.models.uses import DeviceUse
from sky130_models.corners import Corner, ModelSet
from sky130_models.pdk import NAMES, find_pdk
from sky130_models.process import Sky130Section

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"


def test_sigma_interval_covers_as_often_as_it_says() -> None:
    generator, hits = np.random.default_rng(0), 0
    for _ in range(400):
        found = spread("threshold_v", 0.43 + 0.01 * generator.standard_normal(60))
        assert found is not None
        hits += found.sigma_low <= 0.01 <= found.sigma_high
    assert 0.92 < hits / 400 < 0.98


def test_currents_are_judged_by_their_logarithm() -> None:
    values = 1e-8 * np.exp(0.25 * np.random.default_rng(1).standard_normal(4000))
    found = spread("current_plus_middle_a", values)
    assert found is not None
    assert found.sigma == pytest.approx(0.25, rel=0.05) and found.mean == pytest.approx(1e-8, rel=0.02)
    assert found.quantiles[3] == pytest.approx(np.median(values)) and list(found.quantiles) == sorted(found.quantiles)


def test_dies_without_a_value_are_counted_not_averaged() -> None:
    found = spread("spike_s", np.array([1e-6, np.nan, 1.1e-6, 0.9e-6]))
    assert found is not None and (found.dies, found.missing) == (3, 1)
    assert spread("spike_s", np.array([1e-6, np.nan])) is None
    assert np.isnan(on_scale("spike_s", np.array([-1.0])))[0]


def test_outliers_are_named_by_their_seed() -> None:
    values = 0.43 + 0.01 * np.random.default_rng(2).standard_normal(500)
    values[123] = 0.53
    (found,) = outliers("threshold_v", np.arange(1000, 1500), values)
    assert (found.seed, found.value) == (1123, 0.53) and found.sigmas == pytest.approx(10, rel=0.15)


def test_die_and_device_come_apart_with_their_correlations() -> None:
    generator, seeds = np.random.default_rng(3), np.arange(4000)
    die, device = generator.standard_normal((2, 4000)), generator.standard_normal((2, 4000))
    names = ("threshold_v", "current_plus_middle_a")
    linear_die, linear_device = 0.01 * die[0], 0.005 * device[0]
    log_die, log_device = -0.1 * die[0] + 0.05 * die[1], 0.2 * device[1]
    nothing = {name: np.full(4000, np.nan) for name in no_values()}
    everything = {**nothing, names[0]: 0.43 + linear_die + linear_device, names[1]: 1e-8 * np.exp(log_die + log_device)}
    alone = {**nothing, names[0]: 0.43 + linear_device, names[1]: 1e-8 * np.exp(log_device)}
    nominal = {**no_values(), names[0]: 0.43, names[1]: 1e-8}
    few = {name: column[:1000] for name, column in alone.items()}
    found = variation(nominal, (seeds, everything), (seeds[:1000], few), statistics_of(Sky130Section()))
    assert found is not None and found.names == (names[1], names[0]) and found.dies == 1000
    assert found.sigma(names[0]) == pytest.approx((0.01, 0.005), rel=0.08)
    assert found.sigma(names[1]) == pytest.approx((np.hypot(0.1, 0.05), 0.2), rel=0.08)
    matrix = np.array(found.die_covariance)
    assert matrix[0, 1] / np.sqrt(matrix[0, 0] * matrix[1, 1]) == pytest.approx(-0.1 / np.hypot(0.1, 0.05), abs=0.03)
    assert found.source.startswith("continuous SKY130 models")
    own = Sky130Section(library="libs/my.lib", sections={Corner.TT: "TYP"})
    assert statistics_of(own) == "random numbers as my.lib draws them"
    one = spread(names[0], everything[names[0]])
    assert one is not None
    (told,) = shared([one], found)
    assert (told.sigma_die, told.sigma_device) == found.sigma(names[0])


def test_a_failed_point_costs_its_die_and_a_parameter_that_many_dies_lack_itself() -> None:
    seeds, draw = np.arange(200), np.random.default_rng(4)
    values = {name: draw.standard_normal((2, 200)) for name in ("threshold_v", "e_dis", "v_th_v")}
    values["threshold_v"][0, 7] = np.nan  # one point failed
    values["e_dis"][1, :20] = np.nan
    nothing = {name: np.full(200, np.nan) for name in no_values()}
    everything, alone = ({**nothing, **{name: pair[k] for name, pair in values.items()}} for k in (0, 1))
    nominal = {**no_values(), **dict.fromkeys(values, 1.0)}
    found = variation(nominal, (seeds, everything), (seeds, alone), "")
    assert found is not None and set(found.names) == {"threshold_v", "v_th_v"} and found.dies == 199
    kept = np.delete(values["threshold_v"], 7, axis=1)
    assert found.sigma("threshold_v") == pytest.approx((np.std(kept[0] - kept[1], ddof=1), np.std(kept[1], ddof=1)))
    assert variation(nominal, (seeds, nothing), (seeds, nothing), "") is None
    assert variation(nominal, (seeds, everything), (seeds + 200, alone), "") is None


def test_the_binned_set_draws_its_process_where_it_has_one() -> None:
    pdk, uses = find_pdk(ModelSet.BINNED), [DeviceUse("sky130_fd_pr__nfet_01v8", 1.0, 0.25)]
    drawn = prune(pdk, Corner.TT, uses, mismatch=True, process=True).text
    assert "corner mc" in drawn and "lvn_threshold = 0.0 + MC_PR_SWITCH*AGAUSS" in drawn
    assert len(drawn) < 60_000, "parameters of devices that are not in use stay out"
    assert ".param mc_pr_switch = 1" in drawn and ".param mc_pr_switch = 0" in without_process(drawn, NAMES)
    with pytest.raises(GeometryError):
        prune(pdk, Corner.TT, [DeviceUse("sky130_fd_pr__pfet_01v8", 1.0, 0.47)], process=True)


@pytest.mark.slow
@pytest.mark.parametrize("model_set", ModelSet)
def test_process_moves_all_devices_of_a_die_and_mismatch_each(model_set: ModelSet) -> None:
    """Two synapses on one die: without process their currents are independent, with it (binned set) they move together."""
    design = load_design(DESIGN)
    process = design.process.model_copy(update={"model_set": model_set})
    design = design.model_copy(update={"process": process, "characterization": design.characterization})
    bench = Bench(design, find_pdk(model_set), None, statistics=True)
    nmos, *_, pmos = MEASUREMENTS["synapse_current"].datasheet_points(bench)
    currents = {}
    with WorkerPool(jobs=2) as pool:
        for name, library in (("all", str), ("device", partial(without_process, names=NAMES))):
            for point in (nmos, pmos):
                deck = dataclasses.replace(point.deck, library=library(point.deck.library))
                outcomes = simulate([Point({}, deck.with_seed(seed), point.extract) for seed in range(80)], pool=pool)
                currents[name, point.condition["sign"]] = np.log([abs((one.row or {})["current_a"]) for one in outcomes])
    device = {sign: currents["device", sign] for sign in (1, -1)}
    die = {sign: currents["all", sign] - device[sign] for sign in (1, -1)}
    assert abs(np.corrcoef(device[1], device[-1])[0, 1]) < 0.35, "mismatch of two devices is independent"
    assert all(0.1 < one.std() < 0.8 for one in device.values())
    if model_set is ModelSet.BINNED:
        assert all(one.std() > 0.1 for one in die.values()), "and its transistors have process variation"
    else:
        assert die[1].std() < 0.1, "the continuous set's process hardly moves an NMOS"
    total = currents["all", -1].var()
    assert total == pytest.approx(device[-1].var() + die[-1].var(), rel=0.45), "die and device add up"
