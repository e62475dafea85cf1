"""All measurements of one design in order, and the HardwareModel they give. No trained weight and no data sample goes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.characterize import discharger, firing, membrane_charge, switching, synapse_current
from cosim.characterize.assembly import Found, hardware_model
from cosim.characterize.membrane_charge import Membrane, loaded_membrane
from cosim.characterize.published import published_comparison
from cosim.errors import CosimError
from cosim.simulator import Point
from netlists.crossbar import Cells
from netlists.synapse import SIGNS, SynapseSetting
from training.hardware import Curve, HardwareModel

BIAS_STEPS = 9
UNLOADED_AT = np.array([0.25, 0.5, 0.75])
"""Displacements (thresholds) at which the delay of the load on the output line is measured."""


class CharacterizationError(CosimError):
    """Too many points of a measurement failed."""

    exit_code = 3


@dataclass(frozen=True)
class Characterization:
    """What characterisation gives: the model and the tables its parameters come from."""

    hardware: HardwareModel
    tables: dict[str, pd.DataFrame]


def characterize(bench: Bench, progress: Callable[[str], None] = lambda _: None) -> Characterization:
    """Run every measurement of the design and extract its HardwareModel.

    Raises `CharacterizationError` if a measurement has lost too many of its points.
    """
    size = _column_size(bench)
    progress("synapse currents, membrane charge, discharger bias")
    static = _static_measurements(bench, size)
    cells = with_bias(bench.cells(), static.discharger_bias_v)
    progress("firing phase")
    fired, unloaded, discharger_iv = _firing_measurements(bench, cells, size, static)
    membrane = loaded_membrane(static.charge, fired, size.synapses, cells.neuron.rest_v, cells.timing.phase_s)
    fits = synapse_current.fit_synapses(bench, static.iv, membrane)
    firing_curve = firing.firing_curve(fired, membrane)
    progress("switching charges")
    switching_table, idle = _switching_measurements(bench, cells, size, fits, membrane, firing_curve)
    discharger_fit = discharger.fit_discharger(discharger_iv, membrane)
    found = Found(static.charge, membrane, fits, switching_table, idle, fired, unloaded, firing_curve, discharger_fit)
    hardware = hardware_model(bench, cells, size, found)
    tables = {
        "synapse_iv": synapse_current.with_fit(static.iv, fits, membrane),
        "synapse_fit": fits.drop(columns="intercept_a"),
        "discharger_iv": discharger_iv.assign(
            fit_a=discharger_fit.line(membrane.displacement(discharger_iv.membrane_v.to_numpy()))
        ),
        "membrane": static.charge,
        "firing": firing.firing_table(fired, membrane, hardware),
        "switching": switching_table,
        "published": published_comparison(hardware, fits, discharger_iv),
    }
    return Characterization(hardware, tables)


def _column_size(bench: Bench) -> ColumnSize:
    """Columns as in the network; where its layers differ, the larger."""
    network = bench.design.network
    return ColumnSize(max(network.inputs, network.hidden), max(network.hidden, network.outputs))


@dataclass(frozen=True)
class _Static:
    """What needs nothing else to be known first."""

    iv: pd.DataFrame
    charge: pd.DataFrame
    discharger_bias_v: float
    threshold_v: float


def _survivors(what: str, points: list[Point], rows: list[dict[str, Any] | None], at_least: int) -> list[dict[str, Any]]:
    """Rows of the points that worked, each with its condition."""
    alive = [{**point.condition, **row} for point, row in zip(points, rows, strict=True) if row is not None]
    if len(alive) < at_least:
        raise CharacterizationError(
            f"{what}: {len(points) - len(alive)} of {len(points)} simulations failed; see characterization/failures.parquet"
        )
    return alive


def _static_measurements(bench: Bench, size: ColumnSize) -> _Static:
    biases = np.linspace(*bench.design.neuron.discharger_bias_v, BIAS_STEPS)
    groups: dict[str, list[Point]] = {
        "iv": list(synapse_current.points(bench)),
        "charge": list(membrane_charge.points(bench, size.synapses)),
        "bias": list(discharger.bias_points(bench, size, biases)),
        "threshold": [discharger.threshold_point(bench, bench.cells())],
    }
    rows = dict(zip(groups, _split(bench.run([point for group in groups.values() for point in group]), groups), strict=True))
    spikes = _survivors("discharger bias", groups["bias"], rows["bias"], 3)
    threshold = _survivors("static threshold", groups["threshold"], rows["threshold"], 1)[0]["threshold_v"]
    if not np.isfinite(threshold):
        raise CharacterizationError("static threshold: the neuron's output never spikes; check the sizes of its sensing inverter")
    for sign in SIGNS:
        alive = [r for p, r in zip(groups["iv"], rows["iv"], strict=True) if r is not None and p.condition["sign"] == sign]
        if len(alive) < 4:
            raise CharacterizationError(f"synapse current, sign {sign:+d}: fewer than 4 codes could be simulated")
    iv = synapse_current.iv_table(groups["iv"], rows["iv"])
    synapse_current.check_currents(iv, bench.design.neuron.rest_v)
    return _Static(
        iv,
        membrane_charge.charge_table(groups["charge"], rows["charge"]),
        discharger.bias_for_phase(
            np.array([row["bias_v"] for row in spikes]), np.array([row["spike_s"] for row in spikes]), bench.design.timing.phase_s
        ),
        float(threshold),
    )


def _split(rows: list[Any], groups: dict[str, list[Point]]) -> list[list[Any]]:
    ends = np.cumsum([len(group) for group in groups.values()])
    return [rows[end - len(group) : end] for end, group in zip(ends, groups.values(), strict=True)]


def _firing_measurements(
    bench: Bench, cells: Cells, size: ColumnSize, static: _Static
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Firing phases of a loaded column, a few of them without the load on the output line, and the discharger's current."""
    rest = cells.neuron.rest_v
    swing_c = membrane_charge.capacitance_f(static.charge, size.synapses, rest, static.threshold_v) * (rest - static.threshold_v)
    charges = firing.charge_grid_c(swing_c, bench.design.characterization.firing_points)
    fire_points = list(firing.points(bench, cells, size, charges, static.threshold_v))
    fire_points += firing.points(bench, cells, size._replace(fan_out=0), UNLOADED_AT * swing_c, static.threshold_v)
    iv_point = discharger.iv_point(bench, cells)
    rows = bench.run([*fire_points, iv_point])
    fired = pd.DataFrame(_survivors("firing phase", fire_points, rows[:-1], len(fire_points) // 2)).drop(columns="measurement")
    iv = pd.DataFrame(_survivors("discharger current", [iv_point], rows[-1:], 1)[0])[["membrane_v", "current_a"]]
    loaded = fired.fan_out > 0
    return fired[loaded], fired[~loaded], iv


def _switching_measurements(
    bench: Bench, cells: Cells, size: ColumnSize, fits: pd.DataFrame, membrane: Membrane, firing_curve: Curve
) -> tuple[pd.DataFrame, switching.IdleSynapse]:
    """Charges of each code, and of a synapse that is off."""
    swing = membrane.capacitance_f * membrane.v_th_v
    fired_from = firing.inverse(firing_curve)
    reference = switching.TAIL_REFERENCE_PHASES * cells.timing.phase_s

    def charges(responses: list[dict[str, Any]], current_a: float, reversal_v: float) -> tuple[float, float, float]:
        return switching.switching_charges(
            responses,
            lambda voltage: float(membrane.displacement(voltage)),
            fired_from,
            current_a, reversal_v, membrane.capacitance_f, reference,
        )  # fmt: skip

    swept = [(SynapseSetting(fit.sign, float(fit.code)), float(fit.weight)) for fit in fits.itertuples()]
    groups = [list(switching.points(bench, cells, size, *one, swing)) for one in [*swept, (None, 0.0)]]
    rows = bench.run([point for group in groups for point in group])
    responses = [rows[2 * k : 2 * k + 2] for k in range(len(groups))]
    table = [
        [fit.sign, fit.code, fit.current_a, fit.weight, *charges(pair, fit.intercept_a, fit.sign * fit.reversal_v)]
        for fit, pair in zip(fits.itertuples(), responses[:-1], strict=True)
        if _both(pair)
    ]
    if len(table) < len(fits) // 2 or not _both(responses[-1]):
        raise CharacterizationError(
            "switching charges: more than half of the simulations failed; see characterization/failures.parquet"
        )
    columns = ["sign", "code", "current_a", "weight", "charge_on_c", "charge_off_c", "charge_off_tail_c"]
    measured = pd.DataFrame(table, columns=columns)
    check_switched(measured, fits)
    return measured, switching.IdleSynapse(*charges(responses[-1], 0.0, 1.0), responses[-1][0]["rise_s"])


def check_switched(measured: pd.DataFrame, fits: pd.DataFrame) -> None:
    """Raises `CharacterizationError` unless the weakest and the strongest code of each sign have their charges."""
    for sign, own in fits.groupby("sign"):
        known = measured[measured.sign == sign].code
        for code, current in own.sort_values("current_a")[["code", "current_a"]].to_numpy()[[0, -1]]:
            if code not in set(known):
                raise CharacterizationError(
                    f"switching charges, sign {sign:+d}: none for code {code:g} ({current:.3g} A at rest): its simulation "
                    "failed, or the neuron does not fire with it; choose a smaller range of codes"
                )


def _both(pair: list[dict[str, Any] | None]) -> TypeGuard[list[dict[str, Any]]]:
    return all(row is not None and np.isfinite(row["spike_s"]) for row in pair)
