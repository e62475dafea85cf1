"""The weights that a datasheet names: weak, middle, strong of each sign."""

from __future__ import annotations

from cosim.bench.bench import Bench
from netlists.synapse import SIGNS, Sign, SynapseSetting
from training.hardware.variation import MIDDLE

WEAK, STRONG = "weak", "strong"
CODE_NAMES = (WEAK, MIDDLE, STRONG)
SIDES = {1: "plus", -1: "minus"}
GROUPS = {sign: f"synapse, {'positive' if sign > 0 else 'negative'} weights" for sign in SIGNS}
"""Of a datasheet."""


def named_settings(bench: Bench, sign: Sign) -> list[tuple[str, SynapseSetting]]:
    """The weakest, middle and strongest code of a sign; none where the cell lacks it."""
    codes = [float(code) for code in bench.cells().synapse.codes(sign, len(CODE_NAMES))]
    return [(name, SynapseSetting(sign, code)) for name, code in zip(CODE_NAMES, codes, strict=False)]
