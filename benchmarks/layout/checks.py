"""The layout of the reference design and of larger arrays: rules, comparison, seeded faults, time, area."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import process_time

from benchmarks.figure import Figure
from benchmarks.layout.faults import FAULTS, found, patients
from cosim.design import load_design
from layouts.extraction import extract
from layouts.project import draw
from netlists.crossbar import Cells
from netlists.neuron import neuron_cell
from netlists.synapse import SYNAPSES, synapse_cell

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
REFERENCE, ARRAYS = (5, 5, 5), ((8, 8), (64, 32))
OTHER_CELLS = ("cascode", "binary_weighted", "resistive", "transmission_gate")
"""Beside that of the reference design."""


def cells(synapse: str = "") -> Cells:
    """Those of the reference design, with another synapse in the process's sizes where one is named."""
    design = load_design(DESIGN)
    process, supply = design.technology, design.process.supply_v
    section = process.fill(SYNAPSES[synapse].section, "synapse") if synapse else design.synapse
    made = synapse_cell(section, process, supply), neuron_cell(design.neuron, process)
    return Cells(*made, design.timing, supply, design.neuron.discharger_bias_v[0])


def figures(quick: bool) -> Iterator[Figure]:
    """Every figure; with `quick` without the array of 64 x 32."""
    warm = draw(cells(), (2, 2), "warm")  # its layout lives as long as it is held
    extract(warm.network.cell)
    start = process_time()
    project = draw(cells(), REFERENCE, "iris_5_5_5")
    drawn = process_time()
    verdicts = list(project.verdicts())
    checked = process_time()
    extract(project.network.cell)
    extracted = process_time()
    of = "5-5-5 with its cells"
    yield Figure("layout.draw_seconds_5_5_5", drawn - start, "s", "at most 2", f"{of}, CPU time")
    yield Figure("layout.check_seconds_5_5_5", checked - drawn, "s", "", f"rules and comparison, {of}, CPU time")
    yield Figure("layout.seconds_5_5_5", extracted - start, "s", "at most 20", f"drawn, checked and extracted, {of}, CPU time")
    for name in OTHER_CELLS:
        verdicts += draw(cells(name), REFERENCE, name).verdicts()
    for inputs, outputs in ARRAYS[: 1 if quick else None]:
        start = process_time()
        verdicts.append(list(draw(cells(), (inputs, outputs), f"array_{inputs}_{outputs}").verdicts())[-1])
        yield Figure(f"layout.seconds_{inputs}_{outputs}", process_time() - start, "s", "", "drawn and checked, CPU time")
    names = ", ".join(dict.fromkeys(verdict.name for verdict in verdicts))
    violations = sum(len(verdict.violations) for verdict in verdicts)
    mismatches = sum(not verdict.comparison.matches for verdict in verdicts)
    yield Figure("layout.drc_violations", violations, "", "0", names)
    yield Figure("layout.lvs_mismatches", mismatches, "", "0", names)
    spoilt = patients(project, cells("resistive").synapse)
    named = [bool(found(fault, spoilt)) for fault in FAULTS]
    yield Figure("layout.faults_found_fraction", sum(named) / len(named), "", "1", f"{len(named)} seeded faults")
    areas = project.areas_um2()
    yield Figure("layout.area_synapse_m2", areas["synapse"] * 1e-12, "m^2", "", "in its row of the 5-5-5, with its bias lines")
    yield Figure("layout.area_neuron_m2", areas["neuron"] * 1e-12, "m^2", "", "with its capacitor and spike driver")
    yield Figure("layout.area_network_m2", areas["network"] * 1e-12, "m^2", "", "5-5-5 with drivers and all lines")
    yield Figure("layout.bias_line_share", areas["bias_share_of_crossbars"], "", "", "of the crossbars' area")
