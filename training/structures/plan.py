"""What a structure is asked for with: a section a family. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from math import comb
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.shapes import NetworkShape

MOST_WORDS = 1 << 18
"""A decode table of more words is larger than what it decodes."""

MOST_IN_BLOCK = 32


def check_words(block: int, nonzeros: int) -> None:
    """Raises ValueError for blocks of so many weights that cannot be, or that have too many words."""
    if not 1 <= nonzeros <= block <= MOST_IN_BLOCK:
        raise ValueError(f"nonzeros: {nonzeros} of a block of {block}; at least 1 and at most {min(block, MOST_IN_BLOCK)}")
    words = sum(comb(block, k) << k for k in range(nonzeros + 1))
    if words > MOST_WORDS:
        raise ValueError(f"block: {words} words of {block} with {nonzeros} non-zeros; the table has at most {MOST_WORDS}")


Share = Annotated[float, Field(gt=0.0, le=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class StructurePlan(BaseModel):
    """Which layers hold the structure."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    layers: Literal["all", "inner"] = Field(default="all", description="`inner`: all but the first and the last layer")


class TernaryPlan(StructurePlan):
    """Structured sparse ternary code: at most `nonzeros` weights of +-1 unit in every `block` inputs of a neuron.

    The others are off. A block is stored as its index in the table of all that there are; links are pruned gradually.
    """

    kind: Literal["ternary"] = "ternary"
    block: int = Field(default=8, ge=1, le=MOST_IN_BLOCK, description="weights of a block")
    nonzeros: int = Field(default=2, ge=1, description="of a block at most so many are not zero")
    pruned_at: Share = Field(default=0.5, description="share of the training after which no more links are pruned")

    @model_validator(mode="after")
    def _possible(self) -> TernaryPlan:
        check_words(self.block, self.nonzeros)
        return self


class MasksPlan(StructurePlan):
    """Masks over one score a link: C, which links there are; S, their signs; M, their magnitudes in coats.

    Our rule: S is the sign of the score, M is 1 + the number of thresholds that its magnitude passes, C the share of the links
    whose scores are largest. What is not learnt is drawn by `seed`; without C the links are those of `wiring`, and a link that
    is not there is no device.
    """

    kind: Literal["masks"] = "masks"
    learn: str = Field(default="SM", pattern=r"^C?S?M?$", description="masks that training searches, of C, S and M in this order")
    coats: int = Field(default=8, ge=1, le=64, description="magnitudes: 1 .. coats units")
    links: Share = Field(default=0.5, description="share of the crossings that are linked")
    wiring: Literal["regular", "random", "n_of_m", "file"] = Field(
        default="regular",
        description="links without C: as many on every membrane and on every line; on every membrane; in every group; of a file",
    )
    group: int = Field(default=8, ge=1, description="inputs of a group of `n_of_m`")
    file: str = Field(default="", description="safetensors with layers.0.links, layers.1.links, ... [neurons, inputs] (0 or 1)")
    sha256: str = Field(default="", description="of the file, which must then be this very one")
    pruned: float = Field(default=0.0, ge=0.0, lt=1.0, description="with C: share of the links that never are, drawn by seed")
    locked: float = Field(default=0.0, ge=0.0, lt=1.0, description="with C: share of the links that always are, drawn by seed")
    seed: Seed = Field(default=0, description="of wiring and of what is not learnt")

    @model_validator(mode="after")
    def _consistent(self) -> MasksPlan:
        if (self.wiring == "file") != bool(self.file):
            raise ValueError('wiring = "file" and file go together')
        if "C" not in self.learn:
            if self.pruned or self.locked:
                raise ValueError(
                    'pruned, locked: are of the search for links, learn = "C"; without C the wiring says which there are'
                )
        elif self.file:
            raise ValueError("file: gives the links that C would search; leave one of them out")
        elif not self.locked <= self.links <= 1.0 - self.pruned:
            raise ValueError(
                f"links: {self.links:g} must lie between the {self.locked:g} locked and the {1 - self.pruned:g} not pruned"
            )
        return self

    def linked(self, inputs: int) -> int:
        """Links on every membrane of so many inputs."""
        if self.wiring == "n_of_m":
            return inputs // self.group * max(round(self.links * self.group), 1)
        return max(round(self.links * inputs), 1)


class SupermaskPlan(StructurePlan):
    """Signed supermask of several coats: the sign of one score, and how many of the thresholds it passes; none is no link."""

    kind: Literal["supermask"] = "supermask"
    coats: int = Field(default=7, ge=1, le=64, description="thresholds on the score")


class ToeplitzPlan(StructurePlan):
    """Block-Toeplitz weights: in every block of outputs and inputs, or channels, a diagonal shares its weight, or its kernel."""

    kind: Literal["toeplitz"] = "toeplitz"
    block: int = Field(default=8, ge=2, le=64, description="outputs, and inputs, of a block")


class CommutingPlan(StructurePlan):
    """Four signed strengths of a neuron in each tile, one for each type of row, and a bit a crossing: linked or not.

    Types and strengths commute with the shifts of a convolution, which is a block-Toeplitz matrix of such tiles.
    """

    kind: Literal["commuting"] = "commuting"
    tile: int = Field(default=256, ge=4, le=65536, description="rows of a crossbar")


class LevelsPlan(StructurePlan):
    """A few levels of each neuron, assigned after training without fine-tuning: codes and levels are found together.

    What they minimise is what the membranes are off by, for the inputs of the training set.
    """

    kind: Literal["levels"] = "levels"
    count: int = Field(default=4, ge=2, le=64, description="levels of a neuron")


class FactorsPlan(StructurePlan):
    """A sum of products of binary vectors, W ~ Y r Z + Y s 1 + 1 t Z + u, assigned after training without fine-tuning.

    As many products as the bits pay for; rows of Y and columns of Z are annealed in turns on what the membranes are off by.
    """

    kind: Literal["factors"] = "factors"
    bits: float = Field(default=2.0, gt=0.0, le=8.0, description="a weight, with all that is stored")


AnyStructure = Annotated[
    TernaryPlan | MasksPlan | SupermaskPlan | ToeplitzPlan | CommutingPlan | LevelsPlan | FactorsPlan,
    Field(discriminator="kind"),
]


def wired(shape: NetworkShape, plan: AnyStructure | None) -> NetworkShape:
    """A network with the links that a structure leaves; all of them where every crossing has a device."""
    if not isinstance(plan, MasksPlan) or "C" in plan.learn:
        return shape
    lines = shape.dense_lines
    inner = range(1, len(lines) - 1) if plan.layers == "inner" else range(len(lines))
    return replace(shape, linked=tuple(plan.linked(own) if number in inner else own for number, own in enumerate(lines)))


NAMED: dict[str, AnyStructure] = {
    "ternary_8_2": TernaryPlan(),
    "ternary_16_4": TernaryPlan(block=16, nonzeros=4),
    "reusable_topology": MasksPlan(),
    "ticket": MasksPlan(learn="C", coats=1),
    "partially_frozen": MasksPlan(learn="C", coats=1, links=0.35, pruned=0.5, locked=0.2),
    "supermask": SupermaskPlan(),
    "block_toeplitz": ToeplitzPlan(),
    "commuting_pairs": CommutingPlan(),
    "annealed_2bit": LevelsPlan(),
    "factorised_2bit": FactorsPlan(),
}
"""What `--structure` can name."""
