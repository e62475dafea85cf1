"""Reading SPICE model text: numbers, assignments, statements, sections and includes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.errors import LibraryError
from netlists.models.library import read_section
from netlists.spice_text import assignments, definitions, model_name, spice_number, statements

SCALE = {
    "": 1.0,
    "t": 1e12,
    "G": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "m": 1e-3,
    "u": 1e-6,
    "nF": 1e-9,
    "p": 1e-12,
    "fF": 1e-15,
    "mil": 25.4e-6,
}
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["{a+b*2}", "'x == 1 ? 2 : 3'", "{w*l} + c*agauss(0,1,1)", "{tc1 = 3}"]),
)


@given(st.floats(min_value=-1e6, max_value=1e6), st.sampled_from(sorted(SCALE)))
def test_a_number_is_its_mantissa_times_its_scale(mantissa: float, suffix: str) -> None:
    assert spice_number(f"{mantissa!r}{suffix}") == mantissa * SCALE[suffix]


@pytest.mark.parametrize("text", ["", "u", "1 2", "{w}", "nan", "--1", "1e-6*2"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        spice_number(text)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6), st.sampled_from(["=", " = ", " =", "= "]))
def test_assignments_come_back_as_written(pairs: list[tuple[str, str]], equals: str) -> None:
    text = ".param " + " ".join(f"{name}{equals}{value}" for name, value in pairs)
    assert assignments(text) == pairs


def test_comments_between_continuation_lines_do_not_end_a_statement() -> None:
    lines = ["* title", ".param a = 1 ; one", "+ b = 2", "* + c = 3", "", "+ d = 4", ".model m nmos"]
    found = list(statements(lines))
    assert [statement.text for statement in found] == [".param a = 1  b = 2  d = 4", ".model m nmos"]


def test_definitions_are_parameters_models_and_whole_subcircuits() -> None:
    subckt = ".subckt dev d g\n.param w=1\n.model dev_model.3 nmos lmin=1\n.ends dev"
    text = f".param A=1 b={{a}}\n{subckt}\n.model top.0 d\n.option scale=1u"
    found = definitions(statements(text.splitlines()))
    assert [item.name for item in found] == ["a", "b", "dev", "top", ""]
    assert len(found[2].statements) == 4
    assert model_name(found[2].statements[2]) == "dev_model"


def test_a_section_brings_its_includes_in_and_leaves_the_others_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.spice").write_text(".param b=2\n.include '../c.spice'\n")
    (tmp_path / "c.spice").write_text(".param c=3\n.end\n")
    library = tmp_path / "all.lib.spice"
    library.write_text(
        '.lib tt\n.param a=1\n.include "deep/b.spice"\n.endl tt\n.lib ss\n.param a=9\n.lib "all.lib.spice" tt\n.endl\n'
    )
    found, files = read_section(library, "tt")
    assert [statement.text for statement in found] == [".param a=1", ".param b=2", ".param c=3"]
    assert [path.name for path in files] == ["all.lib.spice", "c.spice", "b.spice"]
    assert len(read_section(library, "ss")[0]) == 4


@pytest.mark.parametrize(("section", "missing"), [("xx", "no section 'xx'"), ("tt", "gone.spice: cannot be read")])
def test_a_broken_library_is_one_clear_line(section: str, missing: str, tmp_path: Path) -> None:
    library = tmp_path / "x.lib.spice"
    library.write_text(".lib tt\n.include gone.spice\n.endl\n")
    with pytest.raises(LibraryError, match=missing):
        read_section(library, section)
