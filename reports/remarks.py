"""What a user must hear of a run though no limit asks: from its metrics and notes, for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reports.baseline import LEFT_OUT
from reports.formatting import engineering, percent

MOST_OFF = 0.25
"""A larger share of synapses below the smallest code is said."""
ABOVE_CHANCE = 1.05
"""An accuracy of less than this many times that of the commonest class is no better than it."""
LARGEST_ERROR_SHARE = 0.2
"""A numerical error of more than this share of the error that it is in is said."""


def remarks(metrics: Mapping[str, float], notes: Mapping[str, str]) -> list[str]:
    """One line each; none where all is well."""
    return [*_of_training(metrics), *_of_mapping(metrics, notes), *_of_validation(metrics)]


def _of_training(metrics: Mapping[str, float]) -> Iterator[str]:
    if dead := metrics.get("training.dead_layers"):
        yield (
            f"training: {dead:.0f} {'layer' if dead == 1 else 'layers'} of which no neuron spikes for any test sample; look at "
            "the range of codes in the design: the cell may be too strong or too weak for such a column"
        )
    accuracy, chance = metrics.get("training.test_accuracy"), metrics.get("training.chance_accuracy")
    if accuracy is not None and chance is not None and accuracy < ABOVE_CHANCE * chance:
        yield f"training: {percent(accuracy)} of the test samples are right, the commonest class alone is {percent(chance)}"
    off, synapses = metrics.get("training.off_synapses"), metrics.get("training.synapses")
    if "mapping.synapses" not in metrics and off and synapses and off > MOST_OFF * synapses:
        yield _off("training", off, synapses)


def _of_mapping(metrics: Mapping[str, float], notes: Mapping[str, str]) -> Iterator[str]:
    off, synapses = metrics.get("mapping.off_synapses"), metrics.get("mapping.synapses")
    if off and synapses and off > MOST_OFF * synapses:
        yield _off("mapping", off, synapses)
    if reason := notes.get(LEFT_OUT):
        yield f"no conventional mapping to compare with: {reason}"


def _off(stage: str, off: float, synapses: float) -> str:
    return f"{stage}: {off:.0f} of {synapses:.0f} synapses are off, their weights below the smallest code of the cell"


def _of_validation(metrics: Mapping[str, float]) -> Iterator[str]:
    if past := metrics.get("validation.past_supply_share"):
        low, high = (metrics.get(f"validation.{end}_model_membrane_v") for end in ("lowest", "highest"))
        yield (
            f"validation: {percent(past)} of the model's membranes lie beyond ground or supply, {engineering(low, 'V', 4)} to "
            f"{engineering(high, 'V', 4)}, where the circuit's cannot follow"
        )
    error, doubt = (metrics.get(f"validation.conventional.{name}_s") for name in ("output_spike_rmse", "numerical_error"))
    if error and doubt and doubt > LARGEST_ERROR_SHARE * error:
        yield (
            f"validation: the numerical error of the conventional circuit, {engineering(doubt, 's')}, is a good part of its "
            f"error, {engineering(error, 's')}; lower accuracy.reltol"
        )
