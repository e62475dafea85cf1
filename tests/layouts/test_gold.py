"""The gold path without its programs: which are found, what they are given, what is read of what they write."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from drawn import Drawn

from cosim.layout import LayoutResult, run_layout
from cosim.runs.progress import Monitor
from layouts.errors import LayoutError, ToolNotFound
from layouts.gds import read_gds
from layouts.gold import found_tools
from layouts.gold.flat import flat_gds
from layouts.gold.magic import RuleViolation, capacitances, read_ext, violations
from layouts.gold.netgen import GoldComparison, compare
from layouts.gold.reference import pins_of, reference_netlist
from layouts.gold.tools import GoldTools
from layouts.gold.verdict import GoldVerdict

NETGEN = 'echo "Netgen 1.5.133 compiled on a Monday"'
NETLIST = """* a netlist
.subckt pair a b supply
Xn a b 0 0 sky130_fd_pr__nfet_01v8 l=0.25 w=1
Cwire a 0 1e-15
.ends pair
.subckt row a supply
Xone a a
+ supply pair
.ends row
Vsupply supply 0 1.8
Xtop in supply row
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a magic and a netgen that only tell their versions, and a PDK_ROOT."""
    for name, text in (("magic", "echo 8.3.677"), ("netgen", NETGEN)):
        put(tmp_path / "bin" / name, f"#!/bin/sh\n{text}\n")
    put(tmp_path / "pdk/sky130A/libs.tech/magic/sky130A.tech", "version\n version 1.0.603\nend\n")
    put(tmp_path / "pdk/sky130A/libs.tech/netgen/sky130A_setup.tcl", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "pdk"))
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_what_is_there_is_named_with_its_version(bench: Path) -> None:
    tools = found_tools()
    assert (tools.magic_version, tools.netgen_version, tools.tech_version) == ("8.3.677", "1.5.133", "1.0.603")


def test_what_is_missing_or_too_old_is_one_line(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bench / "bin/magic", "#!/bin/sh\necho 8.3.105\n")
    with pytest.raises(ToolNotFound, match=r"magic: 8\.3\.105 cannot read sky130A\.tech; 8\.3\.411 or later"):
        found_tools()
    put(bench / "bin/magic", "#!/bin/sh\necho 8.3.411\n")
    (bench / "pdk/sky130A/libs.tech/magic/sky130A.tech").unlink()
    with pytest.raises(ToolNotFound, match=r"PDK_ROOT: .*sky130A\.tech is not there"):
        found_tools()
    monkeypatch.delenv("PDK_ROOT")
    with pytest.raises(ToolNotFound, match="PDK_ROOT: not set"):
        found_tools()
    put(bench / "bin/netgen", "#!/bin/sh\necho a mesh of 5 elements\n")
    with pytest.raises(ToolNotFound, match="netgen: not on the PATH"):
        found_tools()
    monkeypatch.setenv("PATH", str(bench / "nowhere"))
    with pytest.raises(ToolNotFound, match="magic: not on the PATH"):
        found_tools()


def test_a_layout_asks_magic_where_it_is_told_to_and_says_once_what_is_missing(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = tmp_path / "small.toml"
    design.write_text('name = "small"\n[network]\nlayers = [1]\n')
    (bench / "pdk/sky130A/libs.tech/magic/sky130A.tech").unlink()
    with pytest.raises(ToolNotFound, match=r"PDK_ROOT: .*sky130A\.tech is not there"):
        run_layout(design, tmp_path / "out", Monitor(), gold=True)
    assert not (tmp_path / "out").exists()
    told = list(run_layout(design, tmp_path / "out", Monitor()).lines())
    assert len([line for line in told if line.startswith("not asked: PDK_ROOT: ")]) == 1


def test_what_magic_finds_fails_a_layout_that_is_clean_here() -> None:
    nets = pd.DataFrame({"relative": [0.01, -0.02]})
    broken = GoldVerdict("cell", (RuleViolation("met1.1", (0, 0, 1, 2)),), GoldComparison(True, ()), nets, nets[:0])
    assert broken.as_dict() | {"c_net_error": 0.02, "c_pair_error_median": None} == broken.as_dict()
    assert broken.line().endswith("1 violations by magic, match by netgen; 2 nets within 2 % of magic's")
    areas = dict.fromkeys(("synapse", "neuron", "network", "bias_share_of_crossbars"), 1.0)
    result = LayoutResult((), areas, (), (), (broken,), "magic 8.3.677")
    assert result.exit_code == 1
    assert "  met1.1 at 0.500, 1.000" in list(result.lines())


def test_a_magic_that_does_nothing_is_no_clean_layout(bench: Path) -> None:
    drawn = Drawn().box("met1", 0, 0, 1, 1)
    for ask in (violations, capacitances, lambda tools, cell: compare(tools, cell, NETLIST, "pair")):
        with pytest.raises(LayoutError, match=r"drawn: magic 8\.3\.677 gave up: 8\.3\.677"):
            ask(found_tools(), drawn.cell)


def test_a_flat_copy_has_no_names_of_inner_cells(tmp_path: Path) -> None:
    drawn, inner = Drawn("outer cell"), Drawn("inner")
    copy = drawn.layout.create_cell("inner")
    copy.copy_tree(inner.box("met1", 0, 0, 1, 2, "membrane").cell)
    drawn.cell.insert(copy_of(copy))
    drawn.box("met2", 5, 0, 6, 1, "top")
    flat_gds(drawn.cell, tmp_path, {"given": ("met1", 0.5, 0.5)})
    layout, cell = read_gds(tmp_path / "flat.gds", "outer_cell")
    texts = {text.text_string for layer in layout.layer_indexes() for text in cell.shapes(layer).each() if text.is_text()}
    assert texts == {"top", "given"}
    assert cell.begin_shapes_rec(layout.layer(68, 20)).shape().box.height() == 2000
    assert len(list(cell.each_inst())) == 0


def copy_of(cell: object) -> object:
    import klayout.db as kdb

    return kdb.CellInstArray(cell, kdb.Trans())


def test_an_ext_file_is_read_in_its_units() -> None:
    found = read_ext(
        'scale 1000 2 500000\nsubstrate "gnd" 0 0 0 0 space\nnode "a" 3 10.5 0 0 m1 0 0\nnode "b" 0 0 0 0 m2 0 0\ncap "b" "a" 4\n'
    )
    assert found.field == "gnd"
    assert found.between("a", "b") == pytest.approx(8e-18)
    assert found.total()["a"] == pytest.approx(29e-18)


def test_the_reference_is_the_silicon_alone_with_a_pin_for_ground() -> None:
    """No source and no lumped wire; ground is handed on to our own sub-circuits, not to models."""
    lines = reference_netlist(NETLIST, "top", ["in", "supply", "ground"]).splitlines()
    assert ".subckt pair a b supply ground" in lines
    assert "Xn a b ground ground sky130_fd_pr__nfet_01v8 l=0.25 w=1" in lines
    assert "Xone a a supply ground pair" in lines
    assert ".subckt top in supply ground" in lines
    assert "Xtop in supply ground row" in lines
    assert not [line for line in lines if line.startswith(("V", "C"))]
    assert pins_of(reference_netlist(NETLIST, "pair", []), "pair") == ["a", "b", "supply", "ground"]


@pytest.fixture
def gold() -> GoldTools:
    try:
        return found_tools()
    except ToolNotFound as error:
        pytest.skip(str(error))


def test_magic_says_the_same_of_two_wires(gold: GoldTools) -> None:
    """Pins the pair of magic and PDK: the whole of c for a pair of edges. Another one that takes half of it is told here."""
    drawn = Drawn().box("met2", 0, 0, 0.3, 20, "a").box("met2", 0.9, 0, 1.2, 20, "b")
    assert capacitances(gold, drawn.cell).between("a", "b") == pytest.approx(50 * 20 / 0.9 * 1e-18, rel=1e-4)


def test_magic_finds_a_broken_rule(gold: GoldTools) -> None:
    """A wire alone that is too narrow: the place that magic marks lies beside the cell."""
    drawn = Drawn().box("met1", 0, 0, 0.1, 5)
    assert [violation.rule for violation in violations(gold, drawn.cell)] == ["Metal1 width < 0.14um (met1.1)"]
    assert violations(gold, Drawn().box("met1", 0, 0, 0.14, 5).cell) == []
