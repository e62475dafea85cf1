"""What every section of a design file has in common, and the quantities that stand in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Volt = Annotated[float, Field(ge=-5.0, le=5.0)]
Second = Annotated[float, Field(gt=0.0, le=1.0)]
Micrometre = Annotated[float, Field(gt=0.0, le=10_000.0)]


class Section(BaseModel):
    """A section of a design file: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FetSize(Section):
    """Drawn size of a transistor."""

    width_um: Micrometre
    length_um: Micrometre


def fet(width_um: float, length_um: float) -> FetSize:
    """A size, briefly."""
    return FetSize(width_um=width_um, length_um=length_um)
