"""All measurements of one design in order, and the HardwareModel they give. No trained weight and no data sample goes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from cosim.bench.bench import Bench, ColumnSize, with_bias
from cosim.bench.lines import DISCHARGER_THRESHOLDS, line_within
from cosim.bench.post_layout import LineEffects
from cosim.bench.results import Results
from cosim.characterize import firing, leakage, switching, synapse_fit, synapse_load
from cosim.characterize.assembly import Found, column_hardware, hardware_model
from cosim.characterize.discharger import bias_for_phase
from cosim.characterize.measurements import discharger_current, firing_time, membrane_ramp
from cosim.characterize.measurements.switching_threshold import switching_threshold
from cosim.characterize.membrane import Membrane, capacitance_f, charge_table, loaded_membrane
from cosim.characterize.places import falling_f, layer_places, line_delays
from cosim.characterize.published import published_comparison
from cosim.errors import CosimError
from cosim.simulator import Point
from netlists.crossbar import Cells
from netlists.synapse import SIGNS, Sign, SynapseSetting
from training.errors import first_problem
from training.hardware import ColumnHardware, Curve, HardwareModel

BIAS_STEPS = 9
CHARGES = ("charge_on_c", "charge_off_c", "charge_off_tail_c", "charge_off_drift_c", "line_charge_c")
"""Of a synapse that is switched, in the columns of a table."""

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
    effects: list[LineEffects] = []
    tables: dict[str, pd.DataFrame] = {}
    for size in sizes:
        progress(f"column of {size.synapses} synapses")
        column, own, switched = _characterize_column(bench, size, progress)
        if bench.design.process.layout and not effects:
            progress("what lines of another length do")
            effects.append(_line_effects(switched, column, own["switching"]))
        tables |= {f"{size.name}/{name}" if columns else name: table for name, table in own.items()}
        columns.append(column)
    places = layer_places(bench, effects[0]) if effects else ()
    return Characterization(hardware_model(bench, columns, places), tables)


def _characterize_column(
    bench: Bench, size: ColumnSize, progress: Callable[[str], None]
) -> tuple[ColumnHardware, dict[str, pd.DataFrame], _Switched]:
    """One column, the tables that its parameters come from, and what its charges were found with."""
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
    bare = capacitance_f(static.charge, 0, cells.neuron.rest_v, cells.neuron.rest_v - membrane.v_th_v)
    switched = _Switched(bench, cells, size, membrane, firing_curve, bare, static.iv, leaks, loads)
    switching_table, idle = _switching_measurements(switched, fits)
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
    }, switched  # fmt: skip


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


@dataclass(frozen=True)
class _Switched:
    """What turns the responses of a column into charges."""

    bench: Bench
    cells: Cells
    size: ColumnSize
    membrane: Membrane
    firing_curve: Curve
    bare_f: float
    iv: pd.DataFrame
    leaks: leakage.Leakages
    loads: pd.DataFrame | None

    @property
    def swing_c(self) -> float:
        return self.membrane.capacitance_f * self.membrane.v_th_v

    def pulse(self, setting: SynapseSetting | None, weight: float) -> switching.Pulse:
        return switching.Pulse.of(self.bench, setting, weight, self.size.synapses)

    def points(self, pulse: switching.Pulse) -> list[Point]:
        """From early to late output spikes; behind the line of a neuron the last one, where there are such."""
        common = (self.bench, self.cells, self.size, pulse, self.swing_c)
        fired_from, swing_v = firing.inverse(self.firing_curve), self.membrane.v_th_v
        sent = switching.sent_points(*common, lambda spike_s: fired_from(spike_s) / swing_v) if self.size.sent else ()
        return [*switching.points(*common), *sent]

    def charges(self, pulse: switching.Pulse, results: Results) -> tuple[switching.SwitchingCharges, float | None, float] | None:
        """Charges of one synapse, what a neuron's line brings beyond (C), and the delay of the line (s); None where a simulation
        failed or did not end in a spike."""
        rows = [one.row for one in results.alive]
        fired, sent = (rows[:-1], rows[-1:]) if self.size.sent else (rows, [])
        if len(rows) < len(results) or not all(np.isfinite(row["spike_s"]) for row in fired):
            return None
        current, capacitance = self._current(pulse), self._capacitance(pulse)
        reference_s = switching.TAIL_REFERENCE_PHASES * self.cells.timing.phase_s
        fired_from = firing.inverse(self.firing_curve, capacitance.off_f / capacitance.column_f)
        found = switching.switching_charges(fired, self._displacement, fired_from, current, capacitance, reference_s, pulse.count)
        each = capacitance.off_f / pulse.count
        line = [each * switching.switched_on_v(row, self._displacement, current, capacitance) - found.on_c for row in sent]
        return found, line[0] if line else None, float(fired[0]["rise_s"])

    def _displacement(self, voltage_v: float) -> float:
        return float(self.membrane.displacement(voltage_v))

    def _current(self, pulse: switching.Pulse) -> Callable[[float], float]:
        """Of the synapses that are on, and of what leaks besides (A)."""
        standing, _ = self.size.standing(self.cells)
        leaking_a = self.leaks.neuron_a + (self.size.synapses - pulse.count) * self.leaks.standing_a(standing)
        if pulse.setting is None:
            return lambda _: leaking_a + pulse.count * self.leaks.idle_a
        own = synapse_fit.current_of(self.iv, pulse.setting.sign, pulse.setting.code, self.membrane)
        return lambda displacement_v: pulse.count * own(displacement_v) + leaking_a

    def _capacitance(self, pulse: switching.Pulse) -> switching.MembraneCapacitance:
        column_f, setting = self.membrane.capacitance_f, pulse.setting
        if self.loads is None or setting is None:
            return switching.MembraneCapacitance(*[column_f] * 3)
        (own,) = self.loads[(self.loads.sign == setting.sign) & (self.loads.code == setting.code)].itertuples()
        without = column_f - pulse.count * (column_f - self.bare_f) / self.size.synapses
        off_f, on_f = (without + pulse.count * load for load in (own.capacitance_off_f, own.capacitance_on_f))
        return switching.MembraneCapacitance(column_f, off_f, on_f)


def _switching_measurements(switched: _Switched, fits: pd.DataFrame) -> tuple[pd.DataFrame, switching.IdleSynapse]:
    """Charges of each code, and of a synapse that is off: beyond its current, and beyond what its column leaks."""
    off = switched.pulse(None, 0.0)
    swept = [(fit, switched.pulse(SynapseSetting(fit.sign, float(fit.code)), float(fit.weight))) for fit in fits.itertuples()]
    asked = {pulse: switched.points(pulse) for pulse in (*(pulse for _, pulse in swept), off)}
    results = switched.bench.run([point for own in asked.values() for point in own])
    found = {pulse: switched.charges(pulse, results.of(own)) for pulse, own in asked.items()}
    table = [
        [fit.sign, fit.code, fit.current_a, fit.weight, one[0].on_c, one[0].off_c, one[0].tail_c, one[0].drift_c, one[1]]
        for fit, pulse in swept
        if (one := found[pulse])
    ]
    idle = found[off]
    if len(table) < len(fits) // 2 or not idle:
        raise CharacterizationError(
            "switching charges: more than half of the simulations failed; see characterization/failures.parquet"
        )
    columns = ["sign", "code", "current_a", "weight", *CHARGES]
    measured = pd.DataFrame(table, columns=columns).astype({"line_charge_c": float})
    check_switched(measured, fits)
    return measured, switching.IdleSynapse(idle[0], idle[2], idle[1])


def _line_effects(switched: _Switched, column: ColumnHardware, charges: pd.DataFrame) -> LineEffects:
    """Of a column: what capacitance on spike lines does to spikes, and to the charges of switching off of each sign."""
    bench, cells, size = switched.bench, switched.cells, switched.size._replace(sent=False)
    alone, more_f = replace(switched, size=size), falling_f(bench)

    def moved(sign: Sign, code: Any) -> tuple[float, float]:
        """Charge of switching off and its tail (C), of lines that have so much more."""
        pulse = alone.pulse(SynapseSetting(sign, float(code.code)), float(code.weight))
        points = list(switching.points(bench, cells, size, pulse, alone.swing_c, more_f))
        found = alone.charges(pulse, bench.run(points))
        if found is None:
            raise CharacterizationError("charges on longer lines: a simulation failed; see characterization/failures.parquet")
        return found[0].off_c - code.charge_off_c, found[0].tail_c - code.charge_off_tail_c

    off, tail = [], []
    for sign in SIGNS:
        own = charges[charges.sign == sign].sort_values("current_a")
        # the strongest codes, of which a membrane bears one, are of no weight in a sum
        both = np.mean([moved(sign, own.iloc[k]) for k in (0, len(own) // 2)], axis=0) / more_f
        off.append(float(both[0]))
        tail.append(float(both[1]))
    delays = line_delays(bench, size, column)
    return LineEffects(delays.per_f, delays.per_pair_f, (off[0], off[1]), (tail[0], tail[1]), delays.unsent_s)


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
