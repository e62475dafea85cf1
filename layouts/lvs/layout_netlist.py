"""The netlist that lies in a layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import klayout.db as kdb

from layouts.devices import CAPACITOR, GROUND, RESISTOR, TRANSISTORS
from layouts.lvs.extractors import PlateExtractor, ResistorExtractor
from layouts.technology import CUTS, LABELS, LAYERS, WIRES

_DRAWN = (
    "nwell", "diff", "tap", "poly", "licon1", *WIRES[1:], *CUTS, "nsdm", "psdm", "hvtp", "lvtn", "cap2m", "poly_res",
)  # fmt: skip


class LayoutNetlist:
    """Devices and nets of a cell and what lies below it, by the labels in it, taken apart into one circuit."""

    def __init__(self, layout: kdb.Layout, cell: kdb.Cell) -> None:
        self._extract(layout, cell, taps_join=False)
        if self._taps_alone():
            self._extract(layout, cell, taps_join=True)

    def _extract(self, layout: kdb.Layout, cell: kdb.Cell, taps_join: bool) -> None:
        """`taps_join`: a tap joins what is wired to it and its well or the substrate, which otherwise is no way to join wires."""
        self.extractor = kdb.LayoutToNetlist(kdb.RecursiveShapeIterator(layout, cell, []))
        self.layers = {name: self.extractor.make_layer(layout.layer(*LAYERS[name]), name) for name in _DRAWN}
        self._derive()
        self._find_devices()
        self._connect(layout, taps_join)
        self.extractor.extract_netlist()
        self.netlist = self.extractor.netlist()
        self.netlist.flatten()
        self.circuit = self.netlist.circuit_by_name(cell.name)

    def _taps_alone(self) -> bool:
        """Whether wells or substrate have devices in them and wires on their taps that no device is wired to: klayout then takes
        the two for two nets."""
        nets = list(self.circuit.each_net()) if self.circuit else []
        idle = {net.name for net in nets if net.name and net.terminal_count() == 0}
        return bool(idle) and any(
            (not net.name or net.name in idle) and net.terminal_count() and all(map(_is_bulk, net.each_terminal()))
            for net in nets
        )

    def problems(self) -> list[str]:
        """Nets with two names, names on two nets, and wells or substrate that joins what no wire joins."""
        found = []
        names = Counter[str]()
        for net in self.circuit.each_net() if self.circuit else ():
            labels = net.name.split(",") if net.name else []
            if len(labels) > 1:
                found.append(f"short: nets {' and '.join(sorted(labels))} are one")
            names.update(labels)
        found += [f"open: net {name} is in {count} pieces" for name, count in names.items() if count > 1]
        found += [
            f"net joined by a well or the substrate alone: {entry.message}"
            for entry in self.extractor.each_log_entry()
            if entry.severity in (kdb.Severity.Warning, kdb.Severity.Error)
        ]
        return found

    def _derive(self) -> None:
        s = self.layers
        gate = s["poly"] & s["diff"]
        outside = s["diff"] - gate
        named: Mapping[str, kdb.Region] = {
            "gate": gate,
            "n-end": (outside & s["nsdm"]) - s["nwell"],
            "p-end": outside & s["psdm"] & s["nwell"],
            "n-tap": s["tap"] & s["nsdm"] & s["nwell"],
            "p-tap": (s["tap"] & s["psdm"]) - s["nwell"],
            "n-gate": (gate & s["nsdm"]) - s["nwell"],
            "p-gate": gate & s["psdm"] & s["nwell"],
            "body": s["poly"] & s["poly_res"],
            "wire": s["poly"] - s["poly_res"],
            "plate": s["cap2m"].dup(),
            "under plate": s["met4"] & s["cap2m"],
            "via4 on plate": s["via4"] & s["cap2m"],
            "via4 beside": s["via4"] - s["cap2m"],
        }
        s |= named
        for name, shapes in named.items():
            self.extractor.register(shapes, name)
        s["bulk"] = self.extractor.make_layer("bulk")  # the substrate is everywhere

    def _find_devices(self) -> None:
        s = self.layers
        for model, implant in TRANSISTORS.items():
            channel = s[f"{implant.channel}-gate"]
            marker = {"n": "lvtn", "p": "hvtp"}[implant.channel]
            gate = channel & s[marker] if implant.marker else channel - s[marker]
            end, well = s[f"{implant.channel}-end"], s["nwell"] if implant.channel == "p" else s["bulk"]
            self.extractor.extract_devices(
                kdb.DeviceExtractorMOS4Transistor(model),
                {"SD": end, "G": gate, "W": well, "tS": end, "tD": end, "tG": s["wire"], "tB": well},
            )
        self.extractor.extract_devices(PlateExtractor(CAPACITOR), {"top": s["plate"], "bottom": s["under plate"]})
        self.extractor.extract_devices(ResistorExtractor(RESISTOR), {"body": s["body"], "head": s["wire"], "bulk": s["bulk"]})

    def _connect(self, layout: kdb.Layout, taps_join: bool) -> None:
        s, extractor = self.layers, self.extractor
        for name in ("n-end", "p-end", "n-tap", "p-tap", "nwell", "wire", "licon1", "plate", "under plate", *WIRES[1:]):
            extractor.connect(s[name])
        for below in ("n-end", "p-end", "n-tap", "p-tap", "wire", "li1"):
            extractor.connect(s["licon1"], s[below])
        for cut, (lower, upper) in CUTS.items():
            joint = s["via4 beside" if cut == "via4" else cut]
            extractor.connect(joint)
            extractor.connect(joint, s[lower])
            extractor.connect(joint, s[upper])
        extractor.connect(s["via4 on plate"])
        extractor.connect(s["via4 on plate"], s["plate"])
        extractor.connect(s["via4 on plate"], s["met5"])
        extractor.connect(s["under plate"], s["met4"])
        to_well, to_substrate = (
            (extractor.connect, extractor.connect_global)
            if taps_join
            else (extractor.soft_connect, extractor.soft_connect_global)
        )
        to_well(s["n-tap"], s["nwell"])
        to_substrate(s["p-tap"], GROUND)
        extractor.connect_global(s["bulk"], GROUND)
        for wire in WIRES[1:]:
            texts = extractor.make_text_layer(layout.layer(*LABELS[wire]), f"{wire} label")
            extractor.connect(s[wire], texts)


def _is_bulk(terminal: kdb.NetTerminalRef) -> bool:
    """Whether a device has this net under it."""
    name: str = terminal.terminal_def().name
    return name == ("W" if terminal.device_class().name == RESISTOR else "B")
