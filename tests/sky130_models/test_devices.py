"""What the wrappers write into a PySpice circuit, and the sizes they refuse."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuitFactory

from netlists.errors import GeometryError
from netlists.models.pruning import DeviceUse, device_uses
from netlists.section import fet
from sky130_models.devices import POLY_WIDTHS_UM, Fet, mim_capacitor, mosfet, poly_resistor
from sky130_models.pdk import NAMES


def _parameters(circuit: Circuit) -> dict[str, float]:
    words = str(circuit).splitlines()[1].split()
    return {name: float(value) for name, value in (word.split("=") for word in words if "=" in word)}


@pytest.mark.parametrize("flavour", Fet)
@pytest.mark.parametrize(("width", "length"), [(0.42, 0.35), (1.0, 0.5), (7.0, 8.0)])
def test_a_transistor_has_its_diffusions(flavour: Fet, width: float, length: float) -> None:
    circuit = Circuit("one")
    mosfet(circuit, "m1", flavour, "d", "g", "s", "b", fet(width, length))
    assert str(circuit).splitlines()[1].startswith(f"Xm1 d g s b {flavour} ")
    expected = {"w": width, "l": length, "ad": 0.29 * width, "pd": 2 * width + 0.58}
    assert _parameters(circuit) == pytest.approx(expected | {"as": expected["ad"], "ps": expected["pd"]})
    assert device_uses(str(circuit), NAMES) == {DeviceUse(flavour, width, length)}


def test_units_side_by_side_are_counted_and_share_their_mismatch() -> None:
    circuit = Circuit("one")
    mosfet(circuit, "m1", Fet.NFET, "d", "g", "s", "b", fet(1.0, 0.25), units=4)
    parameters = _parameters(circuit)
    assert (parameters["w"], parameters["m"], parameters["mult"]) == (1.0, 4.0, 4.0)
    assert device_uses(str(circuit), NAMES) == {DeviceUse(Fet.NFET, 1.0, 0.25)}


def test_the_top_plate_comes_first() -> None:
    circuit = Circuit("one")
    mim_capacitor(circuit, "c1", "membrane", "ground", 7.0, 5.0)
    assert str(circuit).splitlines()[1].startswith("Xc1 membrane ground sky130_fd_pr__cap_mim_m3_2 ")
    assert _parameters(circuit) == {"w": 7.0, "l": 5.0}


@pytest.mark.parametrize(("width", "suffix"), list(zip(POLY_WIDTHS_UM, ("0p35", "0p69", "1p41", "2p85", "5p73"), strict=True)))
def test_the_width_of_a_poly_resistor_is_in_its_name(width: float, suffix: str) -> None:
    circuit = Circuit("one")
    poly_resistor(circuit, "r1", "a", "b", "0", width, 385.0)
    assert device_uses(str(circuit), NAMES) == {DeviceUse(f"sky130_fd_pr__res_xhigh_po_{suffix}", None, 385.0)}


def test_devices_stand_in_subcircuits_too() -> None:
    class Cell(SubCircuitFactory):  # type: ignore[misc]
        NAME = "cell"
        NODES = ("d", "g")

        def __init__(self) -> None:
            super().__init__()
            mosfet(self, "m1", Fet.NFET_LVT, "d", "g", "0", "0", fet(1.0, 0.15))

    circuit = Circuit("one")
    circuit.subcircuit(Cell())
    assert device_uses(str(circuit), NAMES) == {DeviceUse(Fet.NFET_LVT, 1.0, 0.15)}


def _fet(flavour: Fet, width: float, length: float) -> Callable[[Any], Any]:
    return lambda circuit: mosfet(circuit, "m1", flavour, "d", "g", "s", "b", fet(width, length))


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (_fet(Fet.NFET, 0.3, 0.15), r"m1: sky130_fd_pr__nfet_01v8 with W = 0.3 um; it must lie between 0.42 and 100 um"),
        (_fet(Fet.PFET_LVT, 1.0, 0.15), r"pfet_01v8_lvt with L = 0.15 um; it must lie between 0.35 and 20 um"),
        (_fet(Fet.NFET, 1.0, 21.0), r"L = 21 um; it must lie between 0.15 and 20 um"),
        (lambda circuit: mim_capacitor(circuit, "c1", "a", "b", math.nan, 5.0), r"W = nan um"),
        (lambda circuit: mim_capacitor(circuit, "c1", "a", "b", 0.5, 5.0), r"c1: .*W = 0.5 um; it must lie between 1 and 30 um"),
        (lambda circuit: mim_capacitor(circuit, "c1", "a", "b", 29.0, 1.0), r"aspect ratio = 29; it must lie between 1 and 20"),
        (
            lambda circuit: poly_resistor(circuit, "r1", "a", "b", "0", 0.5, 10.0),
            r"r1: .*no width 0.5 um; take one of 0.35, 0.69",
        ),
        (lambda circuit: poly_resistor(circuit, "r1", "a", "b", "0", 0.35, 0.1), r"L = 0.1 um; it must lie between 0.5"),
    ],
)
def test_an_impossible_size_is_one_clear_line(add: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(GeometryError, match=message) as caught:
        add(Circuit("one"))
    assert len(str(caught.value).splitlines()) == 1
