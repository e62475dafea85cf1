"""Names of devices, nodes, models and parameters: those that real tools write pass, those that a command would act on do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosim.texts import text_of as decoded
from netlists.errors import LibraryError
from netlists.models.pdk import Pdk, own_pdk
from netlists.models.pruning import DeviceUse, prune
from netlists.names import unfit_name
from netlists.spice_text import statements
from sky130_models.pdk import NAMES

HOSTILE = [
    ("r9>FILE a b 1k", "r9>FILE"), ("r9<FILE a b 1k", "r9<FILE"), ("r9 a>b c 1k", "a>b"), ("r9;x a b 1k", "r9;x"),
    ("r9|x a b 1k", "r9|x"), ("r9&x a b 1k", "r9&x"), ("r9`id` a b 1k", "r9`id`"), ('r9"x a b 1k', 'r9"x'),
    ("r9^x a b 1", "r9^x"),
    ("m1 d g s b n<FILE w=1", "n<FILE"), ("m1 d g s b n w>FILE=1", "w>FILE"), ("r1 a b 1k tc1=1 m>x=2", "m>x"),
    (".model n>FILE nmos level=1", "n>FILE"), (".model n nmos (vto>FILE=1)", "vto>FILE"), (".param a>FILE=1", "a>FILE"),
    (".subckt s a b>c", "b>c"), (".subckt s a b w>c=1", "w>c"), (".ends s>c", "s>c"), (".global a;b", "a;b"),
    ("x1 a b sub|tee w=1", "sub|tee"), ("x1 a b sub w|tee=1", "w|tee"), ("xa a `id` sub", "`id`"), ("x1 a b<c> sub", "b<c>"),
    ("c1 a b(c) 1p", "b(c)"), ("r1 a b 1k t{c}=1", "t{c}"),
]  # fmt: skip
REAL = [
    "x0 a/b c#2 sky130_fd_pr__nfet_01v8 w=1 l=0.15", "x1 x.t0 d[3] net$3 0 sub", r"x2 \$1 \$2:1 sub m=2", "r1 d<3> d<7:0> 1k",
    "x3 vdd! gnd! [3] sub", "x4 a-b +5v a@b c%d sub", "b1 a 0 v=v(a)>0.5 ? 1 : 0", "e1 a 0 vol='v(a)>1'", "r1 a b {a>b ? 1 : 2}",
    "x5 a b sub w='a>b ? 1 : 2' l = 1", "v1 a 0 pwl(0 0 1n 1)", ".model n nmos (level=14 version=4.5)", ".func f(x,y) {x*y}",
    ".param f(x)='x' y={2>1}", "x6 a b sub params: w=1", "m1 d g s b n w=1u as='a*b' ad={c}", "c1 a b c=1p", "k1 l1 l2 0.9",
]  # fmt: skip
LIBRARY = """.lib TT
.option scale=1u
.include inner.spice
.endl TT
"""
INNER = ".subckt nfet d g s b w=1 l=1\nm0 d g s b nch w=w l=l\n.ends\n.model nch nmos level=1 vto=0.4\n"


@pytest.mark.parametrize(("card", "name"), HOSTILE)
def test_a_name_that_a_command_would_act_on_is_named(card: str, name: str) -> None:
    assert unfit_name(card) == name


@pytest.mark.parametrize("card", REAL)
def test_names_that_real_tools_write_pass(card: str) -> None:
    assert unfit_name(card) is None


def test_no_name_of_a_real_netlist_is_refused() -> None:
    data = Path(__file__).parents[1] / "data/cases"
    files = [*data.rglob("*.spice"), *data.rglob("*.sp*"), *Path("gf180_models").glob("*.spice")]
    cards = [card for file in files for card in statements(decoded(file).splitlines())]
    assert len(cards) > 400
    assert not [card.text for card in cards if unfit_name(card.text)]


def library(folder: Path, text: str = LIBRARY, inner: str = INNER) -> Pdk:
    (folder / "own").mkdir(exist_ok=True)
    (folder / "outside.spice").write_text(".param p = 1\n")
    (folder / "own/inner.spice").write_text(inner)
    (folder / "own/small.lib").write_text(text)
    return own_pdk(folder / "own/small.lib", {"tt": "TT"}, NAMES)


def text_of(pdk: Pdk) -> str:
    return prune(pdk, "tt", [DeviceUse("nfet")]).text


def test_a_library_of_a_user_may_say_what_sizes_are_counted_in(tmp_path: Path) -> None:
    text = text_of(library(tmp_path))
    assert ".option scale=1u" in text
    assert ".model nch" in text


@pytest.mark.parametrize(
    ("added", "why"),
    [
        (".option reltol=0.1", "option reltol is not a model library's to set"),
        (".options scale = 1u gmin=1", "option gmin"),
        (".global d", ".global is not allowed"),
        ("r1 a 0 1", "outside any sub-circuit"),
        ("v1 a 0 1", "outside any sub-circuit"),
        (".include ../outside.spice", "neither below the folder"),
        (".include /etc/passwd", "neither below the folder"),
        (".ic v(a)=1", ".ic is not allowed"),
        (".temp 100", ".temp is not allowed"),
    ],
)
def test_a_library_of_a_user_says_nothing_of_the_circuit_around_it(tmp_path: Path, added: str, why: str) -> None:
    with pytest.raises(LibraryError, match=why):
        text_of(library(tmp_path, LIBRARY.replace(".include inner", f"{added}\n.include inner")))


@pytest.mark.parametrize("name", ["nch>OUT", "nch<IN", "nch&id", "nch|id"])
def test_a_library_of_a_user_holds_names_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(LibraryError, match="is not a name"):
        text_of(library(tmp_path, inner=INNER.replace("nch nmos", f"nch nmos {name}=1")))
    with pytest.raises(LibraryError, match="is not a name"):
        text_of(library(tmp_path, inner=INNER.replace("m0 d", f"m0{name} d")))


def test_a_library_within_an_installation_takes_in_what_lies_there(tmp_path: Path) -> None:
    inside = tmp_path / "sky130A/libs.tech/ngspice"
    inside.mkdir(parents=True)
    (tmp_path / "sky130A/libs.ref").mkdir()
    (tmp_path / "sky130A/libs.ref/inner.spice").write_text(INNER)
    (inside / "own.lib").write_text(LIBRARY.replace("inner", "../../libs.ref/inner"))
    assert ".model nch" in text_of(own_pdk(inside / "own.lib", {"tt": "TT"}, NAMES))
