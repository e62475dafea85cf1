"""Writes docs/design.md from the schema: `python -m cosim.reference` (a test fails while the page is out of date)."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cosim.design import Design
from cosim.provenance import ROOT
from netlists.dimensions import FetSize, Section

PAGE = ROOT / "docs" / "design.md"

UNITS = {"v": "V", "s": "s", "um": "um", "f": "F", "c": "degC"}
"""Unit by the last part of a key."""

INTRODUCTION = """# The design file

A design is one TOML file. Copy `designs/iris_5_5_5.toml`, edit it, and run `cosim run COPY.toml`. Every key has a default except
`name`; an unknown key, a value out of range or of the wrong type ends the command with one line and exit code 2. Values are SI
except where the key says otherwise: `_um` is micrometres, `_c` degrees Celsius.

This page is generated from the schema (`python -m cosim.reference`); do not edit it.
"""

LIMITS = """## [limits]

Pass or fail of metrics, checked against `metrics.json` of a run; `cosim run` ends with exit code 1 if one fails or if its metric
is missing. Each is a table with `min`, `max` (at least one of them, inclusive, zero allowed) and `typ` (shown, not judged):

```toml
[limits]
"validation.ode.output_spike_rmse_s" = { typ = 0.5e-9, max = 1.97e-9 }
"validation.error_ratio" = { min = 20.0 }
```
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION, _table("Top level", Design)]
    for name, field in Design.model_fields.items():
        kinds = _sections(field.annotation)
        for kind in kinds:
            variant = f' with kind = "{kind.model_fields["kind"].default}"' if len(kinds) > 1 else ""
            parts += _section(name, kind, variant)
    return "\n".join([*parts, LIMITS])


def _section(name: str, section: type[Section], variant: str = "") -> Iterator[str]:
    yield _table(f"[{name}]{variant}", section)
    for key, field in section.model_fields.items():
        for inner in _sections(field.annotation):
            if inner is not FetSize:
                yield from _section(f"{name}.{key}", inner)


def _sections(annotation: Any) -> list[type[Section]]:
    """The sections that a field may hold."""
    candidates = get_args(annotation) if get_origin(annotation) in (types.UnionType, Union) else (annotation,)
    return [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Section)]


def _table(title: str, section: type[Section]) -> str:
    rows = [
        _row(key, field)
        for key, field in section.model_fields.items()
        if key != "limits" and not set(_sections(field.annotation)) - {FetSize}
    ]
    head = ["| key | value | unit | default | meaning |", "|---|---|---|---|---|"]
    return "\n".join([f"## {title}", "", " ".join((section.__doc__ or "").split()), "", *head, *rows, ""])


def _row(key: str, field: FieldInfo) -> str:
    unit = UNITS.get(key.rpartition("_")[2], "") if "_" in key else ""
    unit = "um" if field.annotation is FetSize else unit
    cells = (f"`{key}`", _values(field), unit, _default(field), field.description or "")
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _values(field: FieldInfo) -> str:
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{_toml(value)}`" for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{_toml(str(member))}`" for member in annotation)
    if get_origin(annotation) is tuple:
        inner = FieldInfo.from_annotation(get_args(annotation)[0])
        return f"{len(get_args(annotation))} numbers{_range(inner.metadata)}"
    if annotation is FetSize:
        return "`{ width_um, length_um }`, each > 0"
    return {float: "number", int: "whole number", str: "text"}.get(annotation, "") + _range(field.metadata)  # type: ignore[arg-type]


def _range(metadata: list[Any]) -> str:
    """The bounds among the annotations of a field, in words."""
    bounds = []
    for bound in metadata:
        match bound:
            case Gt():
                bounds.append(f"> {bound.gt:g}")
            case Ge():
                bounds.append(f">= {bound.ge:g}")
            case Lt():
                bounds.append(f"< {bound.lt:g}")
            case Le():
                bounds.append(f"<= {bound.le:g}")
    return f", {', '.join(bounds)}" if bounds else ""


def _default(field: FieldInfo) -> str:
    return "required" if field.default is PydanticUndefined else f"`{_toml(field.default)}`"


def _toml(value: Any) -> str:
    """A value as one writes it in the design file."""
    match value:
        case FetSize():
            return f"{{ width_um = {value.width_um:g}, length_um = {value.length_um:g} }}"
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case str():
            return f'"{value}"'
        case int() | float():
            return f"{value:g}"
    raise TypeError(f"{value!r} has no short form in TOML")


def main(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
