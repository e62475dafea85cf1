"""All measurements of one design in order, and the HardwareModel they give. No trained weight and no data sample goes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.bench.lines import DISCHARGER_THRESHOLDS, line_within
from cosim.bench.results import Results
from cosim.characterize import firing, leakage, switching, synapse_fit, synapse_load
from cosim.characterize.assembly import Found, column_hardware, hardware_model
from cosim.characterize.discharger import bias_for_phase
from cosim.characterize.measurements import discharger_current, firing_time, membrane_ramp
from cosim.characterize.measurements.switching_threshold import switching_threshold
from cosim.characterize.membrane import Membrane, capacitance_f, charge_table, loaded_membrane
from cosim.characterize.published import published_comparison
from cosim.errors import CosimError
from cosim.simulator import Point
from netlists.crossbar import Cells
from netlists.synapse import SIGNS, SynapseSetting
from training.errors import first_problem
from training.hardware import ColumnHardware, Curve, HardwareModel

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


def characterize(
    bench: Bench, progress: Callable[[str], None] = lambda _: None, sizes: Sequence[ColumnSize] = ()
) -> Characterization:
    """Run every measurement of the design and extract its HardwareModel, in columns of every size in use, or of other sizes.

    The tables are those of the first layer's column; those of another are named behind its size, such as 8x3/firing. A bench
    whose dischargers are set keeps that bias; otherwise it is found in the design's range, for each column.

    Raises `CharacterizationError` if a measurement has lost too many of its points.
    """
    sizes = sizes or ColumnSize.in_use(bench.design.shape)
    columns: list[ColumnHardware] = []
    tables: dict[str, pd.DataFrame] = {}
    for size in sizes:
        progress(f"column of {size.synapses} synapses")
        column, own = _characterize_column(bench, size, progress)
        tables |= {f"{size.name}/{name}" if columns else name: table for name, table in own.items()}
        columns.append(column)
    return Characterization(hardware_model(bench, columns), tables)


def _characterize_column(
    bench: Bench, size: ColumnSize, progress: Callable[[str], None]
) -> tuple[ColumnHardware, dict[str, pd.DataFrame]]:
    """One column, and the tables that its parameters come from."""
    progress("synapse currents, membrane charge, discharger bias")
    static = _static_measurements(bench, size)
    cells = with_bias(bench.cells(), static.discharger_bias_v)
    progress("firing phase")
    fired, unloaded, discharger_iv = _firing_measurements(bench, cells, size, static)
    membrane = loaded_membrane(static.charge, fired, size.synapses, cells.neuron.rest_v, cells.timing.phase_s)
    fits = synapse_fit.fit_synapses(bench, static.iv, membrane)
    firing_curve = firing.firing_curve(fired, membrane)
    progress("switching charges")
    leaks = _leakages(bench, cells, fits)
    loads = _synapse_loads(bench, fits, cells.neuron.rest_v - membrane.v_th_v) if cells.synapse.loads_by_code else None
    switching_table, idle = _switching_measurements(bench, cells, size, static, fits, membrane, firing_curve, loads, leaks)
    u = membrane.displacement(discharger_iv.membrane_v.to_numpy())
    line = line_within(u, discharger_iv.current_a.to_numpy(), DISCHARGER_THRESHOLDS.times(membrane.v_th_v))
    found = Found(static.charge, membrane, fits, switching_table, idle, fired, unloaded, firing_curve, line, leaks, loads)
    column = _column_hardware(cells, size, found)
    return column, {
        "synapse_iv": synapse_fit.with_fit(static.iv, fits, membrane),
        "synapse_fit": fits,
        "discharger_iv": discharger_iv.assign(fit_a=line.intercept * (1 - u / line.zero)),
        "membrane": static.charge,
        "firing": firing.firing_table(fired, membrane, column.neuron, cells.timing.phase_s),
        "switching": switching_table,
        "leakage": leaks.table,
        **({} if loads is None else {"synapse_load": loads}),
        "published": published_comparison(column, fits, discharger_iv),
    }


def _column_hardware(cells: Cells, size: ColumnSize, found: Found) -> ColumnHardware:
    """The column in a hardware model. Raises `CharacterizationError` for numbers that no circuit of this kind has."""
    try:
        return column_hardware(cells, size, found)
    except ValidationError as error:
        problem = first_problem(error, "column")
        raise CharacterizationError(
            f"column of {size.synapses} synapses: what was measured makes no hardware model: {problem}; "
            "change the sizes or the biases of the design"
        ) from error


@dataclass(frozen=True)
class _Static:
    """What needs nothing else to be known first."""

    iv: pd.DataFrame
    charge: pd.DataFrame
    discharger_bias_v: float
    threshold_v: float


def _survivors(what: str, results: Results, at_least: int) -> list[dict[str, Any]]:
    """Rows of the points that worked, each with its condition."""
    alive = [{**one.point.condition, **one.row} for one in results.alive]
    if len(alive) < at_least:
        raise CharacterizationError(
            f"{what}: {len(results.failed)} of {len(results)} simulations failed; see characterization/failures.parquet"
        )
    return alive


def _static_measurements(bench: Bench, size: ColumnSize) -> _Static:
    curves, ramps = list(synapse_fit.points(bench)), list(membrane_ramp.points(bench, size.synapses))
    static = list(switching_threshold.points(bench))
    results = bench.run([*curves, *ramps, *static])
    threshold = _survivors("static threshold", results.of(static), 1)[0]["threshold_v"]
    if not np.isfinite(threshold):
        raise CharacterizationError("static threshold: the neuron's output never spikes; check the sizes of its sensing inverter")
    for sign in SIGNS:
        if len(results.of(point for point in curves if point.condition["sign"] == sign).alive) < 4:
            raise CharacterizationError(f"synapse current, sign {sign:+d}: fewer than 4 codes could be simulated")
    iv = synapse_fit.iv_table(results.of(curves).alive)
    synapse_fit.check_currents(iv, bench.design.neuron.rest_v)
    bias = _found_bias(bench, size) if bench.discharger_bias_v is None else bench.discharger_bias_v
    return _Static(iv, charge_table(results.of(ramps).alive), bias, float(threshold))


def _found_bias(bench: Bench, size: ColumnSize) -> float:
    """The bias (V) with which a resting column fires after one phase: somewhere in the design's range, then close around it."""
    low, high = bench.design.neuron.discharger_bias_v

    def fitting(biases: np.ndarray) -> float:
        spikes = pd.DataFrame(_survivors("discharger bias", bench.run(firing_time.points(bench, size, biases)), 3))
        return bias_for_phase(spikes.bias_v.to_numpy(), spikes.spike_s.to_numpy(), bench.design.timing.phase_s)

    quarter_step = (high - low) / (BIAS_STEPS - 1) / 4
    return fitting(fitting(np.linspace(low, high, BIAS_STEPS)) + quarter_step * np.array([-1.0, 0.0, 1.0]))


def _firing_measurements(
    bench: Bench, cells: Cells, size: ColumnSize, static: _Static
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Firing phases of a loaded column, a few of them without the load on the output line, and the discharger's current."""
    rest = cells.neuron.rest_v
    swing_c = capacitance_f(static.charge, size.synapses, rest, static.threshold_v) * (rest - static.threshold_v)
    charges = firing.charge_grid_c(swing_c, bench.design.characterization.firing_points)
    fire_points = list(firing.points(bench, cells, size, charges, static.threshold_v))
    fire_points += firing.points(bench, cells, size._replace(fan_out=0), UNLOADED_AT * swing_c, static.threshold_v)
    iv_point = discharger_current.own_bias_point(bench, cells, bench.design.characterization.membrane_points - 1)
    results = bench.run([*fire_points, iv_point])
    alive = _survivors("firing phase", results.of(fire_points), len(fire_points) // 2)
    fired = pd.DataFrame(alive).drop(columns="measurement")
    (curve,) = _survivors("discharger current", results.of([iv_point]), 1)
    iv = pd.DataFrame({"membrane_v": curve["membrane_v"], "current_a": curve["membrane_current_a"]})
    loaded = fired.fan_out > 0
    return fired[loaded], fired[~loaded], iv


def _synapse_loads(bench: Bench, fits: pd.DataFrame, threshold_v: float) -> pd.DataFrame:
    """Capacitance that the synapse of each code adds, beside its sign and its current."""
    settings = [SynapseSetting(fit.sign, float(fit.code)) for fit in fits.itertuples()]
    results = bench.run(synapse_load.points(bench, settings, threshold_v))
    if results.failed:
        raise CharacterizationError(
            f"capacitance of a synapse: {len(results.failed)} of {len(results)} simulations failed; "
            "see characterization/failures.parquet"
        )
    return fits[["sign", "code", "current_a"]].merge(synapse_load.load_table(results.alive), on=["sign", "code"])


def _leakages(bench: Bench, cells: Cells, fits: pd.DataFrame) -> leakage.Leakages:
    """What the neuron and the synapse of each code leak into a resting membrane."""
    settings = [SynapseSetting(fit.sign, float(fit.code)) for fit in fits.itertuples()]
    results = bench.run(leakage.points(bench, cells, settings))
    if results.failed:
        raise CharacterizationError(
            f"leakage: {len(results.failed)} of {len(results)} simulations failed; see characterization/failures.parquet"
        )
    return leakage.leakages(results.alive, fits)


def _switching_measurements(
    bench: Bench, cells: Cells, size: ColumnSize, static: _Static, fits: pd.DataFrame, membrane: Membrane, firing_curve: Curve,
    loads: pd.DataFrame | None, leaks: leakage.Leakages,
) -> tuple[pd.DataFrame, switching.IdleSynapse]:  # fmt: skip
    """Charges of each code, and of a synapse that is off: beyond its current, and beyond what its idle column leaks."""
    swing = membrane.capacitance_f * membrane.v_th_v
    fired_from = firing.inverse(firing_curve)
    idle_capacitance = switching.MembraneCapacitance(*[membrane.capacitance_f] * 3)
    bare = capacitance_f(static.charge, 0, cells.neuron.rest_v, cells.neuron.rest_v - membrane.v_th_v)
    reference = switching.TAIL_REFERENCE_PHASES * cells.timing.phase_s

    def charges(
        responses: list[dict[str, Any]], current: Callable[[float], float], capacitance: switching.MembraneCapacitance
    ) -> tuple[float, float, float]:
        return switching.switching_charges(
            responses, lambda voltage: float(membrane.displacement(voltage)), fired_from, current, capacitance, reference
        )

    def capacitance(sign: int, code: float) -> switching.MembraneCapacitance:
        if loads is None:
            return idle_capacitance
        (own,) = loads[(loads.sign == sign) & (loads.code == code)].itertuples()
        without = membrane.capacitance_f - (membrane.capacitance_f - bare) / size.synapses
        return switching.MembraneCapacitance(
            membrane.capacitance_f, without + own.capacitance_off_f, without + own.capacitance_on_f
        )

    def pulses(setting: SynapseSetting | None, weight: float) -> list[Point]:
        return list(switching.points(bench, cells, size, setting, weight, swing))

    leaking_a = leaks.neuron_a + (size.synapses - 1) * leaks.idle_a

    def current(sign: int, code: float) -> Callable[[float], float]:
        own = synapse_fit.current_of(static.iv, sign, code, membrane)
        return lambda displacement_v: own(displacement_v) + leaking_a

    off = pulses(None, 0.0)
    swept = [(fit, pulses(SynapseSetting(fit.sign, float(fit.code)), float(fit.weight))) for fit in fits.itertuples()]
    results = bench.run([*(point for _, pair in swept for point in pair), *off])
    table = [
        [
            fit.sign,
            fit.code,
            fit.current_a,
            fit.weight,
            *charges(fired, current(fit.sign, fit.code), capacitance(fit.sign, fit.code)),
        ]
        for fit, pair in swept
        if (fired := _all_fired(results.of(pair)))
    ]
    idle = _all_fired(results.of(off))
    if len(table) < len(fits) // 2 or not idle:
        raise CharacterizationError(
            "switching charges: more than half of the simulations failed; see characterization/failures.parquet"
        )
    columns = ["sign", "code", "current_a", "weight", "charge_on_c", "charge_off_c", "charge_off_tail_c"]
    measured = pd.DataFrame(table, columns=columns)
    check_switched(measured, fits)
    return measured, switching.IdleSynapse(
        *charges(idle, lambda _: leaking_a + leaks.idle_a, idle_capacitance), idle[0]["rise_s"]
    )


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


def _all_fired(pulses: Results) -> list[dict[str, Any]]:
    """Rows of the pulses of one setting, in their order; none unless every one of them ended in a spike."""
    rows = [one.row for one in pulses.alive if np.isfinite(one.row["spike_s"])]
    return rows if len(rows) == len(pulses) else []
