"""The tour of docs/training.md as a marimo notebook, examples/tour.py: `python scripts/tour.py` writes it anew.

Sections with code become cells, a block each, and the prose between them; a picture, which a notebook cannot reach, is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, NOTEBOOK = ROOT / "docs" / "training.md", ROOT / "examples" / "tour.py"
HEAD = '''"""docs/training.md as a notebook: `marimo edit examples/tour.py`, or `python examples/tour.py` as a script.

Written by `python scripts/tour.py`; needs `pip install 'cosim[training,notebook]'`.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="A tour of training")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)
'''
TAIL = """

if __name__ == "__main__":
    app.run()
"""


def notebook(page: str) -> str:
    """The source of the notebook that a page makes."""
    sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    parts = [part for section in sections[:1] + [s for s in sections[1:] if "```python" in s] for part in _parts(section)]
    codes = [text for is_code, text in parts if is_code]
    defined = [_defined(code) for code in codes]
    known = {name for names in defined for name in names}
    if len(known) != sum(map(len, defined)):
        raise ValueError("a name is defined by two blocks of the page, which a notebook does not allow")
    needed = {name for code in codes for name in _used(code) if name in known - _defined(code)}
    return HEAD + "".join(_code_cell(text, needed) if is_code else _prose_cell(text) for is_code, text in parts) + TAIL


def _parts(section: str) -> list[tuple[bool, str]]:
    """Prose and blocks of Python of a section in their order: (whether it is code, the text)."""
    pieces = re.split(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    texts = [(k % 2 == 1, piece) for k, piece in enumerate(pieces)]
    return [(is_code, text.strip()) for is_code, text in texts if _plain(text).strip()]


def _plain(prose: str) -> str:
    """Without pictures; links lead to where the pages are from where the notebook is."""
    return re.sub(r"\]\((?!http|#)([^)]+)\)", r"](../docs/\1)", re.sub(r"^!\[.*\]\(.*\)$\n?", "", prose, flags=re.MULTILINE))


def _defined(code: str) -> set[str]:
    """The names that a block leaves to those after it; one that begins with _ stays with its cell."""
    found = set[str]()
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(name.asname or name.name).split(".")[0] for name in node.names}
        else:
            found |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    inner = {one.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.comprehension) for one in _names(node.target)}
    return {name for name in found - inner if not name.startswith("_")}


def _names(node: ast.AST) -> list[ast.Name]:
    return [one for one in ast.walk(node) if isinstance(one, ast.Name)]


def _used(code: str) -> set[str]:
    return {name.id for name in _names(ast.parse(code))}


def _code_cell(code: str, needed: set[str]) -> str:
    """A cell that is given what it needs of others, and leaves what they need."""
    own = _defined(code)
    return _cell(sorted(_used(code) & needed - own), code, sorted(own & needed))


def _prose_cell(text: str) -> str:
    return _cell(["mo"], f'mo.md(r"""\n{_plain(text).strip()}\n""")', [], hidden=True)


def _cell(given: Sequence[str], body: str, left: Sequence[str], hidden: bool = False) -> str:
    indented = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    returned = f"return ({', '.join(left)}{',' if len(left) == 1 else ''})" if left else "return"
    options = "(hide_code=True)" if hidden else ""
    return f"\n\n@app.cell{options}\ndef _({', '.join(given)}):\n{indented}\n    {returned}\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
