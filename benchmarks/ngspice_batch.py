"""`ngspice -b` on a stand-alone deck, and what it says: the judge of both ways in which the product reads decks.

It refuses a deck where it says so or gives nothing whole. ngspice 39 ends with exit code 1 after most errors, but goes on after
some ("Error: bad type given for option vntol --"). Refused is therefore a deck after which the exit code is not 0; or a line of
what is written begins with "error" or "fatal error", or ends with "- error", in capitals or not; or the raw file does not hold
each vector that is asked for, as one finite number. A deck that takes longer than it may is refused, too.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from cosim.simulator import Deck, spiceinit

_REFUSAL = re.compile(r"^\s*(?:fatal )?error\b.*|.*- error\s*$", re.IGNORECASE | re.MULTILINE)

Numbers = dict[str, float]


def version() -> str:
    """Such as ngspice-39. Raises `OSError` where there is none."""
    said = subprocess.run(["ngspice", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"ngspice-[\w.]+", said)
    return found[0] if found else "ngspice of an unknown version"


def operating_point(deck: Deck, timeout_s: float = 10.0) -> Numbers | str:
    """What it saves of the operating point, by the names of `deck.save`; or why it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deck.spice").write_text(deck.text(), encoding="utf-8")
        Path(folder, ".spiceinit").write_text(spiceinit(deck.setup), encoding="ascii")
        command = ["ngspice", "-b", "-r", "out.raw", "deck.spice"]
        try:
            ended = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                encoding="latin-1",
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"takes more than {timeout_s:g} s"
        if said := _REFUSAL.search(f"{ended.stdout}\n{ended.stderr}"):
            return said[0].strip()
        if ended.returncode:
            return f"exit code {ended.returncode}: {ended.stderr.strip()[-200:]}"
        raw = Path(folder, "out.raw")
        found = _last_values(raw.read_bytes()) if raw.is_file() else {}
    names = {name: name.lower() for name in deck.save}
    if missing := [name for name in names.values() if not np.isfinite(found.get(name, np.nan))]:
        return f"no {missing[0]}"
    return {name: found[lower] for name, lower in names.items()}


def _last_values(raw: bytes) -> Numbers:
    """The numbers of the first plot of a binary raw file, if it has one point."""
    header, _, data = raw.partition(b"Binary:\n")
    lines = header.decode("latin-1").splitlines()
    points = next((int(line.partition(":")[2]) for line in lines if line.startswith("No. Points:")), 0)
    if "Variables:" not in lines or points != 1:
        return {}
    names = [line.split()[1] for line in lines[lines.index("Variables:") + 1 :]]
    return dict(zip(names, np.frombuffer(data, dtype="<f8", count=len(names)).tolist(), strict=True))
