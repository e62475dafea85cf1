"""Writes docs/tables.md: `python -m cosim.runs.tables_page` (a test fails while the page is out of date)."""

from __future__ import annotations

from cosim.runs.tables import SWEPT, TABLES, Column, Table
from cosim.version import ROOT

PAGE = ROOT / "docs" / "tables.md"

INTRODUCTION = """# The tables of a run

Every table of a run directory is a Parquet file: pandas reads it, and so does `parquet-tools`. Values are SI. What else a run
directory holds stands in [architecture.md](architecture.md#what-flows).

Tables of a characterisation are those of the first layer's columns; those of columns of another size have the same names in a
folder of that size, such as `characterization/8x3/firing.parquet`.

This page is generated from `cosim/runs/tables.py` (`python -m cosim.runs.tables_page`); do not edit it. Writers are held to the
same description, and the reports read nothing that it does not name.
"""


def page() -> str:
    """The whole page as Markdown."""
    named = {f"{name}.parquet": table for name, table in TABLES.items()} | {"sweep/MEASUREMENT.parquet": SWEPT}
    return "\n".join([INTRODUCTION, *(part for name, table in named.items() for part in _part(name, table))])


def _part(name: str, table: Table) -> list[str]:
    header = [f"## {name}", "", f"One row is {table.row}. Written by {table.written_by}.", ""]
    rows = ["| column | holds | unit | meaning |", "|---|---|---|---|", *map(_row, table.columns)]
    return [*header, *rows, "", *([f"More columns: {table.further}.", ""] if table.further else [])]


def _row(column: Column) -> str:
    empty = f"; empty: {column.missing}" if column.missing else ""
    return f"| `{column.name}` | {column.kind} | {column.unit} | {column.meaning.replace('|', chr(92) + '|')}{empty} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
