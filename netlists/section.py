"""What every section of a design file has in common, and the quantities that stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Volt = Annotated[float, Field(ge=-5.0, le=5.0)]
Second = Annotated[float, Field(gt=0.0, le=1.0)]
Micrometre = Annotated[float, Field(gt=0.0, le=10_000.0)]
VoltRange = tuple[Volt, Volt]


class Section(BaseModel):
    """A section of a design file: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FetSize(Section):
    """Drawn size of a transistor."""

    width_um: Micrometre
    length_um: Micrometre

    def __str__(self) -> str:
        return f"{self.width_um:g}/{self.length_um:g}"


def fet(width_um: float, length_um: float) -> FetSize:
    """A size, briefly."""
    return FetSize(width_um=width_um, length_um=length_um)


def one_of(sections: Mapping[str, type[Section]], key: str, default: str | None = None) -> Any:
    """The type of a section that may be any of these, told apart by what it holds under `key`; `default` where it holds none."""

    def name(value: Any) -> Any:
        return value.get(key, default) if isinstance(value, Mapping) else getattr(value, key, default)

    tagged = tuple(Annotated[section, Tag(tag)] for tag, section in sections.items())
    return Annotated[Union[tagged], Discriminator(name)]  # noqa: UP007
