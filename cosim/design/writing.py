"""Designs as TOML text, as cosim writes them for others to read and edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(content: Mapping[str, Any]) -> str:
    """A TOML document: keys of the top first, then a table a section, what lies deeper in its line. None is left out."""
    top = {name: value for name, value in content.items() if not isinstance(value, Mapping)}
    sections = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    blocks = [_lines(top), *(f"[{_key(name)}]\n{_lines(value)}" for name, value in sections.items())]
    return "\n".join(block for block in blocks if block)


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in values.items() if value is not None)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Mapping():
            return f"{{ {', '.join(f'{_key(name)} = {_value(one)}' for name, one in value.items() if one is not None)} }}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
