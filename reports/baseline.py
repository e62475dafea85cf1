"""The conventional mapping of a run, which is there to compare with: a run may be without it, and says why."""

from __future__ import annotations

NOTES = "mapping.json"
"""File of a run directory: what there is to say of its mapping beside the numbers."""
LEFT_OUT = "conventional_left_out"
"""Its key for the reason why there is no conventional mapping."""

_PREFIXES = (
    "validation.conventional", "circuit.conventional_", "training.conventional_", "mapping.conventional_", "mapping.gain_",
)  # fmt: skip


def is_of_baseline(metric: str) -> bool:
    """Whether only a run with a conventional mapping has this metric."""
    return metric == "validation.error_ratio" or metric.startswith(_PREFIXES)
