"""Layout versus schematic: the netlist that lies in a layout against the one that is simulated."""

from layouts.lvs.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
