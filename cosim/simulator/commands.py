"""Lines for ngspice's command interpreter.

It redirects, substitutes and runs what it reads, as a shell does (`alter r9>FILE` truncates FILE), so a name of a netlist stands
in a line only if it is plain, and no line goes out that is not of plain words.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[\w.:#]+", re.ASCII)
_LINE = re.compile(r"[\w .:#=@\[\]()+\-/,!%~]*", re.ASCII)

# Model parameters whose change by command gives what loading them gives (tested). A length does not: what follows from it is
# worked out when the card is read.
_FOLLOWED = frozenset({"nfactor", "toxe", "voff", "vth0"})


def setting(name: str, parameter: str) -> str | None:
    """What sets a number on a loaded circuit, up to the number; None where ngspice would not follow it everywhere, or where the
    name cannot stand in a command."""
    if not _NAME.fullmatch(name):
        return None
    if not parameter:
        return f"alter {name} = "
    if parameter in ("delvto", "mulu0"):
        return f"alter @{name}[{parameter}] = "
    return f"altermod {name} {parameter} = " if parameter in _FOLLOWED else None


def is_plain(line: str) -> bool:
    """Whether ngspice takes a line as it stands: no redirection, no second command, nothing substituted."""
    return _LINE.fullmatch(line) is not None
