"""From what the measurements found to a HardwareModel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cosim.bench.bench import Bench, ColumnSize
from cosim.bench.lines import LINEAR_THRESHOLDS, Line
from cosim.characterize.leakage import Leakages
from cosim.characterize.membrane import Membrane, capacitance_f
from cosim.characterize.switching import TAIL_REFERENCE_PHASES, IdleSynapse
from cosim.version import __version__
from netlists.crossbar import Cells
from netlists.synapse import Sign
from training.hardware import ColumnHardware, Curve, HardwareModel, LayerPlaces, NeuronHardware, Quantity, SynapseHardware

LAW_FROM_PHASES = 0.1
"""Above this spike time the closed firing law holds; below it the neuron is still starting up."""


@dataclass(frozen=True)
class Found:
    """Everything that was measured, before it is put into one model."""

    charge: pd.DataFrame
    membrane: Membrane
    synapses: pd.DataFrame
    switching: pd.DataFrame
    idle: IdleSynapse
    fired: pd.DataFrame
    unloaded: pd.DataFrame
    firing_curve: Curve
    discharger: Line
    leaks: Leakages
    loads: pd.DataFrame | None = None
    """Of the codes of the synapse (`synapse_load`), where they differ."""


def hardware_model(bench: Bench, columns: Sequence[ColumnHardware], places: tuple[LayerPlaces, ...] = ()) -> HardwareModel:
    """The hardware model of a design at its corner and temperature, of its first column and the others; and of its places."""
    design, (first, *others) = bench.design, columns
    return HardwareModel(
        name=design.name,
        cell=design.synapse.kind,
        origin=f"cosim {__version__} characterize",
        model_set=str(bench.pdk.model_set),
        model_digest=bench.model_digest,
        corner=str(design.process.corner),
        temperature_c=design.process.temperature_c,
        phase_s=design.timing.phase_s,
        tail_reference_s=TAIL_REFERENCE_PHASES * design.timing.phase_s,
        plus=first.plus,
        minus=first.minus,
        neuron=first.neuron,
        columns=tuple(others),
        behind_neurons=False,
        places=places,
    )


def column_hardware(cells: Cells, size: ColumnSize, found: Found) -> ColumnHardware:
    """What was measured of a column of one size."""
    return ColumnHardware(
        plus=synapse_hardware(1, cells, found.synapses, found.switching, found.leaks, found.loads),
        minus=synapse_hardware(-1, cells, found.synapses, found.switching, found.leaks, found.loads),
        neuron=_neuron_hardware(cells, size, found),
    )


def synapse_hardware(
    sign: Sign,
    cells: Cells,
    synapses: pd.DataFrame,
    switching: pd.DataFrame,
    leaks: Leakages | None = None,
    loads: pd.DataFrame | None = None,
) -> SynapseHardware:
    """One sign of the synapse by code: the fits of its curves (`fit_synapses`), charges of switching, leakages and loads."""
    fit, charge = synapses[synapses.sign == sign], switching[switching.sign == sign]

    def over_current(table: pd.DataFrame, column: str, name: str, unit: str, source: str, **more: Any) -> Curve:
        return Curve(
            x=tuple(table.current_a), y=tuple(table[column]), x_name="current at rest", x_unit="A", y_name=name, y_unit=unit,
            log_x=True, source=source, **more,
        )  # fmt: skip

    return SynapseHardware(
        sign=sign,
        code_name=cells.synapse.code_name,
        code_unit=cells.synapse.code_unit,
        code_step=cells.synapse.code_step,
        code=over_current(
            fit, "code", cells.synapse.code_name, cells.synapse.code_unit, "synapse_fit", interpolant="cubic",
            log_y=cells.synapse.logarithmic_code,
        ),
        reversal=over_current(
            fit, "reversal_v", "reversal displacement", "V", "synapse_fit",
            standard_error=float(fit.reversal_error_v.max()), residual=float(fit.residual_fraction.max()),
        ),
        slope=over_current(
            fit, "slope_per_v", "slope of the current at rest", "1/V", "synapse_fit",
            standard_error=float(fit.slope_error_per_v.max()), residual=float(fit.residual_rms.max()),
        ),
        curvature=over_current(
            fit, "curvature_per_v2", "curvature of the current", "1/V^2", "synapse_fit",
            standard_error=float(fit.curvature_error_per_v2.max()), residual=float(fit.residual_rms.max()),
        ),
        leakage=None
        if leaks is None
        else over_current(leaks.table[leaks.table.sign == sign], "leakage_a", "leakage while off", "A", "leakage"),
        charge_on=over_current(charge, "charge_on_c", "charge of switching on", "C", "switching"),
        charge_off=over_current(charge, "charge_off_c", "charge of switching off", "C", "switching"),
        charge_off_tail=over_current(charge, "charge_off_tail_c", "tail of switching off per e-fold", "C", "switching"),
        charge_off_drift=over_current(charge, "charge_off_drift_c", "drift of switching off", "C", "switching"),
        line_charge=None
        if charge.line_charge_c.isna().any()
        else over_current(charge, "line_charge_c", "charge of switching on by a neuron's line", "C", "switching"),
        **{
            name: over_current(loads[loads.sign == sign], f"{name}_f", f"membrane capacitance while {state}", "F", "synapse_load")
            for name, state in (("capacitance_off", "off"), ("capacitance_on", "on"))
            if loads is not None
        },
        lambda_per_v=Quantity(
            value=float(fit.lambda_per_v.median()), unit="1/V", standard_error=float(fit.lambda_error_per_v.max()),
            residual=float(fit.residual_fraction.max()), source="synapse_fit",
        ),
    )  # fmt: skip


def _neuron_hardware(cells: Cells, size: ColumnSize, found: Found) -> NeuronHardware:
    rest, phase = cells.neuron.rest_v, cells.timing.phase_s
    threshold = rest - found.membrane.v_th_v
    bare = capacitance_f(found.charge, 0, rest, threshold)
    u_unloaded = found.membrane.displacement(found.unloaded.before_v.to_numpy())
    per_load = (found.firing_curve(u_unloaded) - found.unloaded.spike_s.to_numpy()) / size.fan_out
    regular = found.fired[(found.fired.spike_s > LAW_FROM_PHASES * phase) & (found.fired.spike_s < phase)]
    released = float(found.charge[found.charge.synapses == size.synapses].set_index("charge_c").membrane_v.loc[0.0])
    return NeuronHardware(
        synapses=size.synapses,
        rest=Quantity(value=rest, unit="V"),
        threshold=Quantity(value=threshold, unit="V", residual=float(regular.at_spike_v.std()), source="firing"),
        reset_error=Quantity(value=float(found.membrane.displacement(released)), unit="V", source="membrane"),
        capacitance_neuron=Quantity(value=bare, unit="F", source="membrane"),
        capacitance_synapse=Quantity(value=(found.membrane.capacitance_f - bare) / size.synapses, unit="F", source="membrane"),
        membrane=found.membrane.curve(),
        discharger_current=Quantity(value=found.discharger.intercept, unit="A", source="discharger_iv"),
        discharger_reversal=Quantity(
            value=found.discharger.zero, unit="V", standard_error=found.discharger.zero_error,
            residual=found.discharger.relative_residual,
            source="discharger_iv",
        ),
        firing=found.firing_curve,
        earliest_spike=Quantity(value=float(found.fired.spike_s.min()), unit="s", source="firing"),
        delay=Quantity(
            value=float((regular.spike_s - regular.passed_s).mean()), unit="s",
            residual=float((regular.spike_s - regular.passed_s).std()), source="firing",
        ),
        idle_charge_on=Quantity(value=found.idle.charges.on_c, unit="C", source="switching"),
        idle_charge_off=Quantity(value=found.idle.charges.off_c, unit="C", source="switching"),
        idle_charge_off_tail=Quantity(value=found.idle.charges.tail_c, unit="C", source="switching"),
        idle_charge_off_drift=Quantity(value=found.idle.charges.drift_c, unit="C", source="switching"),
        idle_line_charge=None if found.idle.line_c is None else Quantity(value=found.idle.line_c, unit="C", source="switching"),
        leakage=Quantity(value=found.leaks.neuron_a, unit="A", source="leakage"),
        idle_leakage=Quantity(value=found.leaks.idle_a, unit="A", source="leakage"),
        discharger_bias=Quantity(value=cells.discharger_bias_v, unit="V", source="firing"),
        fan_out=size.fan_out,
        inputs_loaded_with=size.rows,
        load_delay=Quantity(value=float(per_load.mean()), unit="s", residual=float(np.ptp(per_load)), source="firing"),
        input_delay=Quantity(value=found.idle.line_delay_s, unit="s", source="switching"),
        linear_range=LINEAR_THRESHOLDS.times(found.membrane.v_th_v),
    )  # fmt: skip
