"""Writes docs/design.md and the schema from the sections: `python -m cosim.design.reference` (a test fails while one is old)."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cosim.design.choices import CHOICES
from cosim.design.design import Design
from cosim.version import ROOT
from netlists.process import DEFAULT_PROCESS, PROCESSES
from netlists.section import FetSize

PAGE = ROOT / "docs" / "design.md"

KEYS = {**{name: choice.key for name, choice in CHOICES.items()}, "structure": "kind"}
"""What tells the sections apart that may be one of several."""

UNITS = {"v": "V", "s": "s", "um": "um", "f": "F", "c": "degC", "ohm": "ohm", "hz": "Hz"}
"""Unit by the last part of a key."""

INTRODUCTION = f"""# The design file

A design is one TOML file. Copy `designs/iris_5_5_5.toml`, edit it, and run `cosim run COPY.toml`. Every key has a default except
`name`; an unknown key, a value out of range or of the wrong type ends the command with one line and exit code 2. Values are SI
except where the key says otherwise: `_um` is micrometres, `_c` degrees Celsius. Sizes and levels of the cells are those of the
process where a design gives none; the ones shown are {PROCESSES[DEFAULT_PROCESS].title}'s.

This page is generated from the schema (`python -m cosim.design.reference`); do not edit it.
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
        kinds, key = _sections(field.annotation), KEYS.get(name, "")
        for kind in kinds:
            chosen = kind.model_fields[key].default if key else ""
            variant = f' with {key} = "{chosen}"' if len(kinds) > 1 else ""
            parts += _section(name, kind, variant, PROCESSES[DEFAULT_PROCESS].defaults.get(f"{name}.{chosen}", {}))
    return "\n".join([*parts, LIMITS])


def _section(
    name: str,
    section: type[BaseModel],
    variant: str = "",
    defaults: Mapping[str, Any] = MappingProxyType({}),
    listed: bool = False,
) -> Iterator[str]:
    yield _table(f"[[{name}]]" if listed else f"[{name}]{variant}", section, defaults)
    for key, field in section.model_fields.items():
        for inner in _sections(field.annotation):
            if inner is not FetSize:
                yield from _section(f"{name}.{key}", inner, listed=get_origin(field.annotation) is tuple)


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold, one or a list of them."""
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Annotated:
        return _sections(get_args(annotation)[0])
    if get_origin(annotation) in (types.UnionType, Union):
        return [kind for one in get_args(annotation) for kind in _sections(one)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _table(title: str, section: type[BaseModel], defaults: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The keys of a section; `defaults` are the process's."""
    rows = [
        _row(key, field, defaults.get(key, PydanticUndefined))
        for key, field in section.model_fields.items()
        if (key != "limits" or section is not Design) and not set(_sections(field.annotation)) - {FetSize}
    ]
    head = ["| key | value | unit | default | meaning |", "|---|---|---|---|---|"]
    return "\n".join([f"## {title}", "", " ".join((section.__doc__ or "").split()), "", *head, *rows, ""])


def _row(key: str, field: FieldInfo, default: Any) -> str:
    unit = UNITS.get(key.rpartition("_")[2], "") if "_" in key else ""
    unit = "um" if field.annotation is FetSize else unit
    cells = (f"`{key}`", _values(field), unit, _default(field, default), field.description or "")
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _values(field: FieldInfo) -> str:
    return _values_of(_without_none(field.annotation), field.metadata)


def _values_of(annotation: Any, bounds: list[Any]) -> str:
    """What a field of this type may be, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    enumerated = isinstance(annotation, type) and issubclass(annotation, StrEnum)
    if origin is Literal or enumerated:
        return ", ".join(f"`{toml_value(value)}`" for value in (map(str, annotation) if enumerated else arguments))
    if origin is tuple:
        inner = FieldInfo.from_annotation(arguments[0])
        if arguments[-1] is ...:
            return f"list of: {_values_of(inner.annotation, inner.metadata)}"
        return f"{len(arguments)} numbers{_range(inner.metadata)}"
    if origin is dict:
        return "table: `{ key = value, ... }`"
    sizes = "`{ width_um, length_um }`, each > 0"
    names = {float: "number", int: "whole number", str: "text", bool: "`true` or `false`", FetSize: sizes}
    return names.get(annotation, "") + _range(bounds)


def _without_none(annotation: Any) -> Any:
    """The type of a field that may be left out."""
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) not in (types.UnionType, Union):
        return annotation
    rest = [kind for kind in get_args(annotation) if kind is not type(None)]
    return rest[0] if len(rest) == 1 else annotation


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


def _default(field: FieldInfo, default: Any) -> str:
    if default is PydanticUndefined:
        default = field.get_default(call_default_factory=True)
    if default is None:
        return ""
    return "required" if default is PydanticUndefined else f"`{toml_value(default)}`"


def toml_value(value: Any) -> str:
    """A value as one writes it in the design file."""
    match value:
        case FetSize():
            return f"{{ width_um = {value.width_um:g}, length_um = {value.length_um:g} }}"
        case tuple():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case str():
            return f'"{value}"'
        case bool():
            return str(value).lower()
        case dict():
            return f"{{{', '.join(f'{key} = {toml_value(item)}' for key, item in value.items())}}}"
        case int() | float():
            return f"{value:g}"
    raise TypeError(f"{value!r} has no short form in TOML")


def main(path: Path = PAGE) -> None:
    """Write the page, and the schema of the same keys."""
    from cosim.design import schema

    path.write_text(page(), encoding="utf-8")
    schema.main()


if __name__ == "__main__":
    main()
