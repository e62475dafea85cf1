"""What a run was asked for, and the design that follows from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cosim.design import Design, explain
from cosim.errors import InputError
from cosim.pipeline.packages import one_line_errors
from cosim.pipeline.stages import StageName
from cosim.runs.given import GIVEN_HARDWARE, GIVEN_WEIGHTS
from cosim.runs.given_hardware import read_hardware
from training.structures.plan import NAMED

if TYPE_CHECKING:
    from cosim.runs.directory import RunDirectory

DENSE = "dense"
"""A structure that is none."""


@dataclass(frozen=True)
class Request:
    """A run of a design as far as a stage. See `cosim.pipeline.run.run` for the fields."""

    design_file: Path
    out: Path | None = None
    until: StageName = StageName.REPORT
    jobs: int | None = None
    scheduler: str = ""
    samples: int | None = None
    dies: int | None = None
    judge: str | None = None
    structure: str | None = None
    pdf: bool = True
    weights: Path | None = None
    hardware: Path | None = None
    command: str = ""
    points: Path | None = None
    """A file of simulated points that several runs share."""

    @property
    def overrides(self) -> dict[str, int | str]:
        """Fields of [validation] that the command line sets."""
        asked = {"samples": self.samples, "mismatch_dies": self.dies, "judge": self.judge}
        return {key: value for key, value in asked.items() if value is not None}

    @property
    def brought(self) -> tuple[str, ...]:
        """The files from elsewhere, by their names in the run directory."""
        return tuple(name for name, path in ((GIVEN_HARDWARE, self.hardware), (GIVEN_WEIGHTS, self.weights)) if path is not None)

    def effective(self, design: Design) -> Design:
        """The design as it is run. Raises `InputError` for a value that its field does not take."""
        content = design.model_dump()
        content["validation"].update(self.overrides)
        if self.structure is not None:
            content["structure"] = named_structure(self.structure)
        try:
            effective = Design.model_validate(content)
        except ValidationError as error:
            raise InputError(f"command line: {explain(error)}") from error
        validation, available = effective.validation, effective.network.test_samples
        if validation.samples > available:
            raise InputError(f"validation.samples: {validation.samples} is more than the {available} of network.test_samples")
        return effective

    def design_text(self) -> bytes:
        """The design file, and as comments what the command line changed."""
        changes = {f"validation.{key}": value for key, value in self.overrides.items()}
        changes |= {"structure": self.structure} if self.structure is not None else {}
        comments = [f"# on the command line: {key} = {json.dumps(value)}\n" for key, value in changes.items()]
        return self.design_file.read_bytes() + "".join(comments).encode()

    def keep_brought(self, directory: RunDirectory, design: Design) -> None:
        """Keep hardware and weights from elsewhere in the run directory, whose stages take them. Refuses what does not fit."""
        with one_line_errors():
            if self.hardware is not None:
                read_hardware(self.hardware, design)
                directory.write(GIVEN_HARDWARE, self.hardware.read_bytes())
            if self.weights is not None:
                from cosim.networks.given_weights import keep_weights

                keep_weights(self.weights, design.network, directory.path)


def named_structure(name: str) -> dict[str, Any] | None:
    """The section [structure] of a name, none of "dense". Raises `InputError` for a name that there is not."""
    if name == DENSE:
        return None
    if name not in NAMED:
        raise InputError(
            f"--structure: {name!r} is none of {', '.join([DENSE, *NAMED])}; others stand in [structure] of the design"
        )
    return NAMED[name].model_dump()
