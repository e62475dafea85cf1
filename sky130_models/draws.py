"""What a pruned library draws at random."""

from __future__ import annotations

import re

_PROCESS_ON = re.compile(r"^(\.param mc_pr_switch = )1$", re.MULTILINE)


def without_process(library: str) -> str:
    """The text of a pruned library with the parameters of the die at their nominal values: only mismatch is drawn.

    The same devices draw the same mismatch for a seed as they do with it, so the difference is what the die does.
    """
    return _PROCESS_ON.sub(r"\g<1>0", library)
