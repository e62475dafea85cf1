"""A hardware model that a run is given: whether it is of the design's circuit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.errors import InputError
from netlists.synapse import SIGNS, synapse_cell
from training.hardware import HardwareModel, HardwareModelError, columns_of_layers

if TYPE_CHECKING:
    from cosim.design import Design


def read_hardware(path: Path, design: Design) -> HardwareModel:
    """The model in a file. Raises `InputError` where it is not of the design's circuit, `HardwareModelError` where it is none."""
    hardware = HardwareModel.load(path)
    for field, found, key, wanted in _shared(hardware, design):
        same = (
            abs(found - wanted) <= 1e-9 * abs(wanted)
            if isinstance(found, float) and isinstance(wanted, float)
            else found == wanted
        )
        if not same:
            shown = [f"{value:g}" if isinstance(value, float) else value for value in (found, wanted)]
            raise InputError(f"{path}: {field}: is {shown[0]}, {key} of the design is {shown[1]}")
    try:
        _check_codes(hardware, design)
        columns_of_layers(hardware, design.shape.crossbars)
    except HardwareModelError as error:
        raise InputError(f"{path}: {error}") from error
    return hardware


def _shared(hardware: HardwareModel, design: Design) -> Iterator[tuple[str, float | str, str, float | str]]:
    """What a hardware model and its design both say: field, its value, key of the design, its value."""
    process = design.process
    cell = synapse_cell(design.synapse, design.technology, process.supply_v)
    yield "cell", hardware.cell, "synapse.kind", design.synapse.kind
    yield "phase_s", hardware.phase_s, "timing.phase_s", design.timing.phase_s
    if not process.library:  # which is none of the process's sets
        yield "model_set", hardware.model_set, "process.model_set", str(process.model_set)
    yield "corner", hardware.corner, "process.corner", str(process.corner)
    yield "temperature_c", hardware.temperature_c, "process.temperature_c", process.temperature_c
    yield "neuron.rest", hardware.neuron.rest.value, "neuron.rest_v", design.neuron.rest_v
    for name, synapse in (("plus", hardware.plus), ("minus", hardware.minus)):
        yield f"{name}.code_name", synapse.code_name, "what sets the weight in synapse.kind", cell.code_name
        yield f"{name}.code_unit", synapse.code_unit, "its unit in synapse.kind", cell.code_unit


def _check_codes(hardware: HardwareModel, design: Design) -> None:
    """Raises `HardwareModelError` for codes of which none is among those of the design."""
    cell = synapse_cell(design.synapse, design.technology, design.process.supply_v)
    for name, sign in zip(("plus", "minus"), SIGNS, strict=True):
        own, wanted = sorted(hardware.synapse(sign).code.y), sorted(float(code) for code in cell.codes(sign, 2))
        if own[-1] < wanted[0] or own[0] > wanted[-1]:
            raise HardwareModelError(
                f"{name}.code: is {own[0]:g} .. {own[-1]:g} {cell.code_unit}, the codes of the design are "
                f"{wanted[0]:g} .. {wanted[-1]:g} {cell.code_unit}"
            )
