"""The metrics that a run can have: what a limit may be on.

`datasheet.*` stand beside the others in metrics.json; their limits are in [datasheet.limits].
"""

from __future__ import annotations

import difflib
import re

_MAPPING = r"validation\.(ode|conventional)\."

METRICS = (
    r"characterization\.(e_plus|e_minus|e_dis|lambda_n|lambda_p|capacitance_f|threshold_v)",
    r"training\.(test_accuracy|conventional_test_accuracy|chance_accuracy|firing_share|late_share|drive)",
    r"training\.(silent_neurons|dead_layers|synapses|off_synapses|devices)",
    r"training\.(bits_per_weight|compression|compression_with_table|whole_network_compression)",
    r"mapping\.(gain_plus|gain_minus|synapses|off_synapses|conventional_off_synapses)",
    _MAPPING + r"(output_spike_rmse_s|firing_spike_rmse_s|largest_spike_error_s|membrane_rmse_v)",
    r"validation\.(unexplained_fraction|unexplained_of_model_error|layer_[1-9]\d*_unexplained_s)",
    _MAPPING + r"layer_[1-9]\d*_(spike_rmse_s|membrane_rmse_v)",
    r"validation\.(error_ratio|firing_share|early_share|nonlinear_share|label_agreement|conventional_label_agreement)",
    r"validation\.(samples|mismatch_dies|failed_simulations|numerical_error_s|conventional\.numerical_error_s|both_judges_error_s|by_columns|columns_vs_flat_s|silent_skipped|silent_skipped_share|silent_checked|silent_checked_firing)",
    r"validation\.second_judge_(rmse_s|layer_[1-9]\d*_rmse_s|largest_s|samples)",
    r"validation\.(past_supply_share|highest_model_membrane_v|lowest_model_membrane_v)",
    r"validation\.mismatch\.(output_spike_rmse_s|worst_die_rmse_s|label_agreement|predicted_spike_rmse_s|predicted_label_agreement)",
    r"validation\.mismatch\.predicted_(accuracy|worst_accuracy|yield|good_from)",
    r"circuit\.(test_accuracy|conventional_test_accuracy|mismatch_accuracy)",
    r"energy\.(per_inference|supply|rest|control|spike_lines|bias)_j",
    r"energy\.predicted_(per_inference|supply|rest|control|spike_lines|bias)_j",
    r"energy\.(prediction_error|synaptic_events|per_synaptic_event_j|per_operation_j|time_bits|time_bits_on_dies|weight_bits)",
    r"energy\.tops_per_w(|_weight_bits|_normalised)",
    r"cost\.(latency_s|first_output_s|period_s|inferences_per_s|power_w|bias_lines)",
    r"cost\.(area|synapse_area|neuron_area|capacitor_area)_m2",
    r"time\.(total|simulate|simulate_cpu|characterize|train|map|validate|datasheet|report)_s",
    r"simulation\.(points|cached_points|failed_points|operating_point_fallbacks)",
)
"""Their names, as patterns (`re.fullmatch`)."""


def is_metric(name: str) -> bool:
    """Whether a run can have a metric of this name."""
    return any(re.fullmatch(pattern, name) for pattern in METRICS)


def nearest(name: str) -> list[str]:
    """Metrics whose names are most like this one, the likeliest first."""
    return difflib.get_close_matches(name, metric_names(), n=2, cutoff=0.5)


def metric_names() -> list[str]:
    """Every metric that a run can have, layers as the first one."""
    return [one for pattern in METRICS for one in _spelt(pattern)]


def _spelt(pattern: str) -> list[str]:
    """The names of a pattern, layers as the first one."""
    plain = pattern.replace(r"[1-9]\d*", "1").replace("\\.", ".")
    names = [""]
    for part in re.split(r"(\([^()]*\))", plain):
        choices = part[1:-1].split("|") if part.startswith("(") else [part]
        names = [name + choice for name in names for choice in choices]
    return names
