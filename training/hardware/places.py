"""What differs from place to place in a layer that was laid out: cells that are drawn alike have other wires around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from training.hardware.curve import FloatArray, HardwareModelError, Record

if TYPE_CHECKING:
    from training.shapes import Crossbar

LARGEST_F, LARGEST_C, LARGEST_S, LARGEST_OHM = 1e-11, 1e-11, 1e-3, 1e6

Row = tuple[float, ...]
SignPair = tuple[float, float]


class LayerPlaces(Record):
    """One layer of a layout, beside the column that stands for all its neurons. Charges count positive towards the threshold."""

    capacitance_f: Row = Field(min_length=1, description="of each membrane, beyond that of the column (F)")
    between_f: tuple[Row, ...] = Field(description="from membrane to membrane of the layer, symmetric, 0 on the diagonal (F)")
    charge_on_c: tuple[Row, ...] = Field(
        description="by neuron and input: charge of an arriving spike, whatever the weight, beyond that of the column (C); it "
        "leaves again as the spike line falls"
    )
    falling_f: Row = Field(description="by input: what its lines have beyond those of the column as they fall (F)")
    crosstalk_f: tuple[Row, ...] = Field(
        description="by input, for each other input: what they have more where its lines fall too (F)"
    )
    off_per_f: SignPair = Field(
        description="charge of switching off of synapses of each sign, plus first, per such capacitance (C/F)"
    )
    off_tail_per_f: SignPair = Field(description="the same of its tail, per e-fold of time (C/F)")
    delay_s: Row = Field(description="by neuron: of its spikes, beyond that of its column and of the synapses on its line (s)")
    drop_ohm: tuple[tuple[Row, ...], ...] = Field(
        default=(),
        description="of ground and of the supply, by neuron and neuron: voltage that a row's line drops by the current of each "
        "row of the layer (ohm); nothing where lines are ideal",
    )

    @model_validator(mode="after")
    def _of_one_layer(self) -> LayerPlaces:
        neurons = len(self.capacitance_f)
        between, charge = self.between, np.array(self.charge_on_c, dtype=object)
        if len(self.delay_s) != neurons:
            raise ValueError(f"delay_s: must have a number for each of {neurons} neurons")
        if len(self.charge_on_c) != neurons or charge.ndim != 2:
            raise ValueError(f"charge_on_c: must have a row for each of {neurons} neurons, with all inputs")
        if between.shape != (neurons, neurons) or np.any(between != between.T) or np.any(np.diag(between)) or np.any(between < 0):
            raise ValueError(f"between_f: must be {neurons} x {neurons}, symmetric, 0 on the diagonal and nowhere negative")
        inputs = charge.shape[1]
        if len(self.falling_f) != inputs or [len(row) for row in self.crosstalk_f] != [inputs] * inputs:
            raise ValueError(f"falling_f, crosstalk_f: must be {inputs}, and {inputs} x {inputs}, as many as there are inputs")
        if self.drop_ohm and self.drops.shape != (2, neurons, neurons):
            raise ValueError(f"drop_ohm: must be {neurons} x {neurons} for ground, and for the supply")
        names = ("capacitance_f", "between_f", "falling_f", "crosstalk_f")
        limits = dict.fromkeys(names, LARGEST_F) | {"charge_on_c": LARGEST_C, "delay_s": LARGEST_S, "drop_ohm": LARGEST_OHM}
        for name, largest in limits.items():
            if np.abs(np.array(getattr(self, name), dtype=float)).max(initial=0.0) > largest:
                raise ValueError(f"{name}: no circuit has more than {largest:g}; is it in another unit?")
        return self

    @property
    def between(self) -> FloatArray:
        """`between_f`, [out, out]."""
        try:
            return np.array(self.between_f, dtype=float)
        except ValueError:
            return np.empty(0)

    @property
    def drops(self) -> FloatArray:
        """`drop_ohm`, [2, out, out]; 0 where there is none."""
        neurons = len(self.capacitance_f)
        try:
            return np.array(self.drop_ohm, dtype=float) if self.drop_ohm else np.zeros((2, neurons, neurons))
        except ValueError:
            return np.empty(0)

    @property
    def shape(self) -> tuple[int, int]:
        """Neurons, and inputs of each."""
        return len(self.charge_on_c), len(self.charge_on_c[0])


def check_places(places: tuple[LayerPlaces, ...], crossbars: tuple[Crossbar, ...]) -> None:
    """Raises `HardwareModelError` where a layout is of another network than the one with these layers."""
    drawn, wanted = [one.shape for one in places], [(layer.neurons, layer.synapses) for layer in crossbars]
    if drawn != wanted:
        told = (", ".join(f"{inputs} x {neurons}" for neurons, inputs in layers) for layers in (drawn, wanted))
        raise HardwareModelError("places: the layout is of layers {}, the network has {}; characterise its design".format(*told))
