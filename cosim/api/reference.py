"""Writes docs/api.md from the docstrings of what `cosim` exports: python -m cosim.api.reference

Sections of a docstring (`Args:`, `Attributes:`, `Raises:`, `Example:`) are as Google's style guide has them. An example is headed
`Example:` where it needs neither PDK nor simulator, and `Example, with a simulator:` where it does.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from cosim.api.project import Project
from cosim.design import Design

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

FACE = sys.modules["cosim"]
"""What the page is of: the package that this room is part of."""

INTRODUCTION = """# From Python

What `import cosim` offers. These names are the stable interface; each is imported when it is first used. `training`, the library
of layers, training and hardware models, is public too and needs no simulator ([for the ML engineer](ml-engineer.md)).

Values are in SI units, temperatures in degrees Celsius. What is wrong with an input is an `InputError` with one line: file,
field, what is wrong, what would be right. A script that simulates needs no `if __name__ == "__main__":`, and an interrupted one
goes on where it was.

A test runs every example. Those marked *with a simulator* need PDK and ngspice.

This page is generated from the docstrings (`python -m cosim.api.reference`); do not edit it.
"""


@dataclass(frozen=True)
class Group:
    """Names that belong together, with what is said of them, and an example of those that have none of their own."""

    title: str
    text: str
    names: tuple[str, ...]
    example: str = ""
    simulates: bool = False


GROUPS = (
    Group(
        "The whole loop",
        "In one go, or step by step.",
        ("run", "Project"),
        """
        import cosim

        result = cosim.run("designs/iris_5_5_5.toml", samples=2, dies=0, pdf=False)
        print(result.metrics["validation.ode.output_spike_rmse_s"], result.exit_code)
        """,
        simulates=True,
    ),
    Group(
        "Designs and conditions",
        "A design is a file ([its keys](design.md)); a condition is where its circuit is put.",
        ("load_design", "Design", "Condition"),
        """
        import cosim

        design = cosim.load_design("designs/iris_5_5_5.toml")
        assert isinstance(design, cosim.Design)
        hot = cosim.Condition("ss", temperature_c=125.0, supply_v=1.62, seed=17)
        print(design.process.corner, hot.applied(design).process.corner, hot)
        """,
    ),
    Group(
        "Results",
        "What the steps of a project return.",
        ("RunResult", "StageName", "SweepResult", "FitResult", "StudyResult", "Comparison"),
        """
        import cosim

        cosim.HardwareModel.reference().save("reference.json")
        result = cosim.run("designs/iris_5_5_5.toml", out="runs/trained", until=cosim.StageName.TRAIN, hardware="reference.json")
        print(isinstance(result, cosim.RunResult), result.ran, result.exit_code)
        print([kind.__name__ for kind in (cosim.SweepResult, cosim.FitResult, cosim.StudyResult, cosim.Comparison)])
        """,
    ),
    Group(
        "Hardware models and networks",
        "All that a network may know of its circuit.",
        ("HardwareModel", "load_networks", "study", "diff"),
        """
        import cosim

        hardware = cosim.HardwareModel.reference()
        print(hardware.cell, hardware.corner, hardware.weight_range(1), hardware.neuron.capacitance_f)
        """,
    ),
    Group(
        "Decks of your own",
        "The engine below everything: decks in, waveforms out ([how it works](simulation.md)).",
        ("simulate", "Deck", "OperatingPoint", "DcSweep", "Transient", "Point", "Outcome", "Waveforms"),
        """
        import cosim

        low_pass = "v1 in 0 pulse(0 1 0 1n)\\nr1 in out 1k\\nc1 out 0 1n"
        step = cosim.Deck("low pass", low_pass, "", cosim.Transient(5e-6, 5e-8, 5e-8), ("v(out)",))
        diode = "v1 in 0 0\\nd1 in 0 ideal\\n.model ideal d"
        curve = cosim.Deck("diode", diode, "", cosim.DcSweep("v1", 0.0, 0.7, 0.01), ("i(v1)",))
        for outcome in cosim.simulate([cosim.Point({"deck": d.title}, d, cosim.Waveforms.last) for d in (step, curve)], jobs=1):
            assert isinstance(outcome, cosim.Outcome)
            print(outcome.point.condition, outcome.row, outcome.cpu_s)
        """,
        simulates=True,
    ),
    Group(
        "Errors",
        "`except cosim.CosimError` catches whatever is not a bug. `HardwareModel.load` belongs to `training` and raises its\n"
        "`HardwareModelError`; a `Project` and the functions above make an `InputError` of that.",
        ("CosimError", "InputError", "InputRemark", "SimulationError", "HardwareModelError"),
        """
        import warnings

        import cosim

        try:
            cosim.load_design("nowhere.toml")
        except cosim.InputError as error:
            assert isinstance(error, cosim.CosimError) and not isinstance(error, cosim.SimulationError)
            print(error, error.exit_code)
        try:
            cosim.HardwareModel.load("nowhere.json")
        except cosim.HardwareModelError as error:
            print(error)
        warnings.simplefilter("ignore", cosim.InputRemark)  # what was left out of a file that was read is a warning
        """,
    ),
)

MEMBERS = {
    "Condition": ("applied", "at_bias", "with_parameters", "nominal"),
    "HardwareModel": ("load", "save", "reference", "synapse", "weight_range", "unit_current_a"),
    "RunResult": ("exit_code",),
    "SweepResult": ("tables",),
    "FitResult": ("table", "hardware", "refused"),
    "StudyResult": ("table", "exit_code"),
    "Deck": ("with_values", "text"),
    "Waveforms": ("__getitem__", "names", "last", "at", "crossings"),
}
"""Members that the page lists; of `Project` it lists all."""

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Example|Example, with a simulator):")


@dataclass(frozen=True)
class Example:
    """Code of the page; `simulates` if it needs PDK and simulator."""

    name: str
    code: str
    simulates: bool


@dataclass(frozen=True)
class Entry:
    """One public name: a function, a class, or a member of one."""

    name: str
    what: Any

    @cached_property
    def sections(self) -> list[tuple[str, str]]:
        """Parts of the docstring: ("", text) or (heading, its block)."""
        parts: list[tuple[str, list[str]]] = [("", [])]
        for line in (inspect.getdoc(self.what) or "").splitlines():
            if match := _SECTION.fullmatch(line):
                parts.append((match[1], []))
            elif line and not line.startswith(" ") and parts[-1][0]:
                parts.append(("", [line]))
            else:
                parts[-1][1].append(line)
        return [(heading, textwrap.dedent("\n".join(lines)).strip("\n")) for heading, lines in parts]

    @property
    def signature(self) -> str:
        """How it is called; a property and a plain class by its name."""
        function = self.what.__func__ if isinstance(self.what, classmethod) else self.what
        if isinstance(function, property) or (inspect.isclass(function) and function is not Project):
            return self.name
        signature = inspect.signature(function)
        parameters = [
            parameter.replace(annotation=inspect.Parameter.empty, default=_plain(parameter.default))
            for name, parameter in signature.parameters.items()
            if name not in ("self", "cls")
        ]
        return f"{self.name}{signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)}"

    @property
    def examples(self) -> list[Example]:
        return [Example(self.name, code, "simulator" in title) for title, code in self.sections if title.startswith("Example")]

    def lines(self) -> Iterator[str]:
        """It as Markdown, without its heading."""
        for heading, text in self.sections:
            if heading.startswith("Example"):
                yield f"{heading}:\n\n```python\n{text}\n```\n"
            elif heading:
                yield f"{heading}:\n\n{_items(text)}\n"
            elif text:
                yield f"{text}\n"
            if not heading and (fields := _fields(self.what)):
                yield f"Fields: {', '.join(f'`{name}`' for name in fields)}.\n"


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for group in GROUPS:
        parts += [f"## {group.title}\n", f"{group.text}\n"]
        if group.example:
            mark = "Example, with a simulator:" if group.simulates else "Example:"
            parts.append(f"{mark}\n\n```python\n{_code(group)}\n```\n")
        for entry in entries(group):
            level = "####" if "." in entry.name.removeprefix("cosim.") else "###"
            parts += [f"{level} `{entry.signature}`\n", *entry.lines()]
    return "\n".join(parts)


def entries(group: Group) -> Iterator[Entry]:
    """The names of a group, each class followed by its members."""
    for name in group.names:
        kind = getattr(FACE, name)
        yield Entry(f"cosim.{name}", kind)
        own = [key for key in vars(kind) if not key.startswith("_")] if name == "Project" else MEMBERS.get(name, ())
        for member in own:
            yield Entry(f"{name}.{member}", inspect.getattr_static(kind, member))


def examples() -> Iterator[Example]:
    """All code of the page, in its order."""
    for group in GROUPS:
        if group.example:
            yield Example(group.title, _code(group), group.simulates)
        for entry in entries(group):
            yield from entry.examples


def _code(group: Group) -> str:
    return textwrap.dedent(group.example).strip()


def _plain(default: Any) -> Any:
    """A default as one writes it."""
    return str(default) if isinstance(default, Enum) else default


def _items(text: str) -> str:
    """`name: what` lines, continued where indented, as a list."""
    items = re.sub(r"\n +", " ", text).splitlines()
    return "\n".join(f"- `{name}`: {rest}" for name, _, rest in (item.partition(": ") for item in items))


def _fields(kind: Any) -> list[str]:
    """Public fields of a dataclass or a schema; of a design, they have a page of their own."""
    if not inspect.isclass(kind) or kind is Design:
        return []
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")]
    return list(getattr(kind, "model_fields", ()))


def main(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
