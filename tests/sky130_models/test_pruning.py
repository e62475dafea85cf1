"""What a pruned library keeps and drops, on a small library whose content is known, and its cache."""

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.errors import GeometryError, LibraryError
from netlists.models.pdk import Pdk
from netlists.models.pruning import DeviceUse, device_uses, prune
from sky130_models.corners import Corner, ModelSet
from sky130_models.pdk import NAMES

CORNER = """.lib tt
.param mc_mm_switch=0
.param drawn = {1 + mc_pr_switch*agauss(0,1,1)}
.param again = {drawn*2} mc_pr_switch=0
.include "devices.spice"
.endl tt
"""
DEVICES = """.option scale=1.0u
.param vth=0.5 unused=7 only_wide={vth*2}
.subckt sky130_fd_pr__nfet_x d g s b
.param w=1 l=1
m1 d g s b nmodel w={w} l={l}
.model nmodel.0 nmos lmin=1.5e-07 lmax=5e-07 wmin=4.2e-07
+ wmax=1e-06 vth0={vth}
.model nmodel.1 nmos lmin=1.5e-07 lmax=5e-07 wmin=1e-06 wmax=1e-05 vth0={only_wide}
.ends
.subckt sky130_fd_pr__special_nfet_x d g s b
x1 d g s b sky130_fd_pr__nfet_x w=0.5 l=0.15
.ends
.subckt sky130_fd_pr__res_x a b
.param l=1
r1 a b body r={l*100}
.ends
.model body r tc1=0
.model orphan d
"""
FET = "sky130_fd_pr__nfet_x"


@pytest.fixture
def pdk(tmp_path: Path) -> Pdk:
    (tmp_path / "devices.spice").write_text(DEVICES)
    library = tmp_path / "small.lib.spice"
    library.write_text(CORNER)
    return Pdk(library, ModelSet.BINNED, "small 1.0", tmp_path, NAMES)


def _bins(pdk: Pdk, *uses: DeviceUse) -> list[str]:
    return [number for number in ("0", "1") if f".model nmodel.{number}" in prune(pdk, Corner.TT, uses).text]


@pytest.mark.parametrize(("width", "bins"), [(0.42, ["0"]), (0.7, ["0"]), (1.0, ["1"]), (10.0, ["1"])])
def test_the_bins_kept_are_those_that_hold_the_size(pdk: Pdk, width: float, bins: list[str]) -> None:
    assert _bins(pdk, DeviceUse(FET, width, 0.15)) == bins


def test_a_finger_has_its_share_of_the_width(pdk: Pdk) -> None:
    assert _bins(pdk, DeviceUse(FET, 4.0, 0.15, fingers=8)) == ["0"]
    assert _bins(pdk, DeviceUse(FET, 4.0, 0.15)) == ["1"]


def test_a_nested_call_keeps_every_bin(pdk: Pdk) -> None:
    assert _bins(pdk, DeviceUse("sky130_fd_pr__special_nfet_x", 0.5, 0.15)) == ["0", "1"]
    assert _bins(pdk, DeviceUse("sky130_fd_pr__special_nfet_x", 0.5, 0.15), DeviceUse(FET, 5.0, 0.15)) == ["0", "1"]


def test_only_what_is_needed_stays(pdk: Pdk) -> None:
    narrow, wide = (prune(pdk, Corner.TT, [DeviceUse(FET, width, 0.15)]).text for width in (0.5, 5.0))
    assert ".param vth = 0.5" in narrow
    assert "only_wide" not in narrow
    assert ".param only_wide = {vth*2}" in wide
    for text in (narrow, wide):
        assert "unused" not in text
        assert "orphan" not in text
        assert "res_x" not in text
        assert ".option scale=1.0u" in text


def test_every_parameter_that_draws_stays_and_so_does_one_that_uses_it(pdk: Pdk) -> None:
    text = prune(pdk, Corner.TT, [DeviceUse("sky130_fd_pr__res_x")]).text
    assert ".param drawn = {1 + mc_pr_switch*agauss(0,1,1)}" in text
    assert ".param again = {drawn*2}" in text
    assert ".param mc_pr_switch = 0" in text


def test_mismatch_is_a_switch_in_the_text(pdk: Pdk) -> None:
    off, on = (prune(pdk, Corner.TT, [DeviceUse(FET, 1.0, 0.15)], mismatch=mismatch) for mismatch in (False, True))
    assert off.text.count(".param mc_mm_switch = 0") == 1
    assert on.text == off.text.replace(".param mc_mm_switch = 0", ".param mc_mm_switch = 1")
    assert on.digest != off.digest


@pytest.mark.parametrize(
    ("width", "length", "nearest"), [(0.3, 0.15, "W = 0.42 um, L = 0.15 um"), (2.0, 1.0, "W = 2 um, L = 0.5 um")]
)
def test_a_size_without_a_model_names_device_size_and_the_nearest(pdk: Pdk, width: float, length: float, nearest: str) -> None:
    with pytest.raises(GeometryError, match=f"{FET}: no model for W = {width:g} um.*{nearest}"):
        prune(pdk, Corner.TT, [DeviceUse(FET, width, length)])


def test_a_transistor_without_a_size_and_an_unknown_device_are_refused(pdk: Pdk) -> None:
    with pytest.raises(GeometryError, match="give its w and l"):
        prune(pdk, Corner.TT, [DeviceUse(FET)])
    with pytest.raises(LibraryError, match="sky130_fd_pr__gone: not a device"):
        prune(pdk, Corner.TT, [DeviceUse("sky130_fd_pr__gone", 1.0, 1.0)])


def test_a_second_call_reads_the_cache_until_an_included_file_changes(pdk: Pdk, tmp_path: Path) -> None:
    uses, file = [DeviceUse(FET, 0.5, 0.15)], tmp_path / "devices.spice"
    file.write_text(DEVICES)
    first = prune(pdk, Corner.TT, uses)
    (entry,) = (tmp_path / "cache" / "models").glob("*.spice")
    written = entry.stat().st_mtime_ns
    assert prune(pdk, Corner.TT, uses) == first and entry.stat().st_mtime_ns == written
    before = file.stat()
    file.write_text(DEVICES.replace("vth=0.5", "vth=0.6"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert prune(pdk, Corner.TT, uses).text == first.text.replace("vth = 0.5", "vth = 0.6")


def test_a_damaged_entry_of_the_cache_is_made_anew(pdk: Pdk, tmp_path: Path) -> None:
    """One bit at a time, in the text, its seal and the listing; and a text that would run a command."""
    uses = [DeviceUse(FET, 0.5, 0.15)]
    first = prune(pdk, Corner.TT, uses)
    random = Random(1)
    for path in (tmp_path / "cache" / "models").iterdir():
        sound = path.read_bytes()
        for _ in range(40):
            bit = random.randrange(8 * len(sound))
            damaged = bytearray(sound)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            assert prune(pdk, Corner.TT, uses) == first
    (entry,) = (tmp_path / "cache" / "models").glob("*.spice")
    entry.write_text(f"{entry.read_text()}.control\nshell id\n.endc\n")
    assert prune(pdk, Corner.TT, uses) == first


def test_lengths_of_resistors_share_one_entry(pdk: Pdk, tmp_path: Path) -> None:
    texts = {prune(pdk, Corner.TT, [DeviceUse("sky130_fd_pr__res_x", None, length)]).text for length in (5.0, 6.0, 7.0)}
    assert len(texts) == 1
    assert len(list((tmp_path / "cache" / "models").glob("*.spice"))) == 1


@pytest.mark.skipif(os.name != "posix", reason="a file stands where the folder should be")
def test_a_cache_that_cannot_be_written_costs_time_only(pdk: Pdk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cache = prune(pdk, Corner.TT, [DeviceUse(FET, 1.0, 0.15)])
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "devices.spice"))
    assert prune(pdk, Corner.TT, [DeviceUse(FET, 1.0, 0.15)]) == with_cache


SIZES = st.floats(min_value=0.15, max_value=100).map(lambda size: float(f"{size:.4g}"))


@given(st.lists(st.tuples(SIZES, SIZES, st.integers(1, 8)), max_size=6))
def test_device_uses_reads_back_the_sizes_of_a_netlist(sizes: list[tuple[float, float, int]]) -> None:
    lines = [
        f"Xm{k} d g s b {FET} L = {length:g}\n+ W={{{width:g}}} nf={fingers} m=2"
        for k, (width, length, fingers) in enumerate(sizes)
    ]
    netlist = "\n".join(["* sky130_fd_pr__comment w=1", ".subckt cell a b", *lines, ".ends", "Xcell 1 2 cell", "R1 a b 1k"])
    assert device_uses(netlist, NAMES) == {DeviceUse(FET, width, length, fingers) for width, length, fingers in sizes}


def test_device_uses_without_sizes_and_with_an_expression() -> None:
    assert device_uses("xr a b 0 sky130_fd_pr__res_xhigh_po_0p35 l=105", NAMES) == {
        DeviceUse("sky130_fd_pr__res_xhigh_po_0p35", None, 105.0)
    }
    with pytest.raises(GeometryError, match=r"xm: .* plain numbers"):
        device_uses(f"xm d g s b {FET} w={{wn*2}} l=0.15", NAMES)
