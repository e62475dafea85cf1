"""The JSON schema of the design file, which editors complete and check TOML by.

`python -m cosim.design.reference` writes it to designs/design.schema.json (a test fails while it is out of date); `cosim schema`
prints it with the cells of the packages that are installed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosim.design.choices import CHOICES
from cosim.design.design import Design
from cosim.design.metric_names import METRICS, metric_names
from cosim.design.reference import UNITS
from cosim.version import ROOT
from netlists.process import PROCESSES

FILE = ROOT / "designs" / "design.schema.json"


def schema() -> dict[str, Any]:
    """The schema, in the draft that TOML editors read.

    Beyond what the types say: what a design may leave out because its process fills it in, the metrics that limits can be on,
    the units of keys.
    """
    found = Design.model_json_schema()
    sections = found["$defs"]
    for name, choice in CHOICES.items():
        found["required"].remove(name)
        for reference in found["properties"][name]["oneOf"]:
            _leave_out(sections[reference["$ref"].rpartition("/")[2]], name, choice.key, choice.default)
    limits = found["properties"]["limits"]
    limits["properties"] = {name: {"$ref": "#/$defs/Limit"} for name in metric_names()}
    limits["patternProperties"] = {f"^{pattern}$": {"$ref": "#/$defs/Limit"} for pattern in METRICS}
    limits["additionalProperties"] = False
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A design of cosim",
        **{key: value for key, value in _of_the_draft(found).items() if key != "title"},
    }


def text() -> str:
    """The schema as a file holds it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _leave_out(section: dict[str, Any], place: str, key: str, default: str) -> None:
    """Make optional what every process has a default for; the key that tells sections apart is required but for the default one.

    A section has to be there to be found by its key, or several would match.
    """
    kind = section["properties"][key]["const"]
    filled = [process.defaults.get(f"{place}.{kind}", {}) for process in PROCESSES.values()]
    required = {name for name in section.get("required", ()) if not any(name in one for one in filled)}
    named = place == "synapse" or kind != default
    section["required"] = sorted(required | ({key} if named else set()))


def _of_the_draft(node: Any, key: str = "") -> Any:
    """The same in an older draft: tuples and constants as lists; with units, and without the titles that repeat the keys."""
    if isinstance(node, list):
        return [_of_the_draft(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    found = {name: _of_the_draft(value, name) for name, value in node.items() if not (name == "title" and isinstance(value, str))}
    if "prefixItems" in found:
        found["items"] = found.pop("prefixItems")
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if key and (unit := _unit(key)) and "type" in found:
        found["description"] = f"{found.get('description', '')} [{unit}]".strip()
    return found


def _unit(key: str) -> str:
    return UNITS.get(key.rpartition("_")[2], "") if "_" in key else ""


def main(path: Path = FILE) -> None:
    """Write the file."""
    path.write_text(text(), encoding="utf-8")
