"""All measurements of one design in order, and the HardwareModel they give. No trained weight and no data sample goes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from cosim.characterize import discharger, firing, membrane_charge, switching, synapse_current
from cosim.characterize.bench import Bench, ColumnSize, with_bias
from cosim.errors import CosimError
from cosim.simulator import Point
from netlists.crossbar import Cells
from netlists.synapse import SIGNS, Sign, SynapseSetting
from training.hardware import Curve, HardwareModel, NeuronHardware, Quantity, SynapseHardware, firing_law

PUBLISHED_FIT_V = (0.46, 1.36)
"""Range of the published linear fits of lambda (arXiv 2412.09010)."""

PUBLISHED_SYNAPSES = ((1, "lambda_N", "E+", 0.41, 2.80), (-1, "lambda_P", "E-", 0.75, -1.53))
"""Sign, names and published values (arXiv 2412.09010)."""

BIAS_STEPS = 9
UNLOADED_AT = np.array([0.25, 0.5, 0.75])
"""Displacements (thresholds) at which the delay of the load on the output line is measured."""

LAW_FROM_PHASES = 0.1
"""Above this spike time the closed firing law holds; below it the neuron is still starting up."""


class CharacterizationError(CosimError):
    """Too many points of a measurement failed."""

    exit_code = 3


@dataclass(frozen=True)
class Characterization:
    """What characterisation gives: the model and the tables its parameters come from."""

    hardware: HardwareModel
    tables: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Membrane:
    """Charge coordinates of a loaded membrane."""

    voltage_v: np.ndarray
    displacement_v: np.ndarray
    capacitance_f: float
    v_th_v: float

    def displacement(self, voltage_v: Any) -> Any:
        """Displacement (V) of membrane voltages, any shape."""
        return self._curve(self.voltage_v[::-1], self.displacement_v[::-1])(voltage_v)

    def curve(self) -> Curve:
        return Curve(
            x=tuple(self.displacement_v), y=tuple(self.voltage_v), x_name="displacement", x_unit="V", y_name="membrane voltage",
            y_unit="V", source="membrane",
        )  # fmt: skip

    @staticmethod
    def _curve(x: np.ndarray, y: np.ndarray) -> Curve:
        return Curve(
            x=tuple(x), y=tuple(y), x_name="membrane voltage", x_unit="V", y_name="displacement", y_unit="V", interpolant="cubic"
        )


def characterize(bench: Bench, progress: Callable[[str], None] = lambda _: None) -> Characterization:
    """Run every measurement of the design and extract its HardwareModel.

    Raises `CharacterizationError` if a measurement has lost too many of its points.
    """
    size = _column_size(bench)
    synapses = size.synapses
    progress("synapse currents, membrane charge, discharger bias")
    static = _static_measurements(bench, size)
    cells = with_bias(bench.cells(), static.discharger_bias_v)
    progress("firing phase")
    fired, unloaded, discharger_iv = _firing_measurements(bench, cells, size, static)
    membrane = _membrane(static.charge, fired, synapses, cells.neuron.rest_v, cells.timing.phase_s)
    fits = _fit_synapses(bench, static.iv, membrane)
    progress("switching charges")
    firing_curve = _firing_curve(fired, membrane)
    switching_table, idle = _switching_measurements(bench, cells, size, fits, membrane, firing_curve)
    dis_fit = _fit_discharger(discharger_iv, membrane)
    hardware = _assemble(
        bench, cells, size, static, membrane, fits, switching_table, idle, fired, unloaded, firing_curve, dis_fit
    )
    tables = {
        "synapse_iv": _with_fit(static.iv, fits, membrane),
        "synapse_fit": fits.drop(columns="intercept_a"),
        "discharger_iv": discharger_iv.assign(fit_a=dis_fit.line(membrane.displacement(discharger_iv.membrane_v.to_numpy()))),
        "membrane": static.charge,
        "firing": _firing_table(fired, membrane, hardware),
        "switching": switching_table,
        "published": published_comparison(bench, hardware, fits, static.iv, discharger_iv),
    }
    return Characterization(hardware, tables)


def _column_size(bench: Bench) -> ColumnSize:
    """Columns as in the network; where its layers differ, the larger."""
    network = bench.design.network
    return ColumnSize(max(network.inputs, network.hidden), max(network.hidden, network.outputs))


@dataclass(frozen=True)
class _Static:
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
    return _Static(
        synapse_current.iv_table(groups["iv"], rows["iv"]),
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


def _membrane(charge: pd.DataFrame, fired: pd.DataFrame, synapses: int, rest_v: float, phase_s: float) -> Membrane:
    """The effective threshold is the membrane at the output spike; the capacitance is the whole charge up to it."""
    spikes = fired[(fired.spike_s > 0.2 * phase_s) & (fired.spike_s < 0.95 * phase_s)]
    threshold = float(spikes.at_spike_v.mean())
    ramp = charge[charge.synapses == synapses].sort_values("charge_c")
    voltage = ramp.membrane_v.to_numpy()
    at_rest, at_threshold = np.interp([-rest_v, -threshold], -voltage, ramp.charge_c)
    capacitance = (at_threshold - at_rest) / (rest_v - threshold)
    return Membrane(voltage, (ramp.charge_c.to_numpy() - at_rest) / capacitance, float(capacitance), rest_v - threshold)


def _fit_synapses(bench: Bench, iv: pd.DataFrame, membrane: Membrane) -> pd.DataFrame:
    """Per sign and code: current at rest, reversal, lambda, residual. Codes in order of increasing current."""
    rest, unit_a = bench.design.neuron.rest_v, membrane.capacitance_f * membrane.v_th_v / bench.design.timing.phase_s
    low, high = (share * membrane.v_th_v for share in synapse_current.FIT_RANGE)
    rows = []
    for (sign, code), curve in iv.groupby(["sign", "code"]):
        u = membrane.displacement(curve.membrane_v.to_numpy())
        inside = (u >= low) & (u <= high)
        intercept, slope, error, residual = synapse_current.line_fit(u[inside], curve.current_a.to_numpy()[inside])
        lambda_per_v, lambda_error = synapse_current.voltage_slope(curve, rest, *PUBLISHED_FIT_V)
        rows.append(
            {
                "sign": sign, "code": code, "code_unit": bench.cells().synapse.code_unit, "current_a": sign * intercept,
                "weight": intercept / unit_a, "lambda_per_v": sign * lambda_per_v, "lambda_error_per_v": lambda_error,
                "reversal_v": sign * -intercept / slope, "reversal_error_v": abs(intercept / slope**2) * error,
                "residual_fraction": residual / abs(intercept), "intercept_a": intercept,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["sign", "current_a"], ascending=[False, True]).reset_index(drop=True)


def _with_fit(iv: pd.DataFrame, fits: pd.DataFrame, membrane: Membrane) -> pd.DataFrame:
    table = iv.merge(fits[["sign", "code", "intercept_a", "reversal_v"]], on=["sign", "code"])
    u = membrane.displacement(table.membrane_v.to_numpy())
    fit = table.intercept_a * (1 - u / (table.sign * table.reversal_v))
    return table.assign(fit_a=fit).drop(columns=["intercept_a", "reversal_v"])


@dataclass(frozen=True)
class IdleSynapse:
    """What a spike does at a synapse that is off (C), and how long its line takes to rise (s)."""

    charge_on_c: float
    charge_off_c: float
    charge_off_tail_c: float
    line_delay_s: float


def _switching_measurements(
    bench: Bench, cells: Cells, size: ColumnSize, fits: pd.DataFrame, membrane: Membrane, firing_curve: Curve
) -> tuple[pd.DataFrame, IdleSynapse]:
    """Charges of each code, and of a synapse that is off."""
    swing = membrane.capacitance_f * membrane.v_th_v
    fired_from = _inverse(firing_curve)
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
    return pd.DataFrame(table, columns=columns), IdleSynapse(*charges(responses[-1], 0.0, 1.0), responses[-1][0]["rise_s"])


def _both(pair: list[dict[str, Any] | None]) -> TypeGuard[list[dict[str, Any]]]:
    return all(row is not None and np.isfinite(row["spike_s"]) for row in pair)


@dataclass(frozen=True)
class LineFit:
    """Current I (1 - u/E) over the displacement."""

    current_a: float
    reversal_v: float
    reversal_error_v: float
    residual_fraction: float

    def line(self, displacement_v: np.ndarray) -> np.ndarray:
        return self.current_a * (1 - displacement_v / self.reversal_v)


def _fit_discharger(iv: pd.DataFrame, membrane: Membrane) -> LineFit:
    u = membrane.displacement(iv.membrane_v.to_numpy())
    inside = (u >= -0.05 * membrane.v_th_v) & (u <= 1.02 * membrane.v_th_v)
    intercept, slope, error, residual = synapse_current.line_fit(u[inside], iv.current_a.to_numpy()[inside])
    return LineFit(intercept, -intercept / slope, abs(intercept / slope**2) * error, residual / intercept)


def _firing_curve(fired: pd.DataFrame, membrane: Membrane) -> Curve:
    """Displacement at the start of firing -> output spike, of the columns that fired."""
    spiked = fired[np.isfinite(fired.spike_s)].sort_values("before_v", ascending=False)
    return Curve(
        x=tuple(membrane.displacement(spiked.before_v.to_numpy())), y=tuple(spiked.spike_s), interpolant="cubic",
        x_name="displacement at the start of firing", x_unit="V", y_name="output spike", y_unit="s", source="firing",
    )  # fmt: skip


def _inverse(firing_curve: Curve) -> Callable[[float], float]:
    """Output spike -> displacement it was fired from; read off the curve itself, so that both directions agree."""
    u = np.linspace(firing_curve.x[0], firing_curve.x[-1], 20001)
    spikes = firing_curve(u)
    return lambda spike_s: float(np.interp(-spike_s, -spikes, u))


def _firing_table(fired: pd.DataFrame, membrane: Membrane, hardware: HardwareModel) -> pd.DataFrame:
    """Spike time per displacement beside the closed law of a discharger with the extracted reversal (docs/physics.md)."""
    u = membrane.displacement(fired.before_v.to_numpy())
    e_dis = hardware.neuron.discharger_reversal.value / membrane.v_th_v
    law = firing_law(u / membrane.v_th_v, e_dis) * hardware.phase_s
    table = pd.DataFrame({"displacement_v": u, "membrane_v": fired.before_v, "spike_s": fired.spike_s, "law_s": law})
    return table.sort_values("displacement_v").reset_index(drop=True)


def _assemble(
    bench: Bench,
    cells: Cells,
    size: ColumnSize,
    static: _Static,
    membrane: Membrane,
    fits: pd.DataFrame,
    switching_table: pd.DataFrame,
    idle: IdleSynapse,
    fired: pd.DataFrame,
    unloaded: pd.DataFrame,
    firing_curve: Curve,
    dis_fit: LineFit,
) -> HardwareModel:
    design = bench.design
    return HardwareModel(
        name=design.name,
        cell=design.synapse.kind,
        model_set=str(bench.pdk.model_set),
        model_digest=bench.model_digest,
        corner=str(design.process.corner),
        temperature_c=design.process.temperature_c,
        phase_s=design.timing.phase_s,
        tail_reference_s=switching.TAIL_REFERENCE_PHASES * design.timing.phase_s,
        plus=_synapse_hardware(1, cells, fits, switching_table),
        minus=_synapse_hardware(-1, cells, fits, switching_table),
        neuron=_neuron_hardware(cells, size, static, membrane, idle, fired, unloaded, firing_curve, dis_fit),
    )


def _synapse_hardware(sign: Sign, cells: Cells, fits: pd.DataFrame, switching_table: pd.DataFrame) -> SynapseHardware:
    fit = fits[fits.sign == sign]
    charge = switching_table[switching_table.sign == sign]
    resistor = cells.synapse.code_unit == "um"

    def over_current(table: pd.DataFrame, column: str, name: str, unit: str, source: str, **more: Any) -> Curve:
        return Curve(
            x=tuple(table.current_a), y=tuple(table[column]), x_name="current at rest", x_unit="A", y_name=name, y_unit=unit,
            log_x=True, source=source, **more,
        )  # fmt: skip

    return SynapseHardware(
        sign=sign,
        code_name=cells.synapse.code_name,
        code_unit=cells.synapse.code_unit,
        code=over_current(
            fit, "code", cells.synapse.code_name, cells.synapse.code_unit, "synapse_fit", interpolant="cubic", log_y=resistor
        ),
        reversal=over_current(
            fit, "reversal_v", "reversal displacement", "V", "synapse_fit",
            standard_error=float(fit.reversal_error_v.max()), residual=float(fit.residual_fraction.max()),
        ),
        charge_on=over_current(charge, "charge_on_c", "charge of switching on", "C", "switching"),
        charge_off=over_current(charge, "charge_off_c", "charge of switching off", "C", "switching"),
        charge_off_tail=over_current(charge, "charge_off_tail_c", "tail of switching off per e-fold", "C", "switching"),
        lambda_per_v=Quantity(
            value=float(fit.lambda_per_v.median()), unit="1/V", standard_error=float(fit.lambda_error_per_v.max()),
            residual=float(fit.residual_fraction.max()), source="synapse_fit",
        ),
    )  # fmt: skip


def _neuron_hardware(
    cells: Cells,
    size: ColumnSize,
    static: _Static,
    membrane: Membrane,
    idle: IdleSynapse,
    fired: pd.DataFrame,
    unloaded: pd.DataFrame,
    firing_curve: Curve,
    dis_fit: LineFit,
) -> NeuronHardware:
    rest, phase = cells.neuron.rest_v, cells.timing.phase_s
    threshold = rest - membrane.v_th_v
    bare = membrane_charge.capacitance_f(static.charge, 0, rest, threshold)
    u_unloaded = membrane.displacement(unloaded.before_v.to_numpy())
    per_load = (firing_curve(u_unloaded) - unloaded.spike_s.to_numpy()) / size.fan_out
    regular = fired[(fired.spike_s > LAW_FROM_PHASES * phase) & (fired.spike_s < phase)]
    released = float(static.charge[static.charge.synapses == size.synapses].set_index("charge_c").membrane_v.loc[0.0])
    return NeuronHardware(
        synapses=size.synapses,
        rest=Quantity(value=rest, unit="V"),
        threshold=Quantity(value=threshold, unit="V", residual=float(regular.at_spike_v.std()), source="firing"),
        reset_error=Quantity(value=float(membrane.displacement(released)), unit="V", source="membrane"),
        capacitance_neuron=Quantity(value=bare, unit="F", source="membrane"),
        capacitance_synapse=Quantity(value=(membrane.capacitance_f - bare) / size.synapses, unit="F", source="membrane"),
        membrane=membrane.curve(),
        discharger_current=Quantity(value=dis_fit.current_a, unit="A", source="discharger_iv"),
        discharger_reversal=Quantity(
            value=dis_fit.reversal_v, unit="V", standard_error=dis_fit.reversal_error_v, residual=dis_fit.residual_fraction,
            source="discharger_iv",
        ),
        firing=firing_curve,
        earliest_spike=Quantity(value=float(fired.spike_s.min()), unit="s", source="firing"),
        delay=Quantity(
            value=float((regular.spike_s - regular.passed_s).mean()), unit="s",
            residual=float((regular.spike_s - regular.passed_s).std()), source="firing",
        ),
        idle_charge_on=Quantity(value=idle.charge_on_c, unit="C", source="switching"),
        idle_charge_off=Quantity(value=idle.charge_off_c, unit="C", source="switching"),
        idle_charge_off_tail=Quantity(value=idle.charge_off_tail_c, unit="C", source="switching"),
        discharger_bias=Quantity(value=cells.discharger_bias_v, unit="V", source="firing"),
        fan_out=size.fan_out,
        load_delay=Quantity(value=float(per_load.mean()), unit="s", residual=float(np.ptp(per_load)), source="firing"),
        input_delay=Quantity(value=idle.line_delay_s, unit="s", source="switching"),
        linear_range=(-0.4 * membrane.v_th_v, 1.26 * membrane.v_th_v),
    )  # fmt: skip


def published_comparison(
    bench: Bench, hardware: HardwareModel, fits: pd.DataFrame, iv: pd.DataFrame, discharger_iv: pd.DataFrame
) -> pd.DataFrame:
    """Published values of the reference circuit beside the measured ones (median over the codes)."""
    v_th = hardware.neuron.v_th_v
    lambda_dis, _ = synapse_current.voltage_slope(discharger_iv, hardware.neuron.rest.value, *PUBLISHED_FIT_V)
    rows = []
    for sign, name, symbol, published_lambda, published_e in PUBLISHED_SYNAPSES:
        values = fits[fits.sign == sign].lambda_per_v
        remark = f"{values.iloc[0]:.3f} at the smallest weight to {values.iloc[-1]:.3f} at the largest"
        rows.append((name, "1/V", published_lambda, float(values.median()), remark))
        e = sign * fits[fits.sign == sign].reversal_v / v_th
        rows.append(
            (
                symbol,
                "",
                published_e,
                float(e.median()),
                f"{e.iloc[0]:.2f} at the smallest weight to {e.iloc[-1]:.2f} at the largest",
            )
        )
    rows.append(("lambda_dis", "1/V", 0.177, lambda_dis, f"at a bias of {hardware.neuron.discharger_bias.value:.3f} V"))
    rows.append(("E_dis", "", 6.44, hardware.neuron.discharger_reversal.value / v_th, ""))
    rows.append(("V_switch", "V", 0.428, hardware.neuron.threshold.value, "membrane at the output spike"))
    rows.append(("membrane capacitance", "F", 140e-15, hardware.neuron.capacitance_f, "as loaded in the array"))
    return pd.DataFrame(rows, columns=["quantity", "unit", "published", "measured", "remark"])
