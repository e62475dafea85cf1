"""What a user asks for: the design file, its conditions, and the cell that it brings along."""

from cosim.design.design import Design, explain, load_design

__all__ = ["Design", "explain", "load_design"]
