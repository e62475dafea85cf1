"""The cells that a design asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cosim.design.design import Design
from cosim.errors import InputError
from netlists.crossbar import Cells
from netlists.errors import GeometryError
from netlists.neuron import neuron_cell
from netlists.section import FetSize
from netlists.synapse import synapse_cell


def cells_of(design: Design, discharger_bias_v: float | None = None, input_lead_s: float = 0.0) -> Cells:
    """The cells of a design in its process; without a bias the dischargers sit in the middle of their range."""
    synapse = synapse_cell(design.synapse, design.technology, design.process.supply_v)
    neuron = neuron_cell(design.neuron, design.technology)
    middle_v = sum(design.neuron.discharger_bias_v) / 2
    bias_v = middle_v if discharger_bias_v is None else discharger_bias_v
    process = design.process
    return Cells(synapse, neuron, design.timing, process.supply_v, bias_v, input_lead_s, drawn=process.layout)


@contextlib.contextmanager
def sizes_by_key(design: Design) -> Iterator[None]:
    """A size that no device has, or no model covers, leaves as `InputError` with the keys of the design that hold it."""
    try:
        yield
    except GeometryError as error:
        if keys := _keys_of_size(design, error.size_um):
            raise InputError(f"{' and '.join(keys)}: {error}") from error
        raise


def _keys_of_size(design: Design, size_um: tuple[float, float] | None) -> list[str]:
    """The transistors and capacitors of the cells, by their paths in the design, that have this width and length (um)."""
    fields = [
        (f"{section}.{name}", (value.width_um, value.length_um) if isinstance(value, FetSize) else value)
        for section, of in (("synapse", design.synapse), ("neuron", design.neuron))
        for name, value in of
    ]
    return [path for path, value in fields if size_um is not None and value == size_um]
