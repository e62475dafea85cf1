"""What a design says of cells, and their drawings, need no simulator: PySpice is imported when the first circuit is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DESIGNS = Path(__file__).parents[2] / "designs"
CODE = """
import sys
from pathlib import Path
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySpice", "platformdirs", "torch", "dask"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from cosim.design import load_design
from cosim.design.cells import cells_of
from netlists.drawings import drawings
from netlists.testbenches import discharger_iv
for path in sorted(Path(sys.argv[1]).rglob("*.toml")):
    if path.parent.name != "studies":
        cells = cells_of(load_design(path))
        print(path.stem, len(drawings(cells, 5, {"layer 1": 5, "layer 2": 3})), len(cells.synapse.codes(1, 5)))
try:
    discharger_iv(cells)
except ModuleNotFoundError as error:
    print(error)
"""


def test_designs_are_read_and_drawn_without_pyspice() -> None:
    ran = subprocess.run([sys.executable, "-c", CODE, str(DESIGNS)], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    *drawn, missing = ran.stdout.splitlines()
    assert len(drawn) >= 7 and all(line.endswith(" 4 5") for line in drawn), drawn
    assert missing.startswith("PySpice")
