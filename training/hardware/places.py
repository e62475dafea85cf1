"""What differs from place to place in a layer that was laid out: cells that are drawn alike have other wires around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from training.hardware.curve import FloatArray, HardwareModelError, Record

if TYPE_CHECKING:
    from training.shapes import Crossbar

LARGEST_F, LARGEST_C, LARGEST_S = 1e-11, 1e-11, 1e-3

Row = tuple[float, ...]


class LayerPlaces(Record):
    """One layer of a layout, beside the column that stands for all its neurons. Charges count positive towards the threshold."""

    capacitance_f: Row = Field(min_length=1, description="of each membrane, beyond that of the column (F)")
    between_f: tuple[Row, ...] = Field(description="from membrane to membrane of the layer, symmetric, 0 on the diagonal (F)")
    charge_on_c: tuple[Row, ...] = Field(
        description="by neuron and input: charge of an arriving spike, whatever the weight, beyond that of the column (C); it "
        "leaves again as the spike line falls"
    )
    off_share: Row = Field(
        description="by input: share by which charges of switching off change, since its lines fall more slowly than the column's"
    )
    off_crosstalk: tuple[Row, ...] = Field(description="by input, for each other input: the same where that one's lines fall too")
    delay_s: Row = Field(description="by neuron: of its spikes, beyond that of its column and of the synapses on its line (s)")

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
        if len(self.off_share) != inputs or [len(row) for row in self.off_crosstalk] != [inputs] * inputs:
            raise ValueError(f"off_share, off_crosstalk: must be {inputs}, and {inputs} x {inputs}, as many as there are inputs")
        limits = {"capacitance_f": LARGEST_F, "between_f": LARGEST_F, "charge_on_c": LARGEST_C, "delay_s": LARGEST_S}
        for name, largest in (limits | dict.fromkeys(("off_share", "off_crosstalk"), 1.0)).items():
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
    def shape(self) -> tuple[int, int]:
        """Neurons, and inputs of each."""
        return len(self.charge_on_c), len(self.charge_on_c[0])


def check_places(places: tuple[LayerPlaces, ...], crossbars: tuple[Crossbar, ...]) -> None:
    """Raises `HardwareModelError` where a layout is of another network than the one with these layers."""
    drawn, wanted = [one.shape for one in places], [(layer.neurons, layer.synapses) for layer in crossbars]
    if drawn != wanted:
        told = (", ".join(f"{inputs} x {neurons}" for neurons, inputs in layers) for layers in (drawn, wanted))
        raise HardwareModelError("places: the layout is of layers {}, the network has {}; characterise its design".format(*told))
