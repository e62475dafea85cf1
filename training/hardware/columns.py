"""The column of a layer: which of the sizes that were characterised it is, or what follows for it from two of them.

A neuron sees its column: every synapse adds capacitance, so that currents, kicks and the bias of the discharger count for less.
What is extrapolated: the capacitance is affine in the number of synapses; charges, threshold, firing curve and delays are affine
in the capacitance; the displacement that the reset leaves falls with it; the bias of the discharger follows its logarithm, so
that a resting membrane still fires after one phase. Columns on lines that are loaded differently give no line: then all but
capacitance, bias, current of the discharger and reset is as in the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

from training.hardware.curve import Curve, HardwareModelError, Quantity
from training.hardware.places import check_places

if TYPE_CHECKING:
    from training.hardware.model import ColumnHardware, HardwareModel, NeuronHardware, SynapseHardware
    from training.shapes import Crossbar

FARTHEST = 4.0
"""A column is extrapolated to at most this many times the synapses of the largest that was characterised, or to this part of the
smallest (`python -m benchmarks columns`: 5 and 16 synapses against 64)."""

CAPACITANCE_WITHIN, THRESHOLD_WITHIN_V = 0.01, 1e-3
"""Every characterised column must follow from two others, or the larger from the smaller, as closely as this."""


RESIZED = ("capacitance_neuron", "capacitance_synapse", "discharger_bias", "reset_error")
"""Of a neuron: what `resized` says of a column, and no line through two others."""

Part = TypeVar("Part", "NeuronHardware", "SynapseHardware")


def column_of(model: HardwareModel, synapses: int, neurons: int | None) -> ColumnHardware:
    """The column of a layer with so many synapses a neuron, and so many neurons on each of its input lines.

    Where several were characterised with these synapses, the one whose input lines are loaded most alike. Raises
    `HardwareModelError` for a size that was not characterised and does not follow from those that were.
    """
    known = [column for column in model.all_columns if column.neuron.synapses == synapses]
    if known:
        return min(known, key=lambda column: abs(column.neuron.loaded_inputs - (neurons or column.neuron.loaded_inputs)))
    return _extrapolated(model, synapses)


def columns_of_layers(model: HardwareModel, crossbars: Sequence[Crossbar]) -> list[HardwareModel]:
    """The model of every layer of a network (`training.shapes.NetworkShape.crossbars`).

    Where the model has places, each layer gets its own. Raises `HardwareModelError` as `HardwareModel.at` does, and for places of
    another network.
    """
    if model.places:
        check_places(model.places, tuple(crossbars))
    return [
        model.at(layer.synapses, layer.rows).model_copy(
            update={"behind_neurons": number > 0, "places": model.places[number : number + 1]}
        )
        for number, layer in enumerate(crossbars)
    ]


def _extrapolated(model: HardwareModel, synapses: int) -> ColumnHardware:
    by_size = {column.neuron.synapses: column for column in model.all_columns}
    sizes = sorted(by_size)
    if len(sizes) < 2:
        raise HardwareModelError(
            f"neuron.synapses: the model {model.name} holds for columns of {sizes[0]} synapses, not of {synapses}; characterise "
            "a design with such a layer"
        )
    if not sizes[0] / FARTHEST <= synapses <= sizes[-1] * FARTHEST:
        raise HardwareModelError(
            f"neuron.synapses: columns of {', '.join(map(str, sizes))} synapses say nothing of one of {synapses}, which is more "
            f"than {FARTHEST:g} times as far; characterise a design with such a layer"
        )
    small, large = by_size[sizes[0]], by_size[sizes[-1]]
    _check_consistent(small, large)
    nearest = by_size[min(sizes, key=lambda size: abs(math.log(size / synapses)))]
    capacitance = _capacitance(small, large, synapses)
    found = resized(nearest, synapses, capacitance, _bias_per_log(small, large))
    if any(getattr(small.neuron, lines) != getattr(large.neuron, lines) for lines in ("fan_out", "loaded_inputs")):
        return found
    a, b = (column.neuron.capacitance_f for column in (small, large))
    share = (capacitance - a) / (b - a)
    neuron = _on_line(small.neuron, large.neuron, found.neuron, share, RESIZED)
    plus, minus = (
        _on_line(getattr(small, side), getattr(large, side), getattr(found, side), share) for side in ("plus", "minus")
    )
    return found.model_copy(update={"neuron": neuron, "plus": plus, "minus": minus})


def _on_line(small: Part, large: Part, nearest: Part, share: float, but: Collection[str] = ()) -> Part:
    """Numbers and curves of `nearest`, on the line through two columns; `share` of the way from the small one to the large one.

    A curve of which one column lost points stays as it is, and so does what only one of them has.
    """

    def line(a: float, b: float) -> float:
        return a + share * (b - a)

    changed: dict[str, Quantity | Curve] = {}
    for name, a in small:
        b, here = getattr(large, name), getattr(nearest, name)
        if isinstance(a, Quantity) and isinstance(b, Quantity) and name not in but:
            changed[name] = here.model_copy(update={"value": line(a.value, b.value)})
        elif isinstance(a, Curve) and isinstance(b, Curve) and len(a.x) == len(b.x):
            x, y = (tuple(map(line, getattr(a, axis), getattr(b, axis))) for axis in "xy")
            changed[name] = here.model_copy(update={"x": x, "y": y})
    return nearest.model_copy(update=changed)


def _capacitance(small: ColumnHardware, large: ColumnHardware, synapses: int) -> float:
    """Through the two loaded capacitances, farad."""
    a, b = small.neuron, large.neuron
    return a.capacitance_f + (synapses - a.synapses) * (b.capacitance_f - a.capacitance_f) / (b.synapses - a.synapses)


def _bias_per_log(small: ColumnHardware, large: ColumnHardware) -> float:
    """Change of the discharger's bias per e-fold of capacitance, volt."""
    return (large.neuron.discharger_bias.value - small.neuron.discharger_bias.value) / math.log(
        large.neuron.capacitance_f / small.neuron.capacitance_f
    )


def _check_consistent(small: ColumnHardware, large: ColumnHardware) -> None:
    """Raises `HardwareModelError` unless the larger column is what the smaller one says of it."""
    a, b = small.neuron, large.neuron
    said = a.capacitance_neuron.value + b.synapses * a.capacitance_synapse.value
    off, moved = said / b.capacitance_f - 1.0, abs(a.v_th_v - b.v_th_v)
    if abs(off) > CAPACITANCE_WITHIN or moved > THRESHOLD_WITHIN_V:
        raise HardwareModelError(
            f"neuron.synapses: the column of {a.synapses} synapses gives that of {b.synapses} {100 * off:+.2f} % of capacitance "
            f"and a threshold {1e3 * moved:.2f} mV off, so that no other size follows from them; characterise the one in use"
        )


def resized(column: ColumnHardware, synapses: int, capacitance_f: float, bias_per_log_v: float) -> ColumnHardware:
    """The column with another number of synapses and its loaded capacitance (F)."""
    neuron = column.neuron
    larger = capacitance_f / neuron.capacitance_f

    def scaled(name: str, factor: float) -> dict[str, object]:
        quantity = getattr(neuron, name)
        return {name: quantity.model_copy(update={"value": quantity.value * factor})}

    bias = neuron.discharger_bias.value + bias_per_log_v * math.log(larger)
    per_synapse = (capacitance_f - neuron.capacitance_neuron.value) / synapses
    changed = {
        "synapses": synapses,
        "capacitance_synapse": neuron.capacitance_synapse.model_copy(update={"value": per_synapse}),
        "discharger_bias": neuron.discharger_bias.model_copy(update={"value": bias}),
        **scaled("discharger_current", larger),
        **scaled("reset_error", 1.0 / larger),
    }
    return column.model_copy(update={"neuron": neuron.model_copy(update=changed)})
