"""Blocks of the pages: Python runs or says why not, commands are commands, names come from package roots, links lead on."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import benchmarks.__main__ as benchmarks
import cosim
from cosim.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PUBLIC = {"cosim", "cosim.training", "layouts"}
"""Roots, which offer every name that the pages use."""
OURS = ("cosim", "netlists", "training", "reports", "layouts", "sky130_models", "gf180_models")
RUN_ELSEWHERE = {"api.md": "tests/cosim/test_api.py", "training.md": "tests/cosim/test_training_tour.py"}
SITE = {"index.md", "library.md"}
"""Pages of the site, which hold what Sphinx fills in."""
QUICKER = {"epochs=200": "epochs=3", "range(1000, 2000)": "range(1000, 1010)", "1000": "100"}
"""So that blocks which train or simulate do so in seconds."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its page and line, language, content, and what the comment before it says."""

    page: str
    line: int
    language: str
    text: str
    remark: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"(?:^<!-- (.*?) -->\n)?^```([\w{}-]*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Block(page.name, text[: found.start(3)].count("\n") + 1, found[2], found[3], found[1] or "")


PYTHON = [block for block in blocks() if block.language == "python"]
HERE = [block for block in PYTHON if block.page not in RUN_ELSEWHERE and not block.remark.startswith(("not run:", "excerpt of:"))]


def of_commands(program: str) -> Iterator[tuple[Block, list[str]]]:
    """Words of the lines of blocks that call a program, its continuation lines joined and remarks left out."""
    for block in blocks():
        if block.language in ("", "console", "sh", "yaml"):
            lines = block.text.replace("\\\n", "" if ",\\\n" in block.text else " ").splitlines()
            for line in lines:
                command = re.sub(r"\$\(.*?\)|>>.*", "", line).strip().removeprefix("$ ").removeprefix("- ").removeprefix("run: ")
                if command.startswith(f"{program} "):
                    yield block, shlex.split(command, comments=True)


COMMANDS = [*of_commands("cosim")]


def test_there_is_something_to_test() -> None:
    assert len(PYTHON) > 30 and len(HERE) >= 6 and len(COMMANDS) > 20
    assert sum(block.language == "yaml" for block, _ in COMMANDS) == 2, "of the workflow of a CI job"
    assert {block.language for block in blocks() if block.page not in SITE} <= {"", "python", "toml", "yaml"}


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_names_come_from_package_roots(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            assert node.module in PUBLIC, f"{block.place}: from {node.module}"
            offered = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(offered, name.name)] == []
        if isinstance(node, ast.Import):
            assert not [one.name for one in node.names if one.name.split(".")[0] in OURS and one.name != "cosim"]


def of_prose() -> Iterator[tuple[str, str]]:
    """Dotted names that begin with a room, in the words and blocks of all pages but those of who works on it; no commands."""
    for page in PAGES:
        if page.name not in ("extending.md", "architecture.md", "CONTRIBUTING.md"):
            for found in re.finditer(rf"(?<![\w./\"-])(?<!-m )(?:{'|'.join(OURS)})(?:\.\w+)+(?![\w/])", page.read_text()):
                yield page.name, found[0]


def test_pages_name_nothing_that_no_package_root_offers() -> None:
    names = [*of_prose()]
    assert len(names) > 80
    for page, name in names:
        words = name.split(".")
        homes = [".".join(words[:count]) for count in range(1, len(words) + 1)]
        *_, home = [one for one in homes if any((ROOT / one.replace(".", "/")).with_suffix(end).exists() for end in ("", ".py"))]
        if home in OURS and home not in PUBLIC:  # a metric of a training, a section of a design
            assert not re.search(r"\.[a-z_]*[A-Z]", name), f"{page}: {name}"
            continue
        assert home in PUBLIC, f"{page}: {name}"
        offered: Any = importlib.import_module(home)
        for word in words[home.count(".") + 1 :]:
            offered = getattr(offered, word)


def test_every_name_of_the_training_library_is_there_and_its_own() -> None:
    import cosim.training as public

    assert public.load_data.__name__ == "load" and set(public.STRUCTURES) >= {"ternary_8_2"}
    assert len(set(public.__all__)) == len(public.__all__) and set(public._PLACE) == set(public.__all__)
    for name in public.__all__:
        found = getattr(public, name)
        assert callable(found) or name in ("TERMS", "STRUCTURES", "lif", "ttfs"), name
        assert getattr(found, "__name__", name).rpartition(".")[2] in (name, "load")
    with pytest.raises(AttributeError, match=r"cosim\.training.*no attribute 'nothing'"):
        _ = public.nothing


@pytest.mark.parametrize("words", [["-c", "from cosim.training import Recipe"], ["-m", "cosim", "cells"]])
def test_a_module_of_the_users_that_hides_ours_is_named(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "training.py").write_text("")
    how = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=how, capture_output=True, text=True, check=False)
    line = f"{tmp_path / 'training.py'}: hides cosim's package 'training'; give it another name"
    assert done.returncode and done.stderr.splitlines()[-1].endswith(line), done.stderr


@pytest.mark.parametrize(
    "block", [block for block in PYTHON if block.remark.startswith("excerpt of:")], ids=lambda block: block.place
)
def test_an_excerpt_is_one(block: Block) -> None:
    assert block.text.strip() in (ROOT / block.remark.removeprefix("excerpt of:").strip()).read_text()


@pytest.mark.parametrize(("page", "test"), RUN_ELSEWHERE.items())
def test_pages_that_are_run_elsewhere_are(page: str, test: str) -> None:
    assert page.removesuffix(".md") in (ROOT / test).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("block", HERE, ids=lambda block: block.place)
def test_a_block_runs_as_printed(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if block.remark.startswith("after: cosim train"):
        (tmp_path / "mine.toml").write_text('name = "iris_5_5_5"\n[training]\nepochs = 2\n')
        cosim.HardwareModel.reference().save("hardware.json")
        cosim.run("mine.toml", until="train", hardware="hardware.json")
    code = block.text
    for long, short in QUICKER.items():
        code = code.replace(long, short)
    exec(compile(code, block.place, "exec"), {"__name__": "page"})


@pytest.mark.parametrize(("block", "words"), COMMANDS, ids=lambda one: one.place if isinstance(one, Block) else None)
def test_a_command_is_one(block: Block, words: list[str]) -> None:
    """Its name, its options and how many arguments it takes; what is long is not run here."""
    group = typer.main.get_command(app)
    name, *rest = [word for word in words[1:] if not word.startswith((">", "$("))]
    if name.startswith("-"):
        assert CliRunner().invoke(app, [name]).exit_code == 0 or "completion" in name
        return
    command = group.commands[name]  # type: ignore[attr-defined]
    try:
        command.make_context(name, rest)
    except Exception as error:  # typer brings a click of its own
        pytest.fail(f"{block.place}: {' '.join(words)}: {type(error).__name__}: {error}")


def test_benchmarks_and_targets_of_make_are_there() -> None:
    known = set(benchmarks.BENCHMARKS) | set(benchmarks._parts())
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        named = set(re.findall(r"`python -m benchmarks ([a-z][\w.]*)", text))
        assert named <= known, f"{page.name}: {named - known}"
        made = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
        assert made <= targets, f"{page.name}: {made - targets}"


def test_links_lead_to_pages_headings_and_files() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, heading = target.partition("#")
            if not target.startswith("http"):
                file = (page.parent / path).resolve() if path else page
                assert file.exists(), f"{page.name}: {target}"
                assert not heading or heading in anchors(file), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def test_every_page_is_linked_from_the_readme_or_another() -> None:
    linked = {Path(target).name for page in PAGES for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())}
    assert {page.name for page in PAGES if page.parent.name == "docs"} - {"index.md"} <= linked


def test_pictures_have_a_text_in_their_place() -> None:
    for page in PAGES:
        assert all(alt.strip() for alt in re.findall(r"!\[([^\]]*)\]\(", page.read_text())), page.name


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]
    keys = [re.sub(r"[^a-z]", "", word.lower()) for word in words]
    assert len(words) > 38 and keys == sorted(keys)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="needs the extra docs")
def test_the_site_asks_no_network(tmp_path: Path) -> None:
    """Built of the lighter pages: those of names take ten seconds more; `make docs` makes them, and fails at a warning."""
    heavy = "library.md,api.md,tables.md,design.md"
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-D", f"exclude_patterns={heavy}", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    pages = [*tmp_path.glob("*.html")]
    assert len(pages) > 15
    for page in pages:
        assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)", page.read_text()) == [], page.name
