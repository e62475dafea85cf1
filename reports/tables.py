"""The columns that reports read, by table; docs/tables.md has all there are. A run may lack any table, a table none of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """Columns of text, and columns that must hold numbers."""

    words: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


def _columns(words: str, numbers: str) -> Columns:
    return Columns(tuple(words.split()), tuple(numbers.split()))


RUN: Mapping[str, Columns] = {
    "characterization/synapse_iv": _columns("", "sign code membrane_v current_a fit_a"),
    "characterization/synapse_fit": _columns("code_unit", "sign code current_a weight lambda_per_v reversal_v residual_fraction"),
    "characterization/discharger_iv": _columns("", "membrane_v current_a fit_a"),
    "characterization/membrane": _columns("", "synapses charge_c membrane_v"),
    "characterization/firing": _columns("", "displacement_v membrane_v spike_s law_s"),
    "characterization/switching": _columns("", "sign code current_a weight charge_on_c charge_off_c charge_off_tail_c"),
    "characterization/published": _columns("quantity unit remark", "published measured"),
    "training": _columns("mapping", "epoch loss train_accuracy test_accuracy"),
    "mapping": _columns("mapping code_unit", "layer neuron input weight mapped_weight sign code current_a"),
    "devices": _columns("cell device model role", "width_um length_um units count"),
    "validation/spikes": _columns("mapping", "die sample layer neuron model_spike_s circuit_spike_s"),
    "validation/membranes": _columns("mapping", "die sample layer neuron model_v circuit_v"),
    "validation/labels": _columns("mapping", "die sample label model_label circuit_label model_margin_s circuit_margin_s"),
    "validation/waveforms": _columns("mapping", "sample layer neuron time_s circuit_v model_v"),
    "validation/energy": _columns("mapping source", "sample energy_j"),
    "validation/attribution": _columns("left_out", "layer spike_rmse_s alone_rmse_s"),
    "validation/causes": _columns("cause kind", "layer spike_rmse_s alone_rmse_s alone_mean_s moved_s"),
    "validation/neurons": _columns("cause kind", "layer neuron firing alone_rmse_s alone_mean_s"),
    "validation/sensitivity": _columns("device", "layer per_percent_s mean_per_percent_s sigma dies_rmse_s"),
    "datasheet/extremes": _columns("mode parameter what unit group worst_at min_at max_at", "min typ max"),
    "validation/model_dies": _columns("", "die spike_rmse_s label_agreement accuracy"),
    "validation/gain_search": _columns("stage", "gain_plus gain_minus rmse_s samples"),
    "calibration/dies": _columns(
        "condition",
        "die patterns before_rmse_s before_labels after_rmse_s after_hidden_rmse_s after_labels misfit cpu_s",
    ),
    "calibration/loop": _columns("condition", "die step seen_rmse_s"),
    "conditions/errors": _columns(
        "condition biases", "samples rmse_s labels accuracy model_rmse_s unexpected_rmse_s out_of_range"
    ),
    "validation/failures": _columns("mapping corner reason message seed", "die sample"),
}

DATASHEET: Mapping[str, Columns] = {
    "extremes": _columns("mode parameter what unit group worst_at rerun", "min typ max"),
    "pvt": _columns("mode corner condition parameter", "temperature_c value"),
    "unreached": _columns("condition weight", "wanted lowest highest"),
    "dies": _columns("", "seed"),
    "statistics": _columns(
        "model_set parameter unit scale",
        "dies missing mean sigma sigma_low sigma_high sigma_die sigma_device q0.00135 q0.5 q0.99865",
    ),
    "outliers": _columns("parameter rerun", "seed value sigmas"),
    "ladder": _columns("rung", "fitted_parameters fit_rms_v held_out_rms_v held_out_worst_v"),
    "failures": _columns("measurement condition reason", ""),
}
"""By file in datasheet/; older runs have failures without a column `rerun`."""

CURVES = ("synapse_iv", "discharger_iv", "firing", "membrane", "switching")
"""Tables of the characterisation that a datasheet shows too."""
