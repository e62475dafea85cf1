"""`cosim layout`: from a design to GDS, pictures, areas and the verdicts of rule check and comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.runs.progress import Monitor
from layouts.errors import LayoutError
from netlists.crossbar import Cells
from netlists.errors import NetlistError
from netlists.neuron import neuron_cell
from netlists.synapse import synapse_cell
from training.files import write_whole

if TYPE_CHECKING:
    from layouts.project import LayoutProject, Verdict

DRAWN_VIOLATIONS = 20
"""How many violations of a cell have a picture of their own."""
FAILED = 1


@dataclass(frozen=True)
class LayoutResult:
    """What `cosim layout` has to say: what the checks found, areas, and the files it wrote."""

    verdicts: tuple[Verdict, ...]
    areas_um2: dict[str, float]
    files: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        return 0 if all(verdict.clean for verdict in self.verdicts) else FAILED

    def as_dict(self) -> dict[str, Any]:
        """By name."""
        return {
            "cells": [verdict.as_dict() for verdict in self.verdicts],
            "areas_um2": {name: area for name, area in self.areas_um2.items() if not name.startswith("bias")},
            "bias_share_of_crossbars": self.areas_um2["bias_share_of_crossbars"],
            "files": [str(file) for file in self.files],
        }

    def lines(self) -> Iterator[str]:
        """The same for people."""
        for verdict in self.verdicts:
            rules = f"{len(verdict.violations)} violations"
            match = "LVS match" if verdict.comparison.matches else "LVS MISMATCH"
            size = f"{verdict.size_um[0]:.2f} x {verdict.size_um[1]:.2f} um"
            yield f"{verdict.name:<28} {size:>20}  {verdict.comparison.devices:>6} devices  {rules}, {match}"
            yield from (f"  {violation.line()}" for violation in verdict.violations)
            yield from (f"  {difference}" for difference in verdict.comparison.differences)
        for name in ("synapse", "neuron", "network"):
            yield f"area of a {name:<18} {self.areas_um2[name]:10.1f} um^2"
        yield f"of the crossbars bias lines  {100 * self.areas_um2['bias_share_of_crossbars']:10.1f} %"
        yield from (f"  {file}" for file in self.files if file.suffix in (".gds", ".json"))


def run_layout(design_file: Path, out: Path | None, monitor: Monitor) -> LayoutResult:
    """Draw a design and check it; writes `layout/` of the run directory, or `out`. Raises `InputError` and what rooms raise."""
    design = load_design(design_file)
    monitor.begin("layout")
    try:
        project = _drawn(design)
    except (LayoutError, NetlistError) as error:
        raise InputError(f"{design_file}: {error}") from error
    monitor.expect(len(project.subjects))
    folder = out or Path("runs") / design.name / "layout"
    folder.mkdir(parents=True, exist_ok=True)
    gds = folder / f"{design.name}.gds"
    write_whole(gds, _gds(project))
    verdicts, files = [], [gds]
    for subject, verdict in zip(project.subjects, project.verdicts(), strict=True):
        monitor.step()
        verdicts.append(verdict)
        files += _pictures(folder, project, subject.cell, verdict)
    files += _extracted(folder, project)
    result = LayoutResult(tuple(verdicts), project.areas_um2(), (*files, folder / "layout.json"))
    write_whole(folder / "layout.json", json.dumps(result.as_dict(), indent=1).encode())
    return result


def _extracted(folder: Path, project: LayoutProject) -> list[Path]:
    """Each cell and the network as SPICE with its wires, each cell as a schematic of xschem, and, place by place, tables."""
    import pandas as pd

    from layouts.extraction import extract
    from layouts.extraction.netlist import extracted_netlist
    from layouts.extraction.positions import CrossbarNets, couplings, lines, membranes
    from layouts.xschem import schematic

    files = [folder / f"{subject.cell.name}.extracted.spice" for subject in project.subjects]
    for file, subject in zip(files, project.subjects, strict=True):
        write_whole(file, extracted_netlist(subject.cell, subject.pins).encode())
    for name, devices in project.devices.items():
        files.append(folder / f"{name}.sch")
        write_whole(files[-1], schematic(devices).encode())
    wires = extract(project.network.cell)
    layers = [CrossbarNets.of(layer.plan, number) for number, layer in enumerate(project.network.layers, 1)]
    tables = {
        "capacitances": wires.table(),
        **{
            f"capacitances_{measure.__name__}": pd.concat([measure(wires, layer) for layer in layers])
            for measure in (membranes, couplings, lines)
        },
    }
    for name, table in tables.items():
        files.append(folder / f"{name}.parquet")
        write_whole(files[-1], table.to_parquet(index=False))
    return files


def _drawn(design: Design) -> LayoutProject:
    from layouts.dimensions import check_dimensions
    from layouts.project import draw

    for place, section in (("synapse", design.synapse), ("neuron", design.neuron)):
        check_dimensions(place, section)
    synapse = synapse_cell(design.synapse, design.technology, design.process.supply_v)
    bias = design.neuron.discharger_bias_v[0]
    cells = Cells(synapse, neuron_cell(design.neuron, design.technology), design.timing, design.process.supply_v, bias)
    return draw(cells, design.network.sizes, design.name)


def _gds(project: LayoutProject) -> bytes:
    import klayout.db as kdb

    options = kdb.SaveLayoutOptions()
    options.format = "GDS2"
    options.gds2_write_timestamps = False
    content: bytes = project.layout.write_bytes(options)
    return content


def _pictures(folder: Path, project: LayoutProject, cell: Any, verdict: Verdict) -> list[Path]:
    """The cell, and around the first violations of it."""
    from layouts.pictures import picture

    network = cell is project.network.cell
    files = [folder / f"{verdict.name}.png"]
    write_whole(files[0], picture(project.layout, cell, [one.place for one in verdict.violations], names=not network))
    for k, violation in enumerate(verdict.violations[:DRAWN_VIOLATIONS], start=1):
        files.append(folder / f"{verdict.name}_violation_{k}.png")
        area = violation.place.enlarged(2000, 2000)
        write_whole(files[-1], picture(project.layout, cell, [violation.place], area))
    return files
