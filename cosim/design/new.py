"""A first design of a user's own: a commented file, written from a process, a synapse and the data that the network is for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.design.choices import CHOICES
from cosim.design.design import Design, load_design
from cosim.design.reference import UNITS, toml_value
from cosim.errors import InputError
from netlists.neuron import NEURONS
from netlists.neuron.cell import DEFAULT_NEURON
from netlists.process import PROCESSES
from netlists.synapse import SYNAPSES
from training.data.names import FEATURES
from training.files import whole_file, why

SETS = {"iris": ((5, 5), 50), "wine": ((8, 3), 59)}
"""Data sets that a first design can be for: neurons of each layer, samples to test on."""

SCHEMA_FILE = "design.schema.json"

_KEYS = {
    "timing": ("phase_s", "edge_s"),
    "accuracy": ("reltol", "max_step_s"),
}
_NEURON_KEYS = ("membrane_capacitor_um", "wire_capacitance_f", "rest_v", "pullup_bias_v")
"""Of a neuron, what one changes first; its transistors keep the sizes of the process."""

_REMARKS = {
    "nmos": "drawn sizes of the NMOS branch, for positive weights",
    "pmos": "drawn sizes of the PMOS branch, for negative weights",
    "rest_v": "where a membrane waits",
    "phase_s": "one input phase, and one firing phase",
    "edge_s": "rise and fall of spikes",
    "reltol": "relative tolerance of ngspice; the report states the error that is left",
    "max_step_s": "its longest time step",
}
"""Of keys whose names leave something to say and whose schema says nothing."""


@dataclass(frozen=True)
class NewDesign:
    """What a new design is asked for with.

    Args:
        name: of the design and, with .toml, of its file.
        data: `iris`, `wine`, or the path of a table (CSV or Parquet) with a row a sample.
        process: as `cosim cells` lists them.
        synapse: kind of the cell, likewise.
        label: column of the table with the class; its last one where empty.
    """

    name: str
    data: str = "iris"
    process: str = CHOICES["process"].default
    synapse: str = CHOICES["synapse"].default
    label: str = ""

    def check(self) -> None:
        """Raises `InputError` for a name or a choice that is none."""
        pattern = next(one.pattern for one in Design.model_fields["name"].metadata if hasattr(one, "pattern"))
        if not re.fullmatch(pattern, self.name):
            raise InputError(f"{self.name!r}: is no name of a design; give letters and digits (also _ . -), such as mine")
        for option, value, there in (
            ("--process", self.process, PROCESSES),
            ("--synapse", self.synapse, startable(self.process) if self.process in PROCESSES else SYNAPSES),
        ):
            if value not in there:
                raise InputError(f"{option}: {value!r} is none of {', '.join(sorted(there))}")


def startable(process: str) -> list[str]:
    """The synapses that need nothing but the process's defaults; resistors want another membrane than the reference neuron's."""
    there = PROCESSES[process].defaults
    return [kind for kind in SYNAPSES if "resistor_length_um" not in there.get(f"synapse.{kind}", {"resistor_length_um": None})]


def write_new(asked: NewDesign, folder: Path) -> Path:
    """Write the design, which can be run as it is; returns its file. Raises `InputError`, and leaves nothing then."""
    asked.check()
    file = folder / f"{asked.name}.toml"
    if os.path.lexists(file):
        raise InputError(f"{file}: is there already; give another name, or delete it")
    try:
        with whole_file(file) as partial:
            partial.write_text("\n".join(_lines(asked, folder)), encoding="utf-8")
            load_design(partial)
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {why(error)}") from error
    return file


def _lines(asked: NewDesign, folder: Path) -> Iterator[str]:
    network, title = _network(asked, folder)
    process = PROCESSES[asked.process]
    file = f"{asked.name}.toml"
    yield f"""#:schema ./{SCHEMA_FILE}
# A design, written by `cosim new`. It runs as it is:
#   cosim run {file} --samples 3 --out runs/first   a first look
#   cosim run {file}                                everything: runs/{asked.name}/report.html
# What is left out has its default; every key with its unit and range: docs/design.md, `cosim cells`, or your editor, by the first
# line (`cosim schema --out {SCHEMA_FILE}`).
name = "{asked.name}"
title = "{title} in {process.title}, {asked.synapse.replace("_", "-")} synapses"

[process]"""
    section = process.section.model_validate({"name": asked.process})
    yield from _rows(
        section, ("name", "corner", "temperature_c", "supply_v"), {"corner": f"of {len(process.corners)}: `cosim cells`"}
    )
    yield f"\n# {_summary(SYNAPSES[asked.synapse].section)}\n[synapse]"
    synapse = process.fill(SYNAPSES[asked.synapse].section, "synapse")
    yield from _rows(synapse, ["kind", *(key for key in type(synapse).model_fields if key != "kind")])
    yield f"\n# {_summary(NEURONS[DEFAULT_NEURON].section)}\n[neuron]"
    yield from _rows(process.fill(NEURONS[DEFAULT_NEURON].section, "neuron"), _NEURON_KEYS)
    for name, keys in _KEYS.items():
        yield f"\n[{name}]"
        yield from _rows(Design.model_fields[name].default, keys)
    yield from network
    yield """
[training]
epochs = 1000
seed = 0                         # another one: other initial weights

[validation]
samples = 10                     # test samples that are simulated transistor by transistor
mismatch_dies = 0                # dies with mismatch, beside the nominal circuit

# Pass or fail: `cosim run` ends with exit code 1 where one is missed.
[limits]
"validation.ode.output_spike_rmse_s" = { max = 2e-9 }
"training.test_accuracy" = { min = 0.8 }

# The datasheet of the cells, by `cosim characterize`: uncomment, and see docs/datasheet.md.
# [datasheet]
# run = false
# corners = ["tt", "ss", "ff"]
# temperatures_c = [-40.0, 27.0, 125.0]
"""


def _network(asked: NewDesign, folder: Path) -> tuple[list[str], str]:
    """The section of the network, and what the network is, in words."""
    if asked.data in SETS:
        layers, test = SETS[asked.data]
        shown = [f'dataset = "{asked.data}"', *_sizes(layers, test)]
        return ["\n[network]", *shown, "split_seed = 2"], _title(asked.data.capitalize(), (FEATURES[asked.data] + 1, *layers))
    return _of_table(asked, folder)


def _of_table(asked: NewDesign, folder: Path) -> tuple[list[str], str]:
    from training.data.files import DataFileError
    from training.data.table import FORMATS, Table, columns_of, samples_of

    file = Path(asked.data)
    if file.suffix.lower() not in FORMATS:
        raise InputError(f"--data: {asked.data!r} is none of {', '.join(SETS)}, and no table ({', '.join(FORMATS)}) of yours")
    try:
        label = asked.label or columns_of(file)[-1]
        samples = samples_of(Table(file, label))
    except DataFileError as error:
        raise InputError(f"--data: {error}") from error
    classes = len(samples.classes)
    lines = ["\n# Your samples: a row each, a column for each feature and one for the class.", "[network]", 'dataset = "table"']
    layers = (max(5, classes), classes)
    lines += _sizes(layers, max(1, len(samples.labels) // 3))
    place = os.path.relpath(file.resolve(), folder.resolve()).replace(os.sep, "/")
    lines += ["", "[network.table]", f"file = {toml_text(place)}", f"label = {toml_text(label)}"]
    lines += [f"features = [{', '.join(toml_text(name) for name in samples.names)}]"]
    return lines, _title(re.sub(r"\W+", " ", file.stem), (len(samples.names) + 1, *layers))


def _title(data: str, sizes: Sequence[int]) -> str:
    return f"{data} {'-'.join(map(str, sizes))}"


def _sizes(layers: Sequence[int], test: int) -> list[str]:
    return [
        f"layers = [{', '.join(map(str, layers))}]{'':17}# neurons of each layer, the outputs last: at least one a class",
        f"test_samples = {test}",
    ]


def toml_text(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in escaped) + '"'


def _rows(section: Any, keys: Sequence[str], remarks: dict[str, str] | None = None) -> Iterator[str]:
    """Keys with their values, what they mean and their unit."""
    for key in keys:
        field = type(section).model_fields[key]
        said = (remarks or {}).get(key) or field.description or _REMARKS.get(key, "")
        unit = UNITS.get(key.rpartition("_")[2], "") if "_" in key else ""
        remark = f"# {', '.join(filter(None, (unit, said)))}" if unit or said else ""
        yield f"{f'{key} = {toml_value(getattr(section, key))}':32} {remark}".rstrip()


def _summary(section: type) -> str:
    return " ".join((section.__doc__ or "").split())
