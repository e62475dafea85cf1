"""A library of a few devices as a file of its own: what it says of itself, whose devices it takes, and plain ngspice on it."""

import hashlib
import os
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosim.cli.main import app
from netlists.errors import GeometryError, LibraryError
from netlists.models.standalone import named_device, netlist_devices
from netlists.models.uses import DeviceUse
from sky130_models.pdk import LIBRARY_FILE, LICENCE, NAMES, find_pdk
from sky130_models.process import SKY130

NFET = "sky130_fd_pr__nfet_01v8"
LIBRARY = """.lib tt
.param mc_mm_switch=0
.include "devices.spice"
.endl tt
.lib ss
.param mc_mm_switch=0 slow=1
.include "devices.spice"
.endl ss
"""
DEVICES = f""".option scale=1.0u
.subckt {NFET} d g s b
.param w=1 l=1
m1 d g s b nmodel w={{w}} l={{l}}
.model nmodel.0 nmos lmin=1.5e-07 lmax=5e-07 wmin=4.2e-07 wmax=1e-06 level=1 kp={{1e-4 + mc_mm_switch*agauss(0,1,1)*1e-5}}
.model nmodel.1 nmos lmin=1.5e-07 lmax=5e-07 wmin=1e-06 wmax=1e-05 level=1
.ends
.subckt sky130_fd_pr__res_x a b
r1 a b 1k
.ends
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "devices.spice").write_text(DEVICES)
    path = tmp_path / LIBRARY_FILE
    path.write_text(LIBRARY)
    return path


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, ["prune", *map(str, words)])


def complaint(result: Result) -> str:
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert not result.stdout
    return line


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("nfet_01v8:1/0.15", DeviceUse(NFET, 1.0, 0.15)),
        (f" {NFET}:0.42/2 ", DeviceUse(NFET, 0.42, 2.0)),
        ("NFET_01v8", DeviceUse(NFET, any_size=True)),
    ],
)
def test_a_device_as_people_write_it(text: str, use: DeviceUse) -> None:
    assert named_device(text, NAMES) == use


@pytest.mark.parametrize("text", ["", "nfet_01v8:1", "nfet_01v8:wide/0.15", "nfet_01v8:1/2/3"])
def test_what_is_no_device(text: str) -> None:
    with pytest.raises(GeometryError, match="is no device; NAME:W/L in um"):
        named_device(text, NAMES)


def test_the_devices_of_an_xschem_netlist_with_its_includes(tmp_path: Path) -> None:
    (tmp_path / "cell.spice").write_text(f"X2 a b c d {NFET} w=2 l=0.15 nf=2 $ a remark with w=7\n.subckt own a\n.ends\n")
    netlist = tmp_path / "bench.spice"
    netlist.write_text(
        "Xwing amplifier, a title\n"
        ".lib /usr/share/pdk/sky130A/libs.tech/ngspice/sky130.lib.spice tt\n"
        ".include /usr/share/pdk/sky130A/libs.ref/sky130_fd_pr/spice/anything.spice\n"
        ".include cell.spice\n"
        f"XM1 d g 0 0 {NFET} L=0.15 W=1 nf=1 ad='int((nf+1)/2) * W/nf * 0.29'\n"
        "Xo a own\n"
        "XR a b sky130_fd_pr__res_x l='2*len'\n"
        ".control\ndc v1 0 1.8 0.1\nremove x diode\nquit\n.endc\n.end\n"
    )
    assert netlist_devices(netlist, [tmp_path / LIBRARY_FILE], SKY130) == {
        DeviceUse(NFET, 1.0, 0.15),
        DeviceUse(NFET, 2.0, 0.15, 2),
        DeviceUse("sky130_fd_pr__res_x", any_size=True),
    }


def test_a_part_of_a_netlist_begins_with_a_device(tmp_path: Path) -> None:
    (tmp_path / "part.spice").write_text(f"XM1 d g 0 0 {NFET} w=1 l=0.3\n")
    assert netlist_devices(tmp_path / "part.spice", [], SKY130) == {DeviceUse(NFET, 1.0, 0.3)}


@pytest.mark.parametrize(
    ("text", "told"),
    [(".title\nv1 a 0 1\n", "calls no device"), ("* x\n.include gone.spice\n", r"gone.spice: cannot be read"),
     ("* x\n.include net.spice\n", "includes itself")],
)  # fmt: skip
def test_a_netlist_without_devices(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "net.spice").write_text(text)
    with pytest.raises(LibraryError, match=told):
        netlist_devices(tmp_path / "net.spice", [], SKY130)


def test_the_file_says_what_it_is_made_of(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "small.lib.spice"
    result = invoke(library, "--corner", "tt,ss", "--devices", "nfet_01v8:0.5/0.15", "--out", out)
    assert result.exit_code == 0, result.output
    head, _, content = out.read_text().partition("\n\n")
    sources = b"".join(path.read_bytes() for path in sorted([library, tmp_path / "devices.spice"]))
    for fact in (
        f"* library: {LIBRARY_FILE}, {LIBRARY_FILE}, 2 files, SHA-256 {hashlib.sha256(sources).hexdigest()}",
        f"* licence: {LICENCE}",
        "* sections: tt, ss",
        f"* devices: {NFET} 0.5/0.15",
        f"* content: SHA-256 {hashlib.sha256(content.encode()).hexdigest()}",
    ):
        assert fact in head.splitlines()
    assert str(tmp_path) not in head
    assert content.count(".lib ") == content.count(".endl ") == 2
    assert content.count("nmodel.0") == 2 and "nmodel.1" not in content and "res_x" not in content
    assert str(out) in result.stdout and "set ngbehavior=hsa" in result.stdout


def test_any_size_keeps_all_bins_and_mismatch_is_switched_on(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.spice"
    assert invoke(library, "--devices", "nfet_01v8", "--mismatch", "--out", out).exit_code == 0
    text = out.read_text()
    assert "nmodel.0" in text and "nmodel.1" in text
    assert ".param mc_mm_switch = 1" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no devices; give --devices"),
        (["--devices", "nfet_01v8:1/0.15,"], "--devices: a name is empty"),
        (
            ["--devices", "nfet_01v8:1/9"],
            "no model for W = 1 um, L = 9 um; the nearest size that has one is W = 1 um, L = 0.5 um",
        ),
        (["--devices", "gone"], "sky130_fd_pr__gone: not a device of this model library"),
        (["--devices", "nfet_01v8", "--corner", "sf"], "no section 'sf' in this model library; it has ss, tt"),
        (["--devices", "nfet_01v8", "--process", "sky131"], "--process: no process 'sky131'; there is gf180, sky130"),
        (["--devices", "nfet_01v8", "--model-set", "fine"], "--model-set: sky130 has no 'fine'; it has continuous, binned"),
        (["--netlist", "gone.spice"], "gone.spice: cannot be read"),
        (["--devices", "nfet_01v8", "--out", "{library}"], "is what is read; give another file"),
        (["--devices", "nfet_01v8", "--out", "{library}/x"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(words: list[str], told: str, library: Path, tmp_path: Path) -> None:
    out = [] if "--out" in words else ["--out", str(tmp_path / "out.spice")]
    before = sorted(tmp_path.iterdir())
    assert told in complaint(invoke(library, *(word.format(library=library) for word in words), *out))
    assert sorted(tmp_path.iterdir()) == before and library.read_text() == LIBRARY


def test_a_library_that_is_none(tmp_path: Path) -> None:
    assert "give a model library (.lib) or a process: gf180, sky130" in complaint(
        invoke(tmp_path / "gone.lib", "--devices", "nfet_01v8")
    )


DECK = """currents of two transistors
.lib "{library}" tt
vd d 0 1.8
vg g 0 0.7
xn d g 0 0 {nfet} w=1 l=0.15 ad=0.29 as=0.29 pd=2.58 ps=2.58
xp 0 g d d sky130_fd_pr__pfet_01v8 w=2 l=0.15 ad=0.58 as=0.58 pd=4.58 ps=4.58
.control
set numdgt=16
dc vg 0 1.8 0.1 vd 0.3 1.8 0.5
wrdata currents.txt i(vd) i(vg)
quit 0
.endc
.end
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ngspice") is None, reason="needs the ngspice program")
def test_plain_ngspice_has_the_same_currents_a_hundred_times_sooner(tmp_path: Path) -> None:
    pruned = tmp_path / "pruned.lib.spice"
    (tmp_path / "deck.spice").write_text(DECK.format(library=pruned, nfet=NFET))
    assert invoke("sky130", "--netlist", tmp_path / "deck.spice", "--out", pruned).exit_code == 0
    full, full_s = _currents(tmp_path / "full", find_pdk().library)
    quick, quick_s = min((_currents(tmp_path / f"pruned{n}", pruned) for n in range(3)), key=lambda found: found[1])
    assert full.shape == (4 * 19, 4) and np.ptp(full[:, 1]) > 1e-4
    np.testing.assert_array_equal(quick, full)
    assert full_s / quick_s > 100


def _currents(folder: Path, library: Path) -> tuple[np.ndarray, float]:
    """What the deck gives with a library, and the CPU time of ngspice for it."""
    folder.mkdir()
    (folder / ".spiceinit").write_text("\n".join([*SKY130.setup, "set num_threads=1"]))
    (folder / "deck.spice").write_text(DECK.format(library=library, nfet=NFET))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1", "HOME": str(folder)}
    subprocess.run(["ngspice", "-b", "deck.spice"], cwd=folder, env=environment, check=True, capture_output=True, timeout=240)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.loadtxt(folder / "currents.txt"), spent
