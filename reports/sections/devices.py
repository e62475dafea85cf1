"""The device list: every device of the network by its cell, with its drawn size and how many there are."""

from __future__ import annotations

import pandas as pd

from reports.blocks import Block, Table
from reports.formatting import MISSING, number
from reports.run import Run

_KINDS = {"transistors": ("nmos", "pmos"), "capacitors": ("capacitor",), "resistors": ("resistor",), "cells": ("netlist",)}
"""Words for what a role begins with."""


def listing(run: Run) -> list[Block]:
    """One row a device of a cell; of a device whose length is the weight, from the shortest to the longest that is used."""
    table = run.tables.get("devices")
    if table is None or table.empty:
        return []
    keys = ["cell", "device", "model", "width_um", "units"]
    rows = [
        [str(cell).replace("_", " "), device, model, number(width), _lengths(part), number(units), number(part["count"].sum())]
        for (cell, device, model, width, units), part in table.groupby(keys, sort=False, dropna=False)
    ]
    header = ("cell", "device", "model", "W (um)", "L (um)", "units", "in the network")
    return [Table(header, rows, f"Device list: {_totals(table)}.", words=("cell", "device", "model"))]


def _lengths(part: pd.DataFrame) -> str:
    shortest, longest = part.length_um.min(), part.length_um.max()
    return number(shortest) if not shortest < longest else f"{number(shortest)} … {number(longest)}"


def _totals(table: pd.DataFrame) -> str:
    counts = {
        kind: int(table[table.role.str.startswith(roles)]["count"].sum()) for kind, roles in _KINDS.items()
    }  # fmt: skip
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or MISSING
