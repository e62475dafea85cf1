"""What makes devices of shapes."""

from __future__ import annotations

from typing import Any

import klayout.db as kdb

from layouts.lvs.device_classes import plate_capacitor, poly_resistor


class _BodyExtractor(kdb.GenericDeviceExtractor):  # type: ignore[misc]
    """Devices whose body, the first layer, meets what the second layer holds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_connectivity(self, layout: kdb.Layout, layers: Any) -> kdb.Connectivity:
        found = kdb.Connectivity()
        found.connect(layers[0], layers[0])
        found.connect(layers[0], layers[1])
        return found


class PlateExtractor(_BodyExtractor):
    """A capacitor for every plate of cap2m on met4."""

    def setup(self) -> None:
        self.register_device_class(plate_capacitor())
        self.define_layer("top", "the plate")
        self.define_layer("bottom", "met4 under it")

    def extract_devices(self, geometry: Any) -> None:
        top, _ = geometry
        for plate in top.merged().each():
            sides = sorted((plate.bbox().width(), plate.bbox().height()))
            device = self.create_device()
            for parameter, side in enumerate(sides):
                device.set_parameter(parameter, side * self.dbu())
            self.define_terminal(device, 0, 0, plate)
            self.define_terminal(device, 1, 1, plate)


class ResistorExtractor(_BodyExtractor):
    """A resistor for every body of high-resistance poly between two heads."""

    def setup(self) -> None:
        self.register_device_class(poly_resistor())
        self.define_layer("body", "the resistor")
        self.define_layer("head", "poly beyond it")
        self.define_layer("bulk", "what lies under it")

    def extract_devices(self, geometry: Any) -> None:
        body, head, _ = geometry
        for strip in body.merged().each():
            ends = (head.edges() & kdb.Region(strip).edges()).merged()
            boxes = list(ends.each())
            if len(boxes) != 2:
                self.error(f"a resistor has {len(boxes)} ends", strip)
                continue
            width = boxes[0].length()
            device = self.create_device()
            device.set_parameter("W", width * self.dbu())
            device.set_parameter("L", strip.area() / width * self.dbu())
            for terminal, end in enumerate(boxes):
                self.define_terminal(device, terminal, 1, end.bbox().enlarged(1, 1))
            self.define_terminal(device, 2, 2, strip)
