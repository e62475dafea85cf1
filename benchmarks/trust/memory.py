"""The most memory that the parent of a sweep ever holds: its rows go to the disk as they come, and to Parquet slice by slice."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure

DESIGN = Path(__file__).parents[2] / "designs/iris_5_5_5.toml"
POINTS, QUICK = 100_000, 5_000

# The parent itself says what it held: its children, which simulate, are not of it; nor is the process that started it, whose
# memory getrusage would count.
_SWEEP = """
import atexit, json, re
from pathlib import Path
from cosim.cli.main import main
held = lambda: int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
atexit.register(lambda: print(json.dumps({"peak_mb": held()}), flush=True))
main()
"""


def figures(quick: bool) -> Iterator[Figure]:
    """Operating points of as many dies, simulated; then the same again, all of them known. Fewer if `quick`."""
    count = QUICK if quick else POINTS
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        fresh = parent_of_a_sweep(count, Path(folder))
        rate = count / (time.monotonic() - started)
        known = parent_of_a_sweep(count, Path(folder))
    how = f"{fresh['points']} operating points, {fresh['cached']} of them known, {fresh['failed']} failed; {rate:.0f} a second"
    yield Figure("trust.parent_peak_mb", fresh["peak_mb"], "MB", "at most 150", how)
    how = f"the same sweep again: {known['points']} points, {known['cached']} of them known"
    yield Figure("trust.parent_peak_resumed_mb", known["peak_mb"], "MB", "at most 150", how)


def parent_of_a_sweep(count: int, out: Path) -> dict[str, float]:
    """`cosim sweep` of the leakage of so many dies: its summary, and `peak_mb` of the process."""
    words = ["sweep", str(DESIGN), "--measure", "leakage", "--seeds", f"0:{count}", "--out", str(out), "--json"]
    done = subprocess.run([sys.executable, "-c", _SWEEP, *words], stdout=subprocess.PIPE, text=True, check=True)
    *_, result, peak = done.stdout.strip().splitlines()
    return {**json.loads(result), **json.loads(peak)}
