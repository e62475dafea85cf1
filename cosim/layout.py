"""`cosim layout`: from a design to GDS, pictures, areas and the verdicts of rule check and comparison."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.runs.progress import Monitor
from layouts.errors import LayoutError, ToolNotFound
from layouts.gold import GoldTools, found_tools
from netlists.crossbar import Cells, Settings
from netlists.errors import NetlistError
from netlists.neuron import neuron_cell
from netlists.synapse import synapse_cell
from training.files import why, write_whole

if TYPE_CHECKING:
    import pandas as pd

    from cosim.mapping.network import MappedNetwork, Setting
    from layouts.gold.verdict import GoldVerdict
    from layouts.project import LayoutProject, Verdict

DRAWN_VIOLATIONS = 20
"""How many violations of a cell have a picture of their own."""
FAILED = 1


@dataclass(frozen=True)
class WireCapacitance:
    """What wires of a kind have in a layer (F), and what the schematic has in their place"""

    what: str
    layer: int
    schematic_f: float
    least_f: float
    mean_f: float
    most_f: float

    def line(self) -> str:
        """For people, in fF."""
        least, mean, most, schematic = (1e15 * farads for farads in (self.least_f, self.mean_f, self.most_f, self.schematic_f))
        name = f"{self.what}, layer {self.layer}"
        return f"{name:<28} {mean:10.1f} fF of wires, {least:.1f} to {most:.1f}; schematic {schematic:.1f}"


@dataclass(frozen=True)
class LayoutResult:
    """What `cosim layout` has to say: what the checks found, areas, wires, and the files it wrote.

    `gold` is what magic and netgen say, `gold_tools` which they are; nothing where they were not asked, and `not_asked` says why.
    `weights` says which are in the drawing, where devices make them.
    """

    verdicts: tuple[Verdict, ...]
    areas_um2: dict[str, float]
    wires: tuple[WireCapacitance, ...]
    files: tuple[Path, ...]
    gold: tuple[GoldVerdict, ...] = ()
    gold_tools: str = ""
    not_asked: str = ""
    weights: str = ""

    @property
    def exit_code(self) -> int:
        return 0 if all(one.clean for one in self.verdicts) and all(one.clean for one in self.gold) else FAILED

    def as_dict(self) -> dict[str, Any]:
        """By name."""
        return {
            "cells": [verdict.as_dict() for verdict in self.verdicts],
            "areas_um2": {name: area for name, area in self.areas_um2.items() if not name.startswith("bias")},
            "bias_share_of_crossbars": self.areas_um2["bias_share_of_crossbars"],
            "weights": self.weights,
            "wires": [asdict(wire) for wire in self.wires],
            "gold": {"tools": self.gold_tools, "not_asked": self.not_asked, "cells": [one.as_dict() for one in self.gold]},
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
        if self.weights:
            yield f"weights: {self.weights}"
        yield from self._gold_lines()
        for name in ("synapse", "neuron", "network"):
            yield f"area of a {name:<18} {self.areas_um2[name]:10.1f} um^2"
        yield f"of the crossbars bias lines  {100 * self.areas_um2['bias_share_of_crossbars']:10.1f} %"
        yield from (wire.line() for wire in self.wires)
        yield from (f"  {file}" for file in self.files if file.suffix in (".gds", ".json"))

    def _gold_lines(self) -> Iterator[str]:
        if self.gold:
            yield self.gold_tools
        elif os.environ.get("PDK_ROOT") and self.not_asked:
            yield f"not asked: {self.not_asked}"
        for found in self.gold:
            yield found.line()
            yield from (f"  {violation.line()}" for violation in found.violations)
            yield from (f"  {difference}" for difference in found.comparison.differences)


def run_layout(
    design_file: Path, out: Path | None, monitor: Monitor, gold: bool | None = None, run: Path | None = None
) -> LayoutResult:
    """Draw a design and check it; writes `layout/` of the run directory, or `out`. Raises `InputError` and what rooms raise.

    `gold`: whether magic and netgen are asked too; where they and their PDK are found unless given. Raises `ToolNotFound` where
    they have to be and are not. `run`: whose trained network is drawn where a device makes each weight; that of the design unless
    given, where it was mapped.
    """
    design = load_design(design_file)
    tools, not_asked = _gold_tools(gold)
    monitor.begin("layout")
    try:
        project, weights = _drawn(design, run)
    except (LayoutError, NetlistError) as error:
        raise InputError(f"{design_file}: {error}") from error
    monitor.expect(len(project.subjects) * (2 if tools else 1))
    folder = out or Path("runs") / design.name / "layout"
    folder.mkdir(parents=True, exist_ok=True)
    gds = folder / f"{design.name}.gds"
    write_whole(gds, _gds(project))
    verdicts, files = [], [gds]
    for subject, verdict in zip(project.subjects, project.verdicts(), strict=True):
        monitor.step()
        verdicts.append(verdict)
        files += _pictures(folder, project, subject.cell, verdict)
    tables = _capacitances(project)
    files += _extracted(folder, project, tables)
    result = LayoutResult(
        tuple(verdicts),
        project.areas_um2(),
        tuple(_wires(design, tables)),
        (*files, folder / "layout.json"),
        tuple(_gold(tools, project, monitor)) if tools else (),
        str(tools or ""),
        not_asked,
        weights,
    )
    write_whole(folder / "layout.json", json.dumps(result.as_dict(), indent=1).encode())
    return result


def _gold_tools(gold: bool | None) -> tuple[GoldTools | None, str]:
    """magic and netgen, or why they are not asked."""
    if gold is False:
        return None, ""
    try:
        return found_tools(), ""
    except ToolNotFound as error:
        if gold:
            raise
        return None, str(error)


def _gold(tools: GoldTools, project: LayoutProject, monitor: Monitor) -> Iterator[GoldVerdict]:
    from layouts.gold.verdict import gold_verdict

    for subject in project.subjects:
        monitor.step()
        yield gold_verdict(tools, subject)


def _capacitances(project: LayoutProject) -> dict[str, pd.DataFrame]:
    """Of the network's wires: pair by pair, and place by place."""
    import pandas as pd

    from layouts.extraction import extract
    from layouts.extraction.positions import CrossbarNets, couplings, lines, membranes

    wires = extract(project.network.cell)
    layers = [CrossbarNets.of(layer.plan, number) for number, layer in enumerate(project.network.layers, 1)]
    places = {one.__name__: pd.concat([one(wires, layer) for layer in layers]) for one in (membranes, couplings, lines)}
    return {"capacitances": wires.table(), **{f"capacitances_{name}": table for name, table in places.items()}}


def _wires(design: Design, tables: Mapping[str, pd.DataFrame]) -> Iterator[WireCapacitance]:
    """Membranes and spike lines of each layer, as extracted and in the schematic, whose wires are a lump on the membrane."""
    lump: float = getattr(design.neuron, "wire_capacitance_f", 0.0)
    for name, what, schematic in (("membranes", "membrane", lump), ("lines", "spike line", 0.0)):
        for layer, own in tables[f"capacitances_{name}"].groupby("layer"):
            farads = own.capacitance_f
            yield WireCapacitance(what, int(layer), schematic, float(farads.min()), float(farads.mean()), float(farads.max()))


def _extracted(folder: Path, project: LayoutProject, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Each cell and the network as SPICE with its wires, each cell as a schematic of xschem, and the tables."""
    from layouts.extraction.netlist import extracted_netlist
    from layouts.xschem import schematic

    files = [folder / f"{subject.cell.name}.extracted.spice" for subject in project.subjects]
    for file, subject in zip(files, project.subjects, strict=True):
        write_whole(file, extracted_netlist(subject.cell, subject.pins).encode())
    for name, devices in project.devices.items():
        files.append(folder / f"{name}.sch")
        write_whole(files[-1], schematic(devices).encode())
    for name, table in tables.items():
        files.append(folder / f"{name}.parquet")
        write_whole(files[-1], table.to_parquet(index=False))
    return files


def _drawn(design: Design, run: Path | None) -> tuple[LayoutProject, str]:
    """The drawing, and which weights are in it; nothing where biases set them."""
    from layouts.dimensions import check_dimensions
    from layouts.project import draw

    for place, section in (("synapse", design.synapse), ("neuron", design.neuron)):
        check_dimensions(place, section)
    synapse = synapse_cell(design.synapse, design.technology, design.process.supply_v)
    bias = design.neuron.discharger_bias_v[0]
    cells = Cells(synapse, neuron_cell(design.neuron, design.technology), design.timing, design.process.supply_v, bias)
    trained = _trained(design, synapse.weight_is_drawn, run)
    weights = str(trained[0]) if trained else "weakest and strongest side by side" if synapse.weight_is_drawn else ""
    return draw(cells, design.network.sizes, design.name, trained[1] if trained else ()), weights


def _trained(design: Design, weight_is_drawn: bool, run: Path | None) -> tuple[Path, Sequence[Settings]] | None:
    """What a run has mapped, and where that is. None where there is nothing to be drawn."""
    import pandas as pd

    from cosim.mapping.network import mapped_networks

    file = (run or Path("runs") / design.name) / "mapping.parquet"
    if run and not weight_is_drawn:
        raise InputError(f"--run: biases set the weights of {design.synapse.kind}: every network is drawn alike; leave it out")
    if not weight_is_drawn or not (run or file.exists()):
        return None
    if not file.exists():
        raise InputError(f"{file}: is not there; `cosim map DESIGN --out {file.parent}` writes it")
    try:
        mapped = mapped_networks(pd.read_parquet(file))["ode"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{file}: is not what `cosim map` writes: {why(error)}; map the design anew") from None
    inputs = 1 + max(line for lines in mapped.lines[0] for line in lines)
    if any(len(lines) < inputs for lines in mapped.lines[0]):  # not all are linked, and the last input may be one without a link
        inputs = max(inputs, design.network.sizes[0])
    sizes = [inputs, *map(len, mapped.settings)]
    if sizes != list(design.network.sizes):
        has, wanted = ("-".join(map(str, size)) for size in (sizes, design.network.sizes))
        raise InputError(f"{file}: is of a network of {has}, {design.name} of {wanted}; map it anew, or name its run by --run")
    return file, list(_on_all_lines(mapped, sizes))


def _on_all_lines(mapped: MappedNetwork, sizes: Sequence[int]) -> Iterator[list[list[Setting]]]:
    """Settings of every layer with a place for each line; None too where a network has no link."""
    for rows, lines, inputs in zip(mapped.settings, mapped.lines, sizes, strict=False):
        linked = [dict(zip(own, row, strict=True)) for own, row in zip(lines, rows, strict=True)]
        yield [[neuron.get(line) for line in range(inputs)] for neuron in linked]


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
